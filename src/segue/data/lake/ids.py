"""Which ids a table has: an index of hashes beside it, so that a new batch costs what it holds, not what the lake has.

The index is derived and may be removed at any time. It holds no id, and it alone never says that an id is known: it
says in which files to look. What it knows of a file stays true, for files do not change; those that left the table are
not asked about.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.lake.files import refused_write, replace, sync
from segue.domain import columns

FORMAT: Final = 1
PREFIX: Final = 16  # letters: ids that come from a content and a row have them in common
FEW: Final = 8  # different beginnings of the ids of a file that are remembered instead of all its ids
RUN_ROWS: Final = 8_000_000  # ids of one run; this bounds the memory of a merge
_MANIFEST: Final = "manifest.json"

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Run:
    """Hashes of the ids of some files, sorted, and beside each which file it is of."""

    name: str
    files: tuple[str, ...]
    hashes: Hashes
    places: npt.NDArray[np.uint32]


@dataclass
class IdIndex:
    """The index of one table, in a folder of its own; who writes it holds the lake's writer lease.

    folder  None: the index is only in memory
    few   by file, the hashes of the beginnings of its ids, where these are few
    runs  the ids of all other files
    """

    folder: Path | None
    few: dict[str, tuple[int, ...]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    _version: tuple[int, int] = (0, 0)

    def files_with(self, ids: pl.Series, table: Path, files: Sequence[str]) -> list[str]:
        """Those of the files (paths below `table`) that may have one of the ids; every file that has one is there.

        Files that the index does not know yet are read and learned first.
        """
        self._reopen()
        known = self._known()
        self._learn(table, [path for path in files if path not in known])
        return self.look(ids, files)

    def look(self, ids: pl.Series, files: Sequence[str]) -> list[str]:
        """As `files_with`, for who holds no lease: a file that the index does not know may have any id."""
        self._reopen()
        begun = np.unique(_begun(ids))
        found = {path for path, beginnings in self.few.items() if np.isin(beginnings, begun).any()}
        if self.runs:
            sought = np.unique(_hashes(ids))
            for run in self.runs:
                found |= _met(run, sought)
        known = self._known()
        return [path for path in files if path in found or path not in known]

    def told(self, files: Sequence[str], ids: pl.Series) -> None:
        """Learn of new files whose ids all begin as these few do, without reading them."""
        self._reopen()
        self.few.update(dict.fromkeys(files, tuple(int(each) for each in np.unique(_begun(ids)))))
        self._keep()

    def forget(self) -> None:
        """Remove the index; the next question makes it anew."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.few, self.runs, self._version = {}, [], (0, 0)

    def drop(self, files: Collection[str]) -> None:
        """Let go of what is known of files that no longer are, of runs once it is much: `files` are those that are."""
        self._reopen()
        kept = {path: begun for path, begun in self.few.items() if path in files}
        if len(kept) < len(self.few):
            self.few = kept
            self._keep()
        gone = {path for run in self.runs for path in run.files if path not in files}
        if len(gone) > sum(len(run.files) for run in self.runs) / 2:
            self.forget()

    def _known(self) -> set[str]:
        return {*self.few, *(path for run in self.runs for path in run.files)}

    def _learn(self, table: Path, files: Sequence[str]) -> None:
        """Read the ids of new files, a bounded number at a time."""
        hashes: list[Hashes] = []
        paths: list[str] = []
        for path in files:
            ids = pl.read_parquet(table / path, columns=[columns.ID], hive_partitioning=False)[columns.ID]
            begun = np.unique(_begun(ids))
            if len(begun) <= FEW:
                self.few[path] = tuple(int(each) for each in begun)
                continue
            hashes.append(_hashes(ids))
            paths.append(path)
            if sum(map(len, hashes)) >= RUN_ROWS:
                self._add(hashes, paths)
                hashes, paths = [], []
        if paths:
            self._add(hashes, paths)
        if files:
            self._keep()

    def _keep(self) -> None:
        if self.folder is None:
            return
        try:
            self._save(self.folder)
        except OSError as error:
            raise refused_write(error, self.folder) from error

    def _add(self, hashes: list[Hashes], paths: list[str]) -> None:
        """Add a run; while the one before it is not much longer, the two become one."""
        places = np.repeat(np.arange(len(paths), dtype=np.uint32), [len(each) for each in hashes])
        run = _sorted(tuple(paths), np.concatenate(hashes), places)
        while self.runs and len(self.runs[-1].hashes) <= 2 * len(run.hashes):
            if len(self.runs[-1].hashes) + len(run.hashes) > RUN_ROWS:
                break
            before = self.runs.pop()
            moved = run.places + np.uint32(len(before.files))
            run = _sorted(
                before.files + run.files,
                np.concatenate([before.hashes, run.hashes]),
                np.concatenate([before.places, moved]),
            )
        self.runs.append(run)

    def _save(self, folder: Path) -> None:
        """Write the runs that are new, then the manifest that names them, then remove the others."""
        folder.mkdir(parents=True, exist_ok=True)
        names, number = {path.name for path in folder.glob("*.npy")}, 0
        for place, run in enumerate(self.runs):
            if run.name:
                continue
            while f"run-{number}-hashes.npy" in names:
                number += 1
            self.runs[place] = _written(run, folder, f"run-{number}")
            number += 1
        manifest = {
            "format": FORMAT,
            "hash": pl.__version__,
            "few": self.few,
            "runs": [{"name": run.name, "files": run.files} for run in self.runs],
        }
        sync([folder])
        replace(folder / _MANIFEST, json.dumps(manifest))
        kept = {f"{run.name}-{part}.npy" for run in self.runs for part in ("hashes", "places")}
        for path in folder.glob("*.npy"):
            if path.name not in kept:
                path.unlink()
        self._version = _stamp(folder / _MANIFEST)

    def _reopen(self) -> None:
        """Read the manifest where another process replaced it; an index of another version is as good as none."""
        if self.folder is None or (stamp := _stamp(self.folder / _MANIFEST)) == self._version:
            return
        self.few, self.runs, self._version = {}, [], stamp
        try:
            said: dict[str, Any] = json.loads((self.folder / _MANIFEST).read_text())
            if (said["format"], said["hash"]) == (FORMAT, pl.__version__):
                runs = [_opened(self.folder, run["name"], tuple(run["files"])) for run in said["runs"]]
                self.few, self.runs = {path: tuple(each) for path, each in said["few"].items()}, runs
        except (OSError, ValueError, KeyError):
            self.few, self.runs = {}, []


