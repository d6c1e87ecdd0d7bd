"""The compiled part of scoring with dense item weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, void

from segue.engines.compiled import array, compiled

BLOCK = 2048  # columns at a time: the sums of a block stay in the nearest cache


@compiled(void(array(int64, 1), array(int32, 1), array(float32, 2), float32[:, ::1]))
def add_rows(
    offsets: npt.NDArray[np.int64],
    places: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    sums: npt.NDArray[np.float32],
) -> None:
    """sums[r] += the sum of weights[p] over the places p of row r, in their order."""
    width = sums.shape[1]
    for start in range(0, width, BLOCK):
        stop = min(start + BLOCK, width)
        for row in range(len(offsets) - 1):
            line = sums[row, start:stop]
            for at in range(offsets[row], offsets[row + 1]):
                added = weights[places[at], start:stop]
                for column in range(stop - start):
                    line[column] += added[column]
