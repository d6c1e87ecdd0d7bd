"""A lease by `flock`: one holder at a time, freed by the system when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from segue.data.lake.files import refused_write
from segue.domain.errors import BusyError

POLL_S = 0.05


@contextmanager
def lease(path: Path, purpose: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold `path` while the block runs; `BusyError` names the holder if it is still taken after `wait_s` seconds."""
    with _opened(path) as file:
        _take(file.fileno(), path, purpose, time.monotonic() + wait_s)
        name = f"process {os.getpid()} ({' '.join(Path(part).name for part in sys.argv[:2]) or 'python'})"
        with contextlib.suppress(OSError):  # the name is for people; on a full disk the lease holds without it
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), name.encode())
        try:
            yield
        finally:
            os.ftruncate(file.fileno(), 0)


def _opened(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab+")
    except OSError as error:
        raise refused_write(error, path) from error


def _take(handle: int, path: Path, purpose: str, until: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                holder = path.read_text() or "another process"
                raise BusyError(
                    f"{holder} is {purpose}; only one can at a time",
                    where=str(path),
                    mend="wait until it is done, or end it; the lease frees itself when the process ends",
                ) from None
            time.sleep(POLL_S)
        else:
            return
