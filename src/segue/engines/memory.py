"""How much memory there is to work in, and a clear refusal before more is asked for than that."""

from __future__ import annotations

import os
from pathlib import Path

from segue.domain.errors import DataError

LIMIT = "SEGUE_MEMORY_LIMIT"  # bytes, where somebody wants less used than there is
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
