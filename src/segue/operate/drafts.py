"""Folders that appear whole or not at all: made beside their place, synced, renamed; what a kill left is swept."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from segue.data.lake.files import sync
from segue.data.lake.lease import lease
from segue.domain.errors import DataError

PREFIX = ".draft-"
LEASE = ".lease"
WAIT_S = 60.0
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def draft(parent: Path) -> Iterator[Path]:
    """An empty folder in `parent` to write in; gone after the block unless it was published.

    It is held by a lock that ends with the process, so that the next draft sweeps what a kill left behind and never
    what another process is writing. A full disk is a `DataError`.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with lease(parent / LEASE, f"tidying {parent.name}", wait_s=WAIT_S):
        sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        handle = _held(folder)
    assert handle is not None
    try:
        yield folder
    except OSError as error:
        if error.errno not in FULL and "written" not in str(error):  # NumPy says how much it could write, no number
            raise
        raise DataError(
            "the disk is full: nothing was kept of what was being written, what was there before is untouched",
            where=str(parent),
            mend="free some space and run the same command again",
        ) from error
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, place: Path) -> None:
    """Sync everything in a draft and give it its name; after a crash `place` is there whole or not there."""
    folder.chmod(0o755)
    sync([*folder.rglob("*"), folder])
    folder.rename(place)
    sync([place.parent])


def sweep(parent: Path) -> None:
    """Remove the drafts in `parent` that no process holds any more."""
    for folder in parent.glob(f"{PREFIX}*"):
        handle = _held(folder)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def dated(now: datetime) -> str:
    """A name that sorts by time, to the millisecond, and does not collide: 20261121-094500-123-3f2a."""
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}-{token_hex(2)}"


def _held(folder: Path) -> int | None:
    """A handle that holds the folder's lock until it is closed, or None where another process holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
