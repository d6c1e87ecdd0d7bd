"""The compiled search of products: what passes the bar in a tile of scores is taken while it is in a near cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, float64, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.product_tile import ROWS, WIDTH, multiply_tile
from segue.learn.top_kernels import offer, sort_best_first

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

ROUNDING = 1e-3  # more than the sums of any number of factors that a model has are off
SURE = 1e-30  # of a bar below this, what is rounded may be more than that
TOGETHER = 16  # scores that are held against the bar at once: a vector of them


@compiled(boolean(int64, int64, array(boolean, 2), array(boolean, 2), array(int64, 1), array(int32, 1)))
def is_left(
    row: int,
    item: int,
    allow: Mask,
    deny: Mask,
    offsets: npt.NDArray[np.int64],
    seen: npt.NDArray[np.int32],
) -> bool:
    """Whether the item is left for the row: masks have a line for each row, one for all, or none."""
    if len(allow) and not allow[row if len(allow) > 1 else 0, item]:
        return False
    if len(deny) and deny[row if len(deny) > 1 else 0, item]:
        return False
    low, high = offsets[row], offsets[row + 1]
    while low < high:
        middle = (low + high) // 2
        if seen[middle] < item:
            low = middle + 1
        else:
            high = middle
    return bool(low == offsets[row + 1] or seen[low] != item)


@compiled(
    void(
        array(float32, 2), int64, int64, array(boolean, 2), array(boolean, 2), array(int64, 1), array(int32, 1),
        int64[::1], float32[::1], int32[:, ::1], float32[:, ::1], int32[::1],
    )
)  # fmt: skip
def take_best(
    scores: Floats,
    row: int,
    count: int,
    allow: Mask,
    deny: Mask,
    offsets: npt.NDArray[np.int64],
    seen: npt.NDArray[np.int32],
    sizes: npt.NDArray[np.int64],
    bars: Floats,
    positions: npt.NDArray[np.int32],
    values: Floats,
    items: npt.NDArray[np.int32],
) -> None:
    """Take what reaches its row's bar into the row's heap: scores of `count` rows from `row` on, of `items`.

    Items come in any order, so one that equals the worst of a full heap may be before it.
    """
    for line in range(count):
        heap, held, bar = values[row + line], positions[row + line], bars[row + line]
        for first in range(0, WIDTH, TOGETHER):
            over = 0
            for at in range(first, first + TOGETHER):
                over += scores[line, at] >= bar
            if over == 0:
                continue
            for at in range(first, min(first + TOGETHER, len(items))):
                score = scores[line, at]
                if score == bar and (bar == -np.inf or items[at] > held[0]):
                    continue
                if score >= bar and is_left(row + line, items[at], allow, deny, offsets, seen):
                    sizes[row + line] = offer(heap, held, sizes[row + line], score, items[at])
                    if sizes[row + line] == len(heap):
                        bar = heap[0]
        bars[row + line] = bar


@compiled(float64[::1](float32[:, ::1], int64))
def needed_lengths(queries: Floats, rows: int) -> npt.NDArray[np.float64]:
    """float64[rows]: how long an item is at least whose product with the row is 1, less what rounding may add."""
    found = np.empty(rows, np.float64)
    for row in range(rows):
        square = 0.0
        for factor in range(queries.shape[1]):
            square += np.float64(queries[row, factor]) ** 2
        found[row] = (1 - ROUNDING) / np.sqrt(square) if square > 0 else 0.0
    return found


@compiled(
    void(
        float32[:, ::1], array(float32, 2), int32[::1], float32[::1], array(boolean, 2), array(boolean, 2),
        array(int64, 1), array(int32, 1), int32[:, ::1], float32[:, ::1],
    )
)  # fmt: skip
def best_products(
    queries: Floats,
    items: Floats,
    order: npt.NDArray[np.int32],
    lengths: Floats,
    allow: Mask,
    deny: Mask,
    offsets: npt.NDArray[np.int64],
    seen: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
    values: Floats,
) -> None:
    """Fill each row with the best of queries times items; the rows come filled with -1 and -inf.

    queries  float32[rows filled up to fours, factors]
    items    float32[items, factors]
    order    the items, longest first, and their lengths: no product is above those of the two lengths, so a row whose
             bar is above that is done (Cauchy and Schwarz; Teflioudi, Gemulla, "Exact and Approximate Maximum Inner
             Product Search with LEMP", 2016)
    seen     the items that are out, ascending in each row `offsets[r]:offsets[r + 1]`
    """
    rows, factors = len(positions), items.shape[1]
    block = np.zeros((factors, WIDTH), np.float32)
    scores = np.empty((ROWS, WIDTH), np.float32)
    sizes = np.zeros(rows, np.int64)
    bars = np.full(rows, -np.inf, np.float32)
    least = needed_lengths(queries, rows)  # of what cannot be left out, times the bar
    for start in range(0, len(items), WIDTH):
        here = order[start : start + WIDTH]
        for item in range(len(here)):
            for factor in range(factors):
                block[factor, item] = items[here[item], factor]
        going_on = False
        for row in range(0, rows, ROWS):
            count = min(ROWS, rows - row)
            done = True
            for line in range(row, row + count):
                done &= SURE < bars[line] < np.inf and lengths[start] < bars[line] * least[line]
            if done:
                continue
            going_on = True
            multiply_tile(queries, row, block, scores)  # type: ignore[call-arg]  # numba gives the first itself
            take_best(scores, row, count, allow, deny, offsets, seen, sizes, bars, positions, values, here)
        if not going_on:
            break
    for row in range(rows):
        sort_best_first(values[row], positions[row], sizes[row])
