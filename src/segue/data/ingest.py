"""Brings files into the lake: each row once, kept or quarantined; what is in already is left alone, and said so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import msgspec
import polars as pl

from segue.data.convert import Converted, convert_events
from segue.data.convert_items import convert_items, convert_users
from segue.data.convert_times import MOMENT
from segue.data.lake import Appended, Lake, Snapshot
from segue.data.read import read_part
from segue.data.read_files import Part, parts
from segue.data.rows import BROKEN, Broken, Rows
from segue.data.settings import EventSource, FileSource, ItemSource, UserSource
from segue.domain import columns

STEP = 1_000_000  # rows that are committed at a time

# What of a source does not change the rows that come out of it.
_OUTSIDE_MAPPING = ("files", "types", "weight")


@dataclass(frozen=True)
class FileReport:
    """What became of one file, or one member of an archive.

    rows         how many it has; `kept` + all of `quarantined` + `duplicates`
    quarantined  how many rows went to quarantine, by reason
    duplicates   rows whose id the lake has already, or for a catalog: earlier rows of an id within the file
    skipped      the same content was read before with the same mapping: nothing changed
    note         what a person should know: an empty file, a file that was read before with another mapping
    """

    path: str
    batch: str
    rows: int = 0
    kept: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    skipped: bool = False
    note: str = ""


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
    paths: Sequence[Path],
    root: Path,
    now: datetime,
    progress: Report | None = None,
) -> list[FileReport]:
    """Take the events of these files into the lake. Names in reports and quarantine are relative to `root`.

    Raises `ReadError` where a file is damaged: none of its rows is taken then.
    """
    return _ingest(lake, source, paths, root, progress, _EventSink(lake, source, now.astimezone(UTC)))


def ingest_items(
    lake: Lake, source: ItemSource, paths: Sequence[Path], root: Path, now: datetime, progress: Report | None = None
) -> list[FileReport]:
    """Take a catalog into the lake; the last row of an id is the current one."""
    return _ingest(
        lake, source, paths, root, progress, _TableSink(lambda rows: convert_items(rows, source, now), lake.put_items)
    )


def ingest_users(
    lake: Lake, source: UserSource, paths: Sequence[Path], root: Path, now: datetime, progress: Report | None = None
) -> list[FileReport]:
    """Take a table of users into the lake; the last row of an id is the current one."""
    return _ingest(
        lake, source, paths, root, progress, _TableSink(lambda rows: convert_users(rows, source, now), lake.put_users)
    )


def batch_id(content: str, source: FileSource) -> str:
    """The name of a batch: 32 hex digits of the content's hash, 16 of the mapping's.

    What a source says about learning (types' weights) and where its files lie is no part of the mapping.
    """
    said = {name: getattr(source, name) for name in source.__struct_fields__ if name not in _OUTSIDE_MAPPING}
    mapping = msgspec.json.encode([type(source).__name__, msgspec.to_builtins(said)], order="deterministic")
    return content + blake2b(mapping, digest_size=8).hexdigest()


def batches_of(paths: Sequence[Path], source: FileSource, snapshot: Snapshot) -> list[str]:
    """The batches in the lake's events that came from these files; a big file has several, named alike."""
    wanted = {batch_id(part.digest(), source) for path in paths for part in parts(path)}
    known = snapshot.coded_events().select(pl.col(columns.BATCH).unique()).collect().to_series()
    return sorted(batch for batch in known if batch.split(".")[0] in wanted)


class _Sink(Protocol):
    """Where converted rows go."""

    def convert(self, rows: Rows, batch: str) -> Converted: ...

    def append(self, frame: pl.DataFrame, batch: str) -> Appended: ...

    def part_done(self, lines: int) -> None: ...


class _EventSink:
    """Events; where the order of lines is the order of events, later files come after earlier ones."""

    def __init__(self, lake: Lake, source: EventSource, now: datetime) -> None:
        self._lake, self._source, self._now = lake, source, now
        self._order = _last_order(lake) if source.order == "file" else 0

    def convert(self, rows: Rows, batch: str) -> Converted:
        return convert_events(rows, self._source, batch, self._order, self._now)

    def append(self, frame: pl.DataFrame, batch: str) -> Appended:
        return self._lake.append_events(frame, batch)

    def part_done(self, lines: int) -> None:
        self._order += lines


class _TableSink:
    """Items or users: of the rows of one id in a batch, the last is taken."""

    def __init__(self, convert: Callable[[Rows], Converted], put: Callable[[pl.DataFrame, str], Appended]) -> None:
        self._convert, self._put = convert, put

    def convert(self, rows: Rows, batch: str) -> Converted:
        del batch
        return self._convert(rows)

    def append(self, frame: pl.DataFrame, batch: str) -> Appended:
        last = frame.unique(columns.ID, keep="last", maintain_order=True)
        put = self._put(last, batch)
        return Appended(put.rows, put.duplicates + frame.height - last.height)

    def part_done(self, lines: int) -> None:
        del lines  # a catalog has no order


def _last_order(lake: Lake) -> int:
    if not lake.root.is_dir():
        return 0
    last = lake.snapshot().coded_events().select(pl.col(columns.ORDER).max()).collect().item()
    return int(last or 0)


def _ingest(
    lake: Lake, source: FileSource, paths: Sequence[Path], root: Path, progress: Report | None, sink: _Sink
) -> list[FileReport]:
    total, done = sum(path.stat().st_size for path in paths if path.is_file()), 0
    reports: list[FileReport] = []
    with lake.writer():
        for path in paths:
            for part in parts(path, _shown(path, root)):
                told = _Teller(progress, part, done, total)
                reports.append(_ingest_part(lake, source, part, sink, told))
            done += path.stat().st_size
            if progress is not None and reports:
                progress(Progress(reports[-1].path, reports[-1].rows, done, total))
    return reports


@dataclass(frozen=True)
class _Teller:
    """Tells how far one part is."""

    report: Report | None
    part: Part
    done: int
    total: int

    def __call__(self, rows: int) -> None:
        if self.report is not None:
            self.report(Progress(self.part.name, rows, self.done + self.part.position(), self.total))


def _shown(path: Path, root: Path) -> str:
    """The path as people know it: relative to the workspace where it lies in it."""
    full = path.resolve()
    return str(full.relative_to(root.resolve())) if full.is_relative_to(root.resolve()) else str(path)


def _ingest_part(lake: Lake, source: FileSource, part: Part, sink: _Sink, told: _Teller) -> FileReport:
    batch = batch_id(part.digest(), source)
    if lake.has_batch(batch):
        return FileReport(part.name, batch, skipped=True, note="these rows are in the lake already; nothing changed")
    tally = _Tally(part.name, batch)
    for step in _steps(part, source, sink, batch, tally, told):
        step.commit(lake, sink)
    sink.part_done(tally.last_line)
    return tally.report()


@dataclass
class _Tally:
    """Counts what becomes of the rows of one part."""

    path: str
    batch: str
    kept: int = 0
    duplicates: int = 0
    last_line: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)

    def report(self) -> FileReport:
        rows = self.kept + self.duplicates + self.quarantined.total()
        return FileReport(
            self.path,
            self.batch,
            rows,
            self.kept,
            dict(self.quarantined.most_common()),
            self.duplicates,
            note=self._note(),
        )

    def _note(self) -> str:
        rows = self.kept + self.duplicates + self.quarantined.total()
        if not rows:
            return "the file holds no rows"
        if self.duplicates and not self.kept:
            return "all of these ids are in the lake already; what was read with another mapping is not replaced"
        return ""


