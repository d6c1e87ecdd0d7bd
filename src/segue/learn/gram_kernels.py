"""The compiled part of counting pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int32, int64, void

from segue.learn.compiled import array, compiled


@compiled(void(array(int64, 1), array(int32, 1), int32[:, ::1]))
def add_pairs(offsets: npt.NDArray[np.int64], codes: npt.NDArray[np.int32], gram: npt.NDArray[np.int32]) -> None:
    """gram[i, j] += 1 for every two codes i <= j of a row; codes ascend within a row."""
    for row in range(len(offsets) - 1):
        stop = offsets[row + 1]
        for first in range(offsets[row], stop):
            line = gram[codes[first]]
            for second in range(first, stop):
                line[codes[second]] += 1
