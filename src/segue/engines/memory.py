"""How much memory there is to work in, a clear refusal before more is asked for, and giving back what is done with."""

from __future__ import annotations

import ctypes
import gc
import math
import mmap
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.domain.errors import DataError

LIMIT = "SEGUE_MEMORY_LIMIT"  # bytes, where somebody wants less used than there is
LINE = 64  # bytes of a cache's line
GROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """What this process may still take: free memory, the limit of the control group, `SEGUE_MEMORY_LIMIT`: the least.

    >>> available_bytes() > 0
    True
    """
    known = [_free(), _left_in_group(), _told()]
    return min((found for found in known if found is not None), default=2**63 - 1)


def refuse_beyond_memory(needed: int, what: str, mend: str) -> None:
    """A `DataError` where `needed` bytes are more than there are: better before the work than a kill in the middle.

    >>> try:
    ...     refuse_beyond_memory(2**60, "a dense model", "set max_items = 40000")
    ... except DataError as error:
    ...     print(error.mend)
    set max_items = 40000
    """
    left = available_bytes()
    if needed > left:
        raise DataError(f"{what} needs about {needed / 1e9:,.1f} GB, and {left / 1e9:,.1f} GB are left", mend=mend)


def zeros_by_lines(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Zeros that begin where a line of the cache does, so that 64 bytes which lie together are fetched together.

    >>> zeros_by_lines((3, 16), np.float32).ctypes.data % LINE
    0
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    array: npt.NDArray[Any] = room[start : start + size].view(dtype).reshape(shape)
    return array


def let_go(arrays: Iterable[npt.NDArray[Any]]) -> None:
    """Have the pages of mapped columns count for the system's cache, not for this process, until they are met again.

    What was written into a shared mapping is not lost by it; arrays that are not mapped stay as they are.
    """
    for array in arrays:
        mapped = getattr(array, "_mmap", None)
        if mapped is not None:
            mapped.madvise(mmap.MADV_DONTNEED)


def give_back() -> None:
    """Give memory that nobody uses any more back to the system, after a large piece of work and before the next.

    Allocators keep what they are given back for the next who asks, each for itself: Arrow's, and that of the system
    for each thread. So work of several steps would hold the most that each of them ever needed.
    """
    gc.collect()
    if "pyarrow" in sys.modules:
        import pyarrow as pa

        pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def _free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left_in_group() -> int | None:
    try:
        limit, used = ((GROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))


def _told() -> int | None:
    said = os.environ.get(LIMIT, "")
    return int(said) if said.isdigit() else None
