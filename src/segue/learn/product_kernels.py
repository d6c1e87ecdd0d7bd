"""The compiled search of products: what passes the bar in a tile of scores is taken while it is in a near cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.product_tile import ROWS, WIDTH, multiply_tile
from segue.learn.top_kernels import offer, sort_best_first

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

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
        int64[::1], float32[::1], int32[:, ::1], float32[:, ::1], int64, int64,
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
    start: int,
    width: int,
) -> None:
    """Take what is above its row's bar into the row's heap: scores of `count` rows from `row` on, of `width` items."""
    for line in range(count):
        heap, held, bar = values[row + line], positions[row + line], bars[row + line]
        for first in range(0, WIDTH, TOGETHER):
            over = 0
            for at in range(first, first + TOGETHER):
                over += scores[line, at] > bar
            if over == 0:
                continue
            for at in range(first, min(first + TOGETHER, width)):
                score = scores[line, at]
                if score > bar and is_left(row + line, start + at, allow, deny, offsets, seen):
                    sizes[row + line] = offer(heap, held, sizes[row + line], score, np.int32(start + at))
                    if sizes[row + line] == len(heap):
                        bar = heap[0]
        bars[row + line] = bar


@compiled(
    void(
        float32[:, ::1], array(float32, 2), array(boolean, 2), array(boolean, 2), array(int64, 1), array(int32, 1),
        int32[:, ::1], float32[:, ::1],
    )
)  # fmt: skip
def best_products(
    queries: Floats,
    items: Floats,
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
    seen     the items that are out, ascending in each row `offsets[r]:offsets[r + 1]`
    """
    rows = len(positions)
    block = np.zeros((items.shape[1], WIDTH), np.float32)
    scores = np.empty((ROWS, WIDTH), np.float32)
    sizes = np.zeros(rows, np.int64)
    bars = np.full(rows, -np.inf, np.float32)
    for start in range(0, len(items), WIDTH):
        width = min(WIDTH, len(items) - start)
        for item in range(width):
            for factor in range(items.shape[1]):
                block[factor, item] = items[start + item, factor]
        for row in range(0, rows, ROWS):
            multiply_tile(queries, row, block, scores)  # type: ignore[call-arg]  # numba gives the first itself
            count = min(ROWS, rows - row)
            take_best(
                scores, row, count, allow, deny, offsets, seen, sizes, bars, positions, values, start, width
            )  # fmt: skip
    for row in range(rows):
        sort_best_first(values[row], positions[row], sizes[row])
