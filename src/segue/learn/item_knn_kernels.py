"""The compiled parts of item neighbours: adding products of pairs, and scoring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int32, int64, void

from segue.learn.compiled import array, compiled


@compiled(void(array(int64, 1), array(int32, 1), array(int64, 1), int64, int64[:, ::1]))
def add_products(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    values: npt.NDArray[np.int64],
    start: int,
    sums: npt.NDArray[np.int64],
) -> None:
    """sums[i - start, j] += value of i times value of j, for every two codes of a row with i in the block."""
    stop = start + len(sums)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        for first in range(begin, end):
            code = codes[first]
            if code < start or code >= stop:
                continue
            line, value = sums[code - start], values[first]
            for second in range(begin, end):
                line[codes[second]] += value * values[second]


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