def _begun(ids: pl.Series) -> Hashes:
    return ids.str.slice(0, PREFIX).unique().hash(seed=1).to_numpy()


def _hashes(ids: pl.Series) -> Hashes:
    """uint64 hashes by polars, which are the same in every process of one of its versions."""
    return ids.hash(seed=0).to_numpy()


def _met(run: Run, sought: Hashes) -> set[str]:
    """The files of a run that have one of the hashes; `sought` is sorted."""
    first, last = run.hashes.searchsorted(sought, "left"), run.hashes.searchsorted(sought, "right")
    found: set[str] = set()
    for start, stop in zip(first[first < last].tolist(), last[first < last].tolist(), strict=True):
        found.update(run.files[place] for place in set(run.places[start:stop].tolist()))
    return found


def _sorted(files: tuple[str, ...], hashes: Hashes, places: npt.NDArray[np.uint32]) -> Run:
    order = np.argsort(hashes, kind="stable")
    return Run("", files, hashes[order], places[order])


def _written(run: Run, folder: Path, name: str) -> Run:
    for part, array in (("hashes", run.hashes), ("places", run.places)):
        np.save(folder / f"{name}-{part}.npy", array)
        sync([folder / f"{name}-{part}.npy"])
    return _opened(folder, name, run.files)


def _opened(folder: Path, name: str, files: tuple[str, ...]) -> Run:
    hashes, places = (np.load(folder / f"{name}-{part}.npy", mmap_mode="r") for part in ("hashes", "places"))
    return Run(name, files, hashes.view(np.ndarray), places.view(np.ndarray))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


__all__ = ["IdIndex"]
