"""The index of histories: every person's newest events in memory-mapped arrays, found by a hash of the person."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.histories.marks import Mark, foreign_mark
from segue.data.identity.people import stitched
from segue.data.identity.stitch import SHARED, Links
from segue.data.interactions import Interactions, interactions
from segue.data.lake.files import replace, sync
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import EventSource
from segue.domain import columns
from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, histories

if TYPE_CHECKING:
    from segue.data.histories.layers import Upon

FORMAT: Final = 2
KEPT: Final = 1_000  # events of a person, the newest
_LINKS: Final = ("visitors", "users", "by-user")
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
    foreign  how far it goes in what did not come from a journal
    weights  a digest of what decides the weights
    events   that weigh something, with those of the layers below; `own` without
    below    the layers that hold what came before, the first made first, and in `marks` how far each goes
    """

    journal: str
    through: int
    foreign: Mark
    weights: str
    types: tuple[str, ...]
    events: int
    own: int
    people: int
    below: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


class HistoryIndex:
    """One version of the index, opened. Reading needs a page or two of each array, whatever their size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        fields = json.loads((folder / "manifest.json").read_text())
        if fields.pop("format") != FORMAT:
            raise FileNotFoundError(folder)  # of another version of Segue: as good as none, it can be rebuilt
        self.manifest = msgspec.convert(fields, Manifest)
        self.below = [HistoryIndex(folder.parent / name) for name in self.manifest.below]
        self._hashes = _opened(folder / "hashes.npy")
        self._rows = _opened(folder / "rows.npy")
        self._offsets = _opened(folder / "offsets.npy")
        self._items, self._types = _opened(folder / "items.npy"), _opened(folder / "types.npy")
        self._weights, self._times = _opened(folder / "weights.npy"), _opened(folder / "times.npy")
        self._people = _Texts(folder, "people")
        self._names = _Texts(folder, "names")
        linked = (folder / "link-users.npy").is_file()
        self._links = tuple(_opened(folder / f"link-{name}.npy") for name in _LINKS) if linked else None

    def alike(self, person: str) -> list[str]:
        """All the names that one person has: the user first, then the visitors who became that user."""
        row = self._row(person)
        if self._links is None or row < 0:
            return [person]
        user = self._user(row)
        visitors, users, by_user = self._links
        first, last = np.searchsorted(users, [user, user + 1], sorter=by_user)
        return self._people.texts(np.concatenate([[user], visitors[by_user[first:last]]]))

    def is_linked(self, visitor: str) -> bool:
        """Whether the visitor was seen with a user, or with several."""
        row = self._row(visitor)
        if self._links is None or row < 0:
            return False
        place = int(self._links[0].searchsorted(row))
        return place < len(self._links[0]) and bool(self._links[0][place] == row)

    def history(self, person: str) -> list[Past]:
        """The person's events, oldest first; none where the person is not known."""
        parts = [part for layer in (*self.below, self) if (part := layer.own(person))]
        if len(parts) < 2:
            return parts[0] if parts else []
        return sorted(itertools.chain.from_iterable(parts), key=operator.attrgetter("time"))[-KEPT:]

    def own(self, person: str) -> list[Past]:
        """What this layer alone has of a person."""
        row = self._user(self._row(person))
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

    def _user(self, row: int) -> int:
        """The row that a person's events are in: that of the user, where a visitor became one."""
        if self._links is None:
            return row
        visitors, users, _ = self._links
        place = int(visitors.searchsorted(row))
        became = place < len(visitors) and visitors[place] == row and users[place] != SHARED
        return int(users[place]) if became else row

    def _row(self, person: str) -> int:
        digest = np.uint64(_hash(person.encode()))
        place = int(self._hashes.searchsorted(digest))
        while place < len(self._hashes) and self._hashes[place] == digest:
            row = int(self._rows[place])
            if self._people.texts(np.array([row])) == [person]:
                return row
            place += 1
        return -1


def build(snapshot: Snapshot, source: EventSource, journal: str, state: Path, upon: Upon | None = None) -> str:
    """Write the index of a snapshot into a new folder of `state`, sorted on disk, not in memory; its name.

    Where `upon` is given, it is a layer that holds what came since, upon others that stay.
    """
    part = snapshot if upon is None else snapshot.only(upon.files)
    known = stitched(snapshot, source.identity)
    dataset = interactions(part, source, people=known)
    draft = Path(tempfile.mkdtemp(prefix=".index-", dir=state))
    try:
        prepared = LocalEngine(draft / "sorting").prepare(dataset, Key.USER)
        whole = histories(prepared)
        people = np.arange(len(whole)) if upon is None else np.flatnonzero(np.diff(whole.offsets))
        items = np.arange(len(dataset.items)) if upon is None else np.unique(whole.items)
        _write_events(whole, people, items, draft)
        _write_texts(snapshot.dictionary("item_ids")[items], draft, "names")
        hashes = _write_texts(snapshot.dictionary("person_ids")[people], draft, "people")
        if known.links is not None:
            _write_links(known.links, draft)
        order = np.argsort(hashes, kind="stable")
        np.save(draft / "hashes.npy", hashes[order])
        np.save(draft / "rows.npy", order.astype(np.int32))
        said = _manifest(snapshot, dataset, source, journal) | (upon.manifest(dataset.rows) if upon else {})
        (draft / "manifest.json").write_text(json.dumps(said))
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
    """Make an index the current one, in one step, and remove all but the layers that it lies upon.

    Who has the others open can read on.
    """
    replace(state / "current", name)
    kept = {name, *json.loads((state / name / "manifest.json").read_text())["below"]}
    for folder in state.iterdir():
        if folder.is_dir() and folder.name not in kept and folder.name.lstrip(".").startswith("index-"):
            shutil.rmtree(folder, ignore_errors=True)


def weights_digest(source: EventSource) -> str:
    """A digest of what decides the weight of an event."""
    stitched = ("stitch",) if source.identity.stitch else ()
    return _digest((source.weight, sorted(source.types.items()), *stitched))


def _manifest(snapshot: Snapshot, dataset: Interactions, source: EventSource, journal: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "journal": journal,
        "through": snapshot.transaction(journal),
        "foreign": foreign_mark(snapshot),
        "weights": weights_digest(source),
        "types": list(dataset.types),
        "events": dataset.rows,
        "own": dataset.rows,
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
