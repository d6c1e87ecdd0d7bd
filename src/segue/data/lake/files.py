"""What the lake asks of the file system: syncing, taking back, mending, and saying in words why a write failed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from segue.domain.errors import DataError


def sync(paths: Iterable[Path]) -> None:
    """fsync files and folders. A name is only safe once the folder that holds it is synced as well."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def discard(paths: Iterable[Path]) -> None:
    """Take back files that no log names."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def replace(path: Path, text: str) -> None:
    """Set the content of a small file in one step that a crash cannot tear."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync([path.parent])


def mended(log: Path) -> Path | None:
    """Rename a last Delta log entry that is not whole JSON, so that the table opens again; its new path, or None."""
    entry = torn(log)
    if entry is None:
        return None
    aside = entry.with_suffix(".json.torn")
    entry.replace(aside)
    sync([log])
    return aside


def torn(log: Path) -> Path | None:
    """The last entry of a Delta log where it is not whole JSON, or None."""
    last = max(log.glob("[0-9]*.json"), default=None)
    return None if last is None or _whole(last) else last


def is_whole(log: Path) -> bool:
    """Whether a Delta log has all entries from its beginning on, or since a checkpoint."""
    since = 0 if (checkpoint := checkpoint_of(log)) is None else int(checkpoint.name[:20]) + 1
    there = {int(entry.stem) for entry in log.glob("[0-9]*.json")}
    return there >= set(range(since, max(there, default=since - 1) + 1)) and (bool(there) or since > 0)


def checkpoint_of(log: Path) -> Path | None:
    """The newest checkpoint of a Delta log, or None."""
    return max(log.glob("[0-9]*.checkpoint.parquet"), default=None)


def mended_checkpoint(log: Path) -> Path | None:
    """Rename a newest checkpoint that cannot be read whole; its new path, or None.

    The table is then read from the checkpoint before it and the entries, which say the same. A hint that names it,
    or is cut off itself, goes as well: without one the checkpoints are looked for.
    """
    aside, checkpoint = None, checkpoint_of(log)
    if checkpoint is not None and not _readable(checkpoint):
        aside = checkpoint.with_suffix(".parquet.torn")
        checkpoint.replace(aside)
    hint = log / "_last_checkpoint"
    if hint.exists() and (aside is not None or not _leads(hint)):
        hint.unlink()
        sync([log])
    return aside


def refused_write(error: Exception, where: Path, lost: str = "nothing of this batch was kept") -> Exception:
    """The error to raise for a write that failed: in words where the disk or its rights are the reason, else itself."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error).lower()
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "no space left" in text or "file too large" in text:
        return DataError(
            f"the disk is full ({_room(where)}): {lost}, what was there before is untouched",
            where=str(where),
            mend="free some space and run the same command again; what is in already is not taken twice",
        )
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DataError(
            f"this cannot be written ({error}): nothing was changed",
            where=str(where),
            mend="run as who owns the workspace, or make it writable",
        )
    return error


def _room(path: Path) -> str:
    """Which file system a path is on, and what is left there."""
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    mount = next(folder for folder in (there, *there.parents) if folder.is_mount())
    room = os.statvfs(mount)
    free, size = (blocks * room.f_frsize / 1e6 for blocks in (room.f_bavail, room.f_blocks))
    return f"{mount}, {free:,.1f} of {size:,.1f} MB are free"


def _readable(checkpoint: Path) -> bool:
    """Whether every page can be read: a power cut may leave holes before a footer that is whole."""
    try:
        pq.read_table(checkpoint)
    except (pa.ArrowException, OSError):
        return False
    return True


def _leads(hint: Path) -> bool:
    """Whether the hint names a checkpoint that is there."""
    try:
        version = json.loads(hint.read_bytes())["version"]
        return (hint.parent / f"{version:020d}.checkpoint.parquet").exists()
    except (ValueError, KeyError, TypeError):
        return False


def _whole(entry: Path) -> bool:
    try:
        lines = entry.read_bytes().splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        return False
