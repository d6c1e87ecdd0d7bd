"""The compiled part of counting pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), int32[:, ::1]))
def add_pairs(
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    by_code: npt.NDArray[np.int64],
    gram: npt.NDArray[np.int32],
) -> None:
    """gram[i, j] += 1 for every two codes i <= j of a row; codes ascend within a row.

    `rows` is the row of each pair, `by_code` the order of the pairs by code: one line of the Gram is filled at a time,
    in the nearest cache.
    """
    for at in by_code:
        line = gram[codes[at]]
        for other in range(at, offsets[rows[at] + 1]):
            line[codes[other]] += 1
