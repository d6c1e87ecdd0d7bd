"""The compiled look-up in a run of ascending codes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int32, int64

from segue.engines.compiled import array, compiled


@compiled(int64(array(int32, 1), int64, int64, int64))
def first_from(codes: npt.NDArray[np.int32], code: int, start: int, stop: int) -> int:
    """Where in codes[start:stop], which ascend, the first lies that is no less than `code`; `stop` where none is."""
    while start < stop:
        middle = (start + stop) // 2
        if codes[middle] < code:
            start = middle + 1
        else:
            stop = middle
    return start
