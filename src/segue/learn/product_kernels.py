"""The compiled product of queries and item factors: the best are taken while a block of scores is in a near cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.top_kernels import offer, sort_best_first

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

WIDTH = 64  # items of a block: with 64 factors it takes a third of a nearest cache
STEP = 8  # factors that are added at a time


@compiled(void(float32[:, ::1], float32[:, ::1], int64, float32[:, ::1]), fastmath={"contract"})
def multiply_two(queries: Floats, block: Floats, row: int, scores: Floats) -> None:
    """scores[0] and [1] = queries[row] and [row + 1] times the block, float32[factors, WIDTH], factors in steps."""
    scores[:] = 0
    first, second = scores[0], scores[1]
    for at in range(0, len(block), STEP):
        a0, a1, a2, a3 = queries[row, at], queries[row, at + 1], queries[row, at + 2], queries[row, at + 3]
        a4, a5, a6, a7 = queries[row, at + 4], queries[row, at + 5], queries[row, at + 6], queries[row, at + 7]
        other = row + 1
        b0, b1, b2, b3 = queries[other, at], queries[other, at + 1], queries[other, at + 2], queries[other, at + 3]
        b4, b5, b6, b7 = queries[other, at + 4], queries[other, at + 5], queries[other, at + 6], queries[other, at + 7]
        x0, x1, x2, x3 = block[at], block[at + 1], block[at + 2], block[at + 3]
        x4, x5, x6, x7 = block[at + 4], block[at + 5], block[at + 6], block[at + 7]
        for item in range(WIDTH):
            score = first[item] + a0 * x0[item] + a1 * x1[item] + a2 * x2[item] + a3 * x3[item]
            first[item] = score + a4 * x4[item] + a5 * x5[item] + a6 * x6[item] + a7 * x7[item]
            score = second[item] + b0 * x0[item] + b1 * x1[item] + b2 * x2[item] + b3 * x3[item]
            second[item] = score + b4 * x4[item] + b5 * x5[item] + b6 * x6[item] + b7 * x7[item]


@compiled(
    boolean(int64, int64, array(boolean, 2), array(boolean, 2), array(int64, 1), array(int32, 1))
)  # fmt: skip
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

    queries  float32[even, factors], the factors in steps of 8: filled up with zeros
    items    float32[items, factors], without the filling
    seen     the items that are out, ascending in each row `offsets[r]:offsets[r + 1]`
    """
    rows, k = positions.shape
    factors = items.shape[1]
    block = np.zeros((queries.shape[1], WIDTH), np.float32)
    scores = np.empty((2, WIDTH), np.float32)
    sizes = np.zeros(rows, np.int64)
    bars = np.full(rows, -np.inf, np.float32)
    for start in range(0, len(items), WIDTH):
        width = min(WIDTH, len(items) - start)
        for item in range(width):
            for factor in range(factors):
                block[factor, item] = items[start + item, factor]
        for pair in range(0, rows, 2):
            multiply_two(queries, block, pair, scores)
            for row in range(pair, min(pair + 2, rows)):
                line, bar = scores[row - pair], bars[row]
                over = 0
                for item in range(WIDTH):
                    over += line[item] > bar
                if over == 0:
                    continue
                for item in range(width):
                    if line[item] > bars[row] and is_left(row, start + item, allow, deny, offsets, seen):
                        sizes[row] = offer(values[row], positions[row], sizes[row], line[item], np.int32(start + item))
                        if sizes[row] == k:
                            bars[row] = values[row, 0]
    for row in range(rows):
        sort_best_first(values[row], positions[row], sizes[row])
