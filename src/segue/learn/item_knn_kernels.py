"""The compiled parts of item neighbours: adding products of pairs, and scoring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(
    void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), array(int64, 1), int64, int64[:, ::1])
)
def add_products(
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    values: npt.NDArray[np.int64],
    by_code: npt.NDArray[np.int64],
    start: int,
    sums: npt.NDArray[np.int64],
) -> None:
    """sums[i - start, j] += value of i times value of j, for every two codes of a row with i in the block.

    Of two codes in the block only i <= j is added: the square of the block is its upper triangle. `rows` is the row of
    each pair, `by_code` the order of the pairs by code: one line of sums is filled at a time, in the nearest cache.
    """
    stop = start + len(sums)
    for at in by_code:
        code = codes[at]
        if code < start or code >= stop:
            continue
        row, line, value = rows[at], sums[code - start], values[at]
        for other in range(offsets[row], at):
            if codes[other] >= start:
                break
            line[codes[other]] += value * values[other]
        for other in range(at, offsets[row + 1]):
            line[codes[other]] += value * values[other]


@compiled(
    void(array(int64, 1), array(int32, 1), array(float64, 1), array(int32, 2), array(float32, 2), float32[:, ::1])
)
def add_neighbours(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    worth: npt.NDArray[np.float64],
    neighbours: npt.NDArray[np.int32],
    likeness: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
) -> None:
    """scores[r] = the likeness of every neighbour of the row's items, times their worth, added in float64."""
    sums = np.empty(scores.shape[1], np.float64)
    for row in range(len(offsets) - 1):
        sums[:] = 0
        for at in range(offsets[row], offsets[row + 1]):
            code, weight = codes[at], worth[at]
            for rank in range(neighbours.shape[1]):
                near = neighbours[code, rank]
                if near < 0:
                    break
                sums[near] += likeness[code, rank] * weight
        scores[row] = sums
