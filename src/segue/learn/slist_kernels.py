"""The compiled part of counting what comes after what, and what is there at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(
    void(
        array(int64, 1),
        array(int64, 1),
        array(int32, 1),
        array(int64, 1),
        array(int64, 2),
        array(int64, 3),
        int64,
        int64[:, :, ::1],
        int64[:, :, ::1],
    )
)
def add_pasts(
    offsets: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    by_code: npt.NDArray[np.int64],
    ahead: npt.NDArray[np.int64],
    along: npt.NDArray[np.int64],
    start: int,
    after: npt.NDArray[np.int64],
    beside: npt.NDArray[np.int64],
) -> None:
    """For every event of a code in the block and each one before it in its sequence, `lag` steps, within the window:
    after[:, code - start, the code before] += ahead[:, lag] and
    beside[:, code - start, the code before] += along[:, how many events follow the later, lag].

    `by_code` is the order of the events by code: one line of the sums is filled at a time, in the nearest cache.
    """
    window = ahead.shape[1] - 1
    for at in by_code:
        code = codes[at]
        if code < start or code >= start + after.shape[1]:
            continue
        reach = min(window, at - offsets[numbers[at]])
        to_come = min(offsets[numbers[at] + 1] - 1 - at, window)
        for fade in range(len(after)):
            line, worth = after[fade, code - start], ahead[fade]
            for lag in range(1, reach + 1):
                line[codes[at - lag]] += worth[lag]
        for both in range(len(beside)):
            line, worth = beside[both, code - start], along[both, to_come]
            for lag in range(1, reach + 1):
                line[codes[at - lag]] += worth[lag]
