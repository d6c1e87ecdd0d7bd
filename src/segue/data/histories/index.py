"""The index of histories: every person's newest events in memory-mapped arrays, found by a hash of the person."""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
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
from segue.data.identity.stitch import links
from segue.data.interactions import Interactions, interactions
from segue.data.lake.files import refused_write, replace, sync
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import EventSource
from segue.domain import columns
from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import Prepared, file_columns, histories
from segue.engines.memory import let_go
from segue.engines.scatter import scatter

if TYPE_CHECKING:
    from segue.data.histories.layers import Upon
    from segue.data.histories.links import LinkedPeople

FORMAT: Final = 3
KEPT: Final = 1_000  # events of a person, the newest
CHUNK: Final = 100_000  # people that are hashed at a time
COPIED: Final = 1_000_000  # events that are copied at a time, and no more than those of one person
LONG: Final = 64  # bytes of a text from which on it is hashed by itself
FNV_START: Final = 0xCBF29CE484222325
FNV_PRIME: Final = 0x100000001B3
_ALL: Final = (1 << 64) - 1


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
    """One version of the index, opened: all of it at once, so that it is read on when its folder is gone.

    Reading needs a page or two of each array, whatever their size. `linked` are the visitors who became users; None
    where visitors were not stitched when it was built.
    """

    def __init__(self, folder: Path) -> None:
        from segue.data.histories.links import linked_people

        self.folder = folder
        fields = json.loads((folder / "manifest.json").read_text())
        if fields.pop("format") != FORMAT:
            raise FileNotFoundError(folder)  # of another version of Segue: as good as none, it can be rebuilt
        self.manifest = msgspec.convert(fields, Manifest)
        self.below = [HistoryIndex(folder.parent / name) for name in self.manifest.below]
        self._hashes = opened(folder / "hashes.npy")
        self._rows = opened(folder / "rows.npy")
        self._offsets = opened(folder / "offsets.npy")
        self._items, self._types = opened(folder / "items.npy"), opened(folder / "types.npy")
        self._weights, self._times = opened(folder / "weights.npy"), opened(folder / "times.npy")
        self._people = Texts(folder, "people")
        self._names = Texts(folder, "names")
        self.linked: LinkedPeople | None = linked_people(folder)

    def history(self, person: str) -> list[Past]:
        """The person's events, oldest first; none where the person is not known."""
        parts = [part for layer in (*self.below, self) if (part := layer.own(person))]
        if len(parts) < 2:
            return parts[0] if parts else []
        return sorted(itertools.chain.from_iterable(parts), key=operator.attrgetter("time"))[-KEPT:]

    def own(self, person: str) -> list[Past]:
        """What this layer alone has of a person."""
        row = found_row(person, self._hashes, self._rows, self._people)
        if row < 0:
            return []
        part = slice(int(self._offsets[row]), int(self._offsets[row + 1]))
        types = self.manifest.types
        told = zip(
            self._names.texts(self._items[part]),
            map(types.__getitem__, self._types[part].tolist()),
            self._weights[part].tolist(),
            self._times[part].tolist(),
            strict=True,
        )
        return list(map(tuple.__new__, itertools.repeat(Past), told))  # as Past(...), at half the cost


def build(snapshot: Snapshot, source: EventSource, journal: str, state: Path, upon: Upon | None = None) -> str:
    """Write the index of a snapshot into a new folder of `state`, sorted on disk, not in memory; its name.

    Where `upon` is given, it is a layer that holds what came since, upon others that stay.
    """
    from segue.data.histories.links import write_links

    part = snapshot if upon is None else snapshot.only(upon.files)
    dataset = interactions(part, source)
    draft = Path(tempfile.mkdtemp(prefix=".index-", dir=state))
    try:
        whole = _sorted(dataset, draft / "sorting")
        people = np.arange(len(whole)) if upon is None else np.flatnonzero(np.diff(whole.offsets))
        items = np.arange(len(dataset.items)) if upon is None else np.unique(whole.items)
        _write_events(whole, people, items, draft)
        write_texts(snapshot.dictionary("item_ids")[items], draft, "names")
        hashes = write_texts(snapshot.dictionary("person_ids")[people], draft, "people")
        if source.identity.stitch:
            write_links(links(snapshot, source.identity.shared), snapshot.dictionary("person_ids"), draft)
        order = np.argsort(hashes, kind="stable")
        np.save(draft / "hashes.npy", hashes[order])
        np.save(draft / "rows.npy", order.astype(np.int32))
        rows = int(whole.offsets[-1])
        said = _manifest(snapshot, dataset, rows, source, journal) | (upon.manifest(rows) if upon else {})
        (draft / "manifest.json").write_text(json.dumps(said))
        shutil.rmtree(draft / "sorting")
        sync([*draft.iterdir(), draft])
        name = draft.name.removeprefix(".")
        draft.rename(state / name)
        sync([state])
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError):
            lost = "the events are in the lake, the histories of people lack the newest"
            raise refused_write(error, state, lost) from error
        raise
    return name


def publish(state: Path, name: str) -> None:
    """Make an index the current one, in one step, and remove all but the layers that it lies upon.

    Who has the others open can read on.
    """
    replace(state / "current", name)
    kept = {name, *json.loads((state / name / "manifest.json").read_text()).get("below", ())}
    for folder in state.iterdir():
        if folder.is_dir() and folder.name not in kept and folder.name.lstrip(".").startswith("index-"):
            shutil.rmtree(folder, ignore_errors=True)


