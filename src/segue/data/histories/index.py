"""The index of histories: every person's newest events in memory-mapped arrays, found by a hash of the person."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.interactions import Interactions, interactions
from segue.data.lake.files import replace, sync
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import EventSource
from segue.domain import columns
from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, histories

FORMAT: Final = 1
KEPT: Final = 1_000  # events of a person, the newest
CHUNK: Final = 100_000  # people that are hashed or copied at a time


class Past(NamedTuple):
    """One event of a history. `time` is in microseconds since 1970 UTC, `NO_TIME` where there is none."""

    item: str
    type: str
    weight: float
    time: int


@dataclass(frozen=True)
class Manifest:
    """What an index was made from.

    journal  the name of the journal that the rest of a history is in
    through  its last place whose event is in the index
    foreign  a digest of the files of the lake that did not come from a journal
    weights  a digest of what decides the weights
    """

    journal: str
    through: int
    foreign: str
    weights: str
    types: tuple[str, ...]
    events: int
    people: int


class HistoryIndex:
    """One version of the index, opened. Reading needs a page or two of each array, whatever their size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        fields = json.loads((folder / "manifest.json").read_text())
        if fields.pop("format") != FORMAT:
            raise FileNotFoundError(folder)  # of another version of Segue: as good as none, it can be rebuilt
        self.manifest = Manifest(**{**fields, "types": tuple(fields["types"])})
        self._hashes = _opened(folder / "hashes.npy")
        self._rows = _opened(folder / "rows.npy")
        self._offsets = _opened(folder / "offsets.npy")
        self._items, self._types = _opened(folder / "items.npy"), _opened(folder / "types.npy")
        self._weights, self._times = _opened(folder / "weights.npy"), _opened(folder / "times.npy")
        self._people = _Texts(folder, "people")
        self._names = _Texts(folder, "names")

    def history(self, person: str) -> list[Past]:
        """The person's events, oldest first; none where the person is not known."""
        row = self._row(person)
        if row < 0:
            return []
        part = slice(int(self._offsets[row]), int(self._offsets[row + 1]))
        types = self.manifest.types
        return [
            Past(item, types[kind], weight, time)
            for item, kind, weight, time in zip(
                self._names.texts(self._items[part]),
                self._types[part].tolist(),
                self._weights[part].tolist(),
                self._times[part].tolist(),
                strict=True,
            )
        ]

    def _row(self, person: str) -> int:
        digest = np.uint64(_hash(person.encode()))
        place = int(self._hashes.searchsorted(digest))
        while place < len(self._hashes) and self._hashes[place] == digest:
            row = int(self._rows[place])
            if self._people.texts(np.array([row])) == [person]:
                return row
            place += 1
        return -1


def build(snapshot: Snapshot, source: EventSource, journal: str, state: Path) -> str:
    """Write the index of a snapshot into a new folder of `state`, sorted on disk, not in memory; its name."""
    dataset = interactions(snapshot, source)
    draft = Path(tempfile.mkdtemp(prefix=".index-", dir=state))
    try:
        prepared = LocalEngine(draft / "sorting").prepare(dataset, Key.USER)
        _write_events(histories(prepared), draft)
        _write_texts(snapshot.dictionary("item_ids"), draft, "names")
        hashes = _write_texts(snapshot.dictionary("person_ids"), draft, "people")
        order = np.argsort(hashes, kind="stable")
        np.save(draft / "hashes.npy", hashes[order])
        np.save(draft / "rows.npy", order.astype(np.int32))
        (draft / "manifest.json").write_text(json.dumps(_manifest(snapshot, dataset, source, journal)))
        shutil.rmtree(draft / "sorting")
        sync([*draft.iterdir(), draft])
        name = draft.name.removeprefix(".")
        draft.rename(state / name)
        sync([state])
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return name


def publish(state: Path, name: str) -> None:
    """Make an index the current one, in one step, and remove the others: who has them open can read on."""
    replace(state / "current", name)
    for folder in state.iterdir():
        if folder.is_dir() and folder.name != name and folder.name.lstrip(".").startswith("index-"):
            shutil.rmtree(folder, ignore_errors=True)


def weights_digest(source: EventSource) -> str:
    """A digest of what decides the weight of an event."""
    return _digest((source.weight, sorted(source.types.items())))


def foreign_digest(snapshot: Snapshot) -> str:
    """A digest of the lake's files that hold anything but what was drained from a journal."""
    return _digest(sorted(file.path.name for file in snapshot.files if not (file.batch or "").startswith("journal-")))


def _manifest(snapshot: Snapshot, dataset: Interactions, source: EventSource, journal: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "journal": journal,
        "through": snapshot.transaction(journal),
        "foreign": foreign_digest(snapshot),
        "weights": weights_digest(source),
        "types": list(dataset.types),
        "events": dataset.rows,
        "people": dataset.users,
    }


def _write_events(whole: Histories, folder: Path) -> None:
    """Each person's newest events, copied a bounded number of people at a time."""
    lengths = np.minimum(np.diff(whole.offsets), KEPT)
    offsets = np.zeros(len(whole) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    np.save(folder / "offsets.npy", offsets)
    for name in ("items", "types", "weights", "times"):
        source: npt.NDArray[Any] = getattr(whole, name)
        with _created(folder / f"{name}.npy", source.dtype, int(offsets[-1])) as target:
            for start in range(0, len(whole), CHUNK):
                ends, counts = whole.offsets[start + 1 : start + CHUNK + 1], lengths[start : start + CHUNK]
                target.write(source[_last(ends, counts)].tobytes())


def _last(ends: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places of the last `counts` rows before each of `ends`."""
    return np.repeat(ends - np.cumsum(counts), counts) + np.arange(counts.sum())


def _created(path: Path, dtype: np.dtype[Any], rows: int) -> BinaryIO:
    """A .npy file with its header written, for the rows to follow."""
    file = path.open("wb")
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": (rows,)})
    return file


def _write_texts(dictionary: pl.DataFrame, folder: Path, name: str) -> npt.NDArray[np.uint64]:
    """The ids end to end, where each begins, and (returned) their hashes in the order of their codes."""
    ids = dictionary[columns.ID]
    lengths = ids.str.len_bytes().to_numpy().astype(np.int64)
    np.save(folder / f"{name}-offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    hashes = np.empty(len(ids), np.uint64)
    with _created(folder / f"{name}.npy", np.dtype(np.uint8), int(lengths.sum())) as target:
        for start in range(0, len(ids), CHUNK):
            encoded = [text.encode() for text in ids.slice(start, CHUNK).to_list()]
            target.write(b"".join(encoded))
            hashes[start : start + CHUNK] = [_hash(text) for text in encoded]
    return hashes


class _Texts:
    """Strings by code, in two memory-mapped files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._offsets = _opened(folder / f"{name}-offsets.npy")
        self._bytes = _opened(folder / f"{name}.npy").data

    def texts(self, codes: npt.NDArray[np.integer]) -> list[str]:
        starts, stops = self._offsets[codes].tolist(), self._offsets[codes + 1].tolist()
        return [str(self._bytes[start:stop], "utf-8") for start, stop in zip(starts, stops, strict=True)]


def _opened(path: Path) -> npt.NDArray[Any]:
    """A .npy file mapped into memory, as a plain array; an empty one cannot be mapped."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        (rows,), _, _ = np.lib.format.read_array_header_1_0(file)
    mapped: npt.NDArray[Any] = np.load(path, mmap_mode="r" if rows else None)
    return mapped.view(np.ndarray)


def _hash(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def _digest(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=16).hexdigest()
