"""Brings files into the lake: each row once, kept or quarantined; what is in already is left alone, and said so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np
import polars as pl

from segue.data.bulk.choice import BLOCK, is_fast
from segue.data.convert.events import Converted, convert_events, convert_numbered
from segue.data.convert.items import convert_items, convert_users
from segue.data.convert.times import MOMENT
from segue.data.identity.settings import Normalise
from segue.data.ingest import steps as ingest_steps
from segue.data.ingest.ahead import ahead
from segue.data.ingest.report import FileReport, Taken, Tally
from segue.data.ingest.steps import Gathering, Step, Take
from segue.data.ingest.together import Lines, Together
from segue.data.lake.lake import Appended, Lake, Read, Snapshot
from segue.data.lake.rows import WAYS
from segue.data.maps.registry import resolved, table_map
from segue.data.read.files import Location, Part, parts, size_of
from segue.data.read.joined import Joined, Tiny, can_join, tiny
from segue.data.read.places import Places
from segue.data.read.read import needed_columns, read_part
from segue.data.read.rows import Rows
from segue.data.read.text import codec, utf8_blocks
from segue.data.settings import EventSource, FileSource, ItemSource, UserSource
from segue.domain import columns
from segue.domain.errors import MissingColumn, ReadError, SegueError
from segue.engines.memory import give_back

if TYPE_CHECKING:
    from segue.data.bulk.lane import Vocabularies

FAST = WAYS[1]  # begins the numbers of the steps of a file that took the fast lane
FAST_STEP = 2  # times as many rows are in them: a row by line is small
# What of a source does not change the rows that come out of it.
_OUTSIDE_MAPPING = ("files", "database", "query", "types", "weight", "identity")


@dataclass(frozen=True)
class Progress:
    """How far an ingestion is: the part that is being read, and its rows so far; bytes of all files, those done."""

    path: str
    rows: int
    bytes_done: int
    bytes_all: int


Report = Callable[[Progress], None]


def ingest_events(
    lake: Lake,
    source: EventSource,
    paths: Sequence[Location],
    root: Path,
    now: datetime,
    progress: Report | None = None,
) -> list[FileReport]:
    """Take the events of these files into the lake. Names in reports and quarantine are relative to `root`.

    Many small parts are committed together, yet each is in or out by itself, and reported by itself. A content that the
    lake has with another mapping is replaced: the old rows go as the new ones come. Raises `ReadError` where a file is
    damaged: none of its rows is taken then; what came before it is, unless something was to be replaced.
    """
    source = resolved(source)
    reports = _ingest(lake, source, paths, root, progress, _EventSink(lake, source, now.astimezone(UTC)))
    if sum(report.rows for report in reports if not report.skipped) >= ingest_steps.STEP:
        give_back()
    return reports


def ingest_items(
    lake: Lake, source: ItemSource, paths: Sequence[Location], root: Path, now: datetime, progress: Report | None = None
) -> list[FileReport]:
    """Take a catalog into the lake; the last row of an id is current. What was read with another mapping goes."""
    source = resolved(source)
    sink = _TableSink("items", source, now, lambda rows: convert_items(rows, source, now))
    return _ingest(lake, source, paths, root, progress, sink)


def ingest_users(
    lake: Lake, source: UserSource, paths: Sequence[Location], root: Path, now: datetime, progress: Report | None = None
) -> list[FileReport]:
    """Take a table of users into the lake; the last row of an id is current. Rows read with another mapping go."""
    sink = _TableSink("users", source, now, lambda rows: convert_users(rows, source, now))
    return _ingest(lake, source, paths, root, progress, sink)


def batch_id(content: str, source: FileSource) -> str:
    """The name of a batch: 32 hex digits of the content's hash, 16 of the mapping's.

    What a source says about learning (types' weights) and where its files lie is no part of the mapping.
    """
    said = {name: getattr(source, name) for name in source.__struct_fields__ if name not in _OUTSIDE_MAPPING}
    if source.identity.normalise != Normalise():
        said["normalise"] = source.identity.normalise
    mapping = msgspec.json.encode([type(source).__name__, msgspec.to_builtins(said)], order="deterministic")
    return content + blake2b(mapping, digest_size=8).hexdigest()


def batches_of(paths: Sequence[Location], source: FileSource, snapshot: Snapshot) -> list[str]:
    """The batches in the lake's events that came from these files; a big file has several, named alike."""
    wanted = {batch_id(part.digest(), source) for path in paths for part in parts(path)}
    known = snapshot.coded_events().select(pl.col(columns.BATCH).unique()).collect().to_series()
    return sorted(batch for batch in known if batch.split(".")[0] in wanted)


class _Sink(Protocol):
    """Where converted rows go."""

    name: Read
    now: datetime

    def taken(self, part: Part, batch: str) -> tuple[str, Iterator[Taken]]:
        """What becomes of the rows of a part, and what goes before the numbers of its steps: each way of reading has
        steps of its own, as they end at other rows."""
        ...

    def converted(self, rows: Rows, files: Joined, batches: list[str], last: list[int]) -> Converted:
        """What becomes of the rows of joined files, of which these are the batches and the last lines."""
        ...

    def append(self, frames: Mapping[str, pl.DataFrame], take: Take) -> dict[str, Appended]: ...

    def part_done(self, lines: int) -> None: ...


class _EventSink:
    """Events; where the order of lines is the order of events, later files come after earlier ones."""

    name: Read = "events"

    def __init__(self, lake: Lake, source: EventSource, now: datetime) -> None:
        self._lake, self._source, self.now = lake, source, now
        self._order = _last_order(lake) if source.order == "file" else 0
        self._words: Vocabularies | None = None  # once there is one, all codes are given out by it

    def taken(self, part: Part, batch: str) -> tuple[str, Iterator[Taken]]:
        if is_fast(part, self._source) and not self._lake.has_other_mapping("events", batch):
            found = self._fast(part, batch)
            if found is not None:
                return FAST, found
        order = self._order
        return "", _taken(part, self._source, lambda rows: convert_events(rows, self._source, batch, order, self.now))

    def converted(self, rows: Rows, files: Joined, batches: list[str], last: list[int]) -> Converted:
        """The order of each file's lines is behind that of the files before it."""
        lines = np.array(last, np.int64)
        before = self._order + np.cumsum(lines) - lines
        return convert_numbered(rows, self._source, Lines(files, batches, before), self.now)

    def _fast(self, part: Part, batch: str) -> Iterator[Taken] | None:
        from segue.data.bulk.lane import Lane, Vocabularies  # loads compiled kernels, which small files do without

        self._words = self._words or Vocabularies(self._lake)
        encoding = codec(self._source.encoding, part.name)
        text = utf8_blocks(part.blocks(BLOCK), self._source.encoding, part.name)
        lane = Lane(self._source, batch, self._order, self.now, self._words)
        return lane.read(text, encoding, needed_columns(part, self._source))

    def append(self, frames: Mapping[str, pl.DataFrame], take: Take) -> dict[str, Appended]:
        if self._words is None:
            return take(frames)
        coded = {batch: self._words.coded(frame) for batch, frame in frames.items()}
        self._words.commit()
        return take(coded)

    def part_done(self, lines: int) -> None:
        self._order += lines


class _TableSink:
    """Items or users: of the rows of one id in a batch, the last is taken."""

    def __init__(self, name: Read, source: FileSource, now: datetime, convert: Callable[[Rows], Converted]) -> None:
        self.name: Read = name
        self.now = now.astimezone(UTC)
        self._source, self._convert = source, convert

    def taken(self, part: Part, batch: str) -> tuple[str, Iterator[Taken]]:
        del batch
        return "", _taken(part, self._source, self._convert)

    def converted(self, rows: Rows, files: Joined, batches: list[str], last: list[int]) -> Converted:
        """A row is of the catalog whatever file it is of."""
        del files, batches, last
        return self._convert(rows)

    def append(self, frames: Mapping[str, pl.DataFrame], take: Take) -> dict[str, Appended]:
        last = {batch: frame.unique(columns.ID, keep="last", maintain_order=True) for batch, frame in frames.items()}
        taken = take(last)
        return {
            batch: Appended(taken[batch].rows, taken[batch].duplicates + frame.height - last[batch].height)
            for batch, frame in frames.items()
        }

    def part_done(self, lines: int) -> None:
        del lines  # a catalog has no order


def _last_order(lake: Lake) -> int:
    if not lake.root.is_dir():
        return 0
    last = lake.snapshot().coded_events().select(pl.col(columns.ORDER).max()).collect().item()
    return int(last or 0)


def _ingest(
    lake: Lake, source: FileSource, paths: Sequence[Location], root: Path, progress: Report | None, sink: _Sink
) -> list[FileReport]:
    with lake.writer(), _gathering(lake, sink) as gathering:
        reading = _Reading(lake, source, root, sink, gathering, _Told(progress, sum(map(size_of, paths))))
        try:
            for path in paths:
                reading.take(path)
            reading.together.read()
        except (ReadError, MissingColumn) as error:
            first = error.where.startswith(reading.tallies[0].path) if reading.tallies else True
            before = "" if first else gathering.before()
            raise type(error)(error.problem, where=error.where, mend=error.mend + before) from error
    return [tally.report() for tally in reading.tallies]


@contextmanager
def _gathering(lake: Lake, sink: _Sink) -> Iterator[Gathering]:
    """Parts gathered while the block runs, all committed at its end: where a file is damaged, those before it."""
    gathering = Gathering(lake, sink.name, sink.append, sink.now)
    try:
        yield gathering
    except SegueError:
        gathering.abandon()
        raise
    gathering.finish()


@dataclass
class _Told:
    """Tells how far an ingestion is: `done` of `total` bytes are those of the files before."""

    report: Report | None
    total: int
    done: int = 0

    def __call__(self, path: str, rows: int, position: int = 0) -> None:
        if self.report is not None:
            self.report(Progress(path, rows, self.done + position, self.total))


def _shown(path: Path, root: Path) -> str:
    """The path as people know it: relative to the workspace where it lies or was declared in it, else as given.

    A link in the workspace goes by its own name, not by that of what it points to.
    """
    if path.is_relative_to(root):  # told first: to resolve a path takes as long as to read a tiny file
        return str(path.relative_to(root))
    for full, folder in ((path.absolute(), root.absolute()), (path.resolve(), root.resolve())):
        if full.is_relative_to(folder):
            return str(full.relative_to(folder))
    return str(path)


class _Reading:
    """Reads places in their order: tiny files together, all others by themselves; one tally for each part."""

    def __init__(
        self, lake: Lake, source: FileSource, root: Path, sink: _Sink, gathering: Gathering, told: _Told
    ) -> None:
        self._lake, self._source, self._root = lake, source, root
        self._sink, self._gathering, self._told = sink, gathering, told
        self._map = table_map(source)
        self._joins = can_join(source)
        self.tallies: list[Tally] = []
        self.together = Together(source, sink.name, gathering, sink.converted, self._alone, sink.part_done)

    def take(self, path: Location) -> None:
        """Have the rows of a place wait to be committed."""
        shown = _shown(path, self._root) if isinstance(path, Path) else None
        file = tiny(path, shown, self._source) if self._joins and shown is not None else None
        if file is not None:
            self._take_tiny(file)
        else:
            self.together.read()
            for part in parts(path, shown):
                self._read(part, self._tally(part))
        self._told.done += size_of(path)
        if self.tallies:
            self._told(self.tallies[-1].path, self.tallies[-1].read)

    def _tally(self, part: Part) -> Tally:
        tally = Tally(part.name, batch_id(part.digest(), self._source))
        self.tallies.append(tally)
        return tally

    def _take_tiny(self, file: Tiny) -> None:
        tally = self._tally(file.part)
        name, batch = self._sink.name, tally.batch
        if self.together.holds(batch) and name == "events":
            tally.skipped = True
            return
        if (
            self.together.holds(batch)
            or self._lake.has_other_mapping(name, batch)
            or self._lake.returns(name, batch, tally.path)
        ):
            self.together.read()  # in the order of files
            self._read(file.part, tally)
        elif self._gathering.holds(batch):
            self._gathering.skip(tally)
        else:
            self.together.add(file, tally)

    def _alone(self, file: Tiny, tally: Tally) -> None:
        self._read(file.part, tally)

    def _read(self, part: Part, tally: Tally) -> None:
        """Convert the rows of a part and have them wait to be committed."""
        if self._map is not None and not self._map.wants(part.name):
            tally.unwanted = True
        elif self._gathering.holds(tally.batch):
            self._gathering.skip(tally)
        else:
            self._gathering.expect(tally)
            for step in _steps(part, self._source, self._sink, tally, self._told):
                self._gathering.add(step)
            self._sink.part_done(tally.last_line)


def _steps(part: Part, source: FileSource, sink: _Sink, tally: Tally, told: _Told) -> Iterator[Step]:
    step, number = Step(tally.batch, tally, table=sink.name), 0
    places = Places(part, source)
    sequence, found = sink.taken(part, tally.batch)
    enough = ingest_steps.STEP * (FAST_STEP if sequence == FAST else 1)
    with ahead(found) as all_taken:
        for taken in all_taken:
            if step.rows >= enough:
                step.batch = f"{tally.batch}.{sequence}{number}"
                step.places = places.of(step.broken, at_end=False)
                yield step
                step, number = Step(tally.batch, tally, table=sink.name), number + 1
            step.add(taken.converted.frame, taken.converted.broken)
            tally.read += taken.rows
            tally.left_out.update(taken.left_out)
            tally.last_line = max(tally.last_line, taken.last_line)
            told(part.name, tally.read, part.position())
    step.places = places.of(step.broken, at_end=True)
    if number:  # so that every step of a big file says how it was read
        step.batch = f"{tally.batch}.{sequence}{number}"
        yield step
        step = Step(tally.batch, tally, table=sink.name)
    yield step


def _taken(part: Part, source: FileSource, convert: Callable[[Rows], Converted]) -> Iterator[Taken]:
    for rows in read_part(part, source):
        last = int(rows.lines[-1]) if len(rows) else 0
        yield Taken(convert(rows), len(rows) + len(rows.broken), last, rows.left_out)


__all__ = [
    "MOMENT",
    "FileReport",
    "Progress",
    "batch_id",
    "batches_of",
    "ingest_events",
    "ingest_items",
    "ingest_users",
]