def weights_digest(source: EventSource) -> str:
    """A digest of what decides the weight of an event."""
    told = source.identity
    stitched = (("stitch",) if told.shared == "alone" else ("stitch", told.shared)) if told.stitch else ()
    return _digest((source.weight, sorted(source.types.items()), *stitched))


def _sorted(dataset: Interactions, folder: Path) -> Histories:
    """The histories in mapped files of a folder that goes when they are copied: none of them need reach the disk."""
    folder.mkdir()
    offsets, arrays = scatter(dataset, Key.USER, file_columns(folder))
    return histories(Prepared(offsets, arrays, Key.USER, dataset.items, dataset.users, dataset.types, folder.name))


def _manifest(
    snapshot: Snapshot, dataset: Interactions, rows: int, source: EventSource, journal: str
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "journal": journal,
        "through": snapshot.transaction(journal),
        "foreign": foreign_mark(snapshot),
        "weights": weights_digest(source),
        "types": list(dataset.types),
        "events": rows,
        "own": rows,
        "people": dataset.users,
    }


def _write_events(whole: Histories, people: npt.NDArray[np.intp], items: npt.NDArray[np.integer], folder: Path) -> None:
    """The newest events of these people, copied a bounded number at a time; items by their places in `items`, which is
    sorted and has all of them."""
    lengths, ends = np.minimum(np.diff(whole.offsets), KEPT)[people], whole.offsets[1:][people]
    places = np.zeros(int(items[-1]) + 1 if len(items) else 0, np.int32)
    places[items] = np.arange(len(items), dtype=np.int32)
    offsets = np.zeros(len(people) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    np.save(folder / "offsets.npy", offsets)
    cuts = [*dict.fromkeys(np.searchsorted(offsets, range(0, int(offsets[-1]), COPIED)).tolist()), len(people)]
    for name in ("items", "types", "weights", "times"):
        source: npt.NDArray[Any] = getattr(whole, name)
        with _created(folder / f"{name}.npy", source.dtype, int(offsets[-1])) as target:
            for start, stop in itertools.pairwise(cuts):
                rows = source[_last(ends[start:stop], lengths[start:stop])]
                target.write((places[rows] if name == "items" else rows).tobytes())
                let_go([source])


def _last(ends: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places of the last `counts` rows before each of `ends`."""
    return np.repeat(ends - np.cumsum(counts), counts) + np.arange(counts.sum())


def _created(path: Path, dtype: np.dtype[Any], rows: int) -> BinaryIO:
    """A .npy file with its header written, for the rows to follow."""
    file = path.open("wb")
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": (rows,)})
    return file


def write_texts(dictionary: pl.DataFrame, folder: Path, name: str) -> npt.NDArray[np.uint64]:
    """The ids end to end, where each begins, and (returned) their hashes in the order of their codes."""
    ids = dictionary[columns.ID]
    lengths = ids.str.len_bytes().to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    np.save(folder / f"{name}-offsets.npy", offsets)
    hashes = np.empty(len(ids), np.uint64)
    with _created(folder / f"{name}.npy", np.dtype(np.uint8), int(offsets[-1])) as target:
        for start in range(0, len(ids), CHUNK):
            text = "".join(ids.slice(start, CHUNK).to_list()).encode()
            target.write(text)
            chunk = offsets[start : start + CHUNK + 1]
            hashes[start : start + CHUNK] = _hashes(np.frombuffer(text, np.uint8), chunk - chunk[0])
    return hashes


def found_row(text: str, hashes: npt.NDArray[np.uint64], rows: npt.NDArray[np.int32], of: Texts) -> int:
    """The row of a text, by its hash; -1 where it has none."""
    digest = np.uint64(_hash(text.encode()))
    place = int(hashes.searchsorted(digest))
    while place < len(hashes) and hashes[place] == digest:
        row = int(rows[place])
        if of.texts(np.array([row])) == [text]:
            return row
        place += 1
    return -1


class Texts:
    """Strings by code, in two memory-mapped files."""

    def __init__(self, folder: Path, name: str) -> None:
        self._offsets = opened(folder / f"{name}-offsets.npy")
        self._bytes = opened(folder / f"{name}.npy").data

    def texts(self, codes: npt.NDArray[np.integer]) -> list[str]:
        starts, stops = self._offsets[codes].tolist(), self._offsets[codes + 1].tolist()
        return [str(self._bytes[start:stop], "utf-8") for start, stop in zip(starts, stops, strict=True)]


def opened(path: Path) -> npt.NDArray[Any]:
    """A .npy file mapped into memory, as a plain array; an empty one cannot be mapped."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        (rows,), _, dtype = np.lib.format.read_array_header_1_0(file)
        if rows == 0:
            return np.empty(0, dtype)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # np.load would open the file twice again
        return np.frombuffer(mapped, dtype, rows, file.tell())


def _hash(key: bytes) -> int:
    """Fowler-Noll-Vo 1a of 64 bits: many can be made at once."""
    value = FNV_START
    for byte in key:
        value = (value ^ byte) * FNV_PRIME & _ALL
    return value ^ value >> 32


def _hashes(text: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """As `_hash`, of texts end to end, a letter of each at a time."""
    lengths = np.diff(offsets)
    values = np.full(len(lengths), FNV_START, np.uint64)
    for place in range(min(int(lengths.max(initial=0)), LONG)):
        more = np.flatnonzero(lengths > place)
        values[more] = (values[more] ^ text[offsets[more] + place]) * np.uint64(FNV_PRIME)
    values ^= values >> np.uint64(32)
    for row in np.flatnonzero(lengths > LONG).tolist():
        values[row] = _hash(text[offsets[row] : offsets[row + 1]].tobytes())
    return values


def _digest(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=16).hexdigest()
