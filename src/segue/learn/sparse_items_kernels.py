"""The compiled part of scoring with sparse item weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(void(array(int64, 1), array(int32, 1), array(int64, 1), array(int32, 1), array(float32, 1), float32[:, ::1]))
def add_weights(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
) -> None:
    """scores[r] = the sum of the weights from the items of row r, added in float64 in their order."""
    sums = np.empty(scores.shape[1], np.float64)
    for row in range(len(offsets) - 1):
        sums[:] = 0
        for at in range(offsets[row], offsets[row + 1]):
            for place in range(starts[codes[at]], starts[codes[at] + 1]):
                sums[targets[place]] += weights[place]
        scores[row] = sums
