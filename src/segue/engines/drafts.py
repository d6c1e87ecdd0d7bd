"""Folders that are written whole or not at all, and the lock under which they change places."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".draft-"
ABANDONED_S = 86_400  # a draft this old belongs to a process that was killed


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which gets its name when the block ends well and is removed otherwise.

    An `OSError` where `folder` is there already.
    """
    with drafting(folder.parent) as draft:
        yield draft
        draft.rename(folder)


@contextmanager
def drafting(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, removed after the block unless it was renamed.

    Drafts that killed processes left here are removed after a day.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError):  # whose it is may be ready by now
            if left.stat().st_mtime < time.time() - ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        draft.chmod(0o755)
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one, of all processes and threads, who puts things into `folder` or takes them out."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which frees the lock, as the end of the process would
