"""Folders that are written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".draft-"
ABANDONED_S = 86_400  # a draft this old belongs to a process that was killed


@contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which gets its name when the block ends well and is removed otherwise.

    Drafts that killed processes left here are removed after a day. An `OSError` where `folder` is there already.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{PREFIX}*"):
        if left.stat().st_mtime < time.time() - ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