@dataclass
class _Step:
    """Rows that are committed together. The last step of a part carries the batch's own name: then all is in."""

    batch: str
    frames: list[pl.DataFrame]
    broken: list[Broken]
    tally: _Tally

    def commit(self, lake: Lake, sink: _Sink) -> None:
        """Quarantine first, so that a batch that is in is in with all that was wrong in it."""
        if self.broken:
            lake.quarantine(_quarantined(self.broken, self.tally.path, self.batch), self.batch)
            self.tally.quarantined.update(row.reason for row in self.broken)
        rows = pl.concat(self.frames)
        if self.batch != self.tally.batch and lake.has_batch(
            self.batch
        ):  # an ingestion that was broken off had come this far
            self.tally.kept += rows.height
            return
        appended = sink.append(rows, self.batch)
        self.tally.kept += appended.rows
        self.tally.duplicates += appended.duplicates


def _steps(part: Part, source: FileSource, sink: _Sink, batch: str, tally: _Tally, told: _Teller) -> Iterator[_Step]:
    frames: list[pl.DataFrame] = []
    broken: list[Broken] = []
    rows, number = 0, 0
    for chunk in read_part(part, source):
        converted = sink.convert(chunk, batch)
        if sum(frame.height for frame in frames) + len(broken) >= STEP:
            yield _Step(f"{batch}.{number}", frames, broken, tally)
            frames, broken, number = [], [], number + 1
        frames.append(converted.frame)
        broken += converted.broken
        rows += len(chunk) + len(chunk.broken)
        tally.last_line = max([tally.last_line, *chunk.lines[-1:].tolist()])
        told(rows)
    yield _Step(batch, frames or [pl.DataFrame(schema={columns.ID: pl.String})], broken, tally)


def _quarantined(broken: Sequence[Broken], path: str, batch: str) -> pl.DataFrame:
    frame = pl.DataFrame(broken, schema=BROKEN, orient="row")
    return frame.with_columns(pl.lit(batch).alias(columns.BATCH), pl.lit(path).alias("file"))


__all__ = ["MOMENT", "FileReport", "Progress", "batch_id", "ingest_events", "ingest_items", "ingest_users"]
