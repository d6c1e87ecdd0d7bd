"""Tells from what files hold whether an import map knows their shape, and says what it makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import msgspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from segue.data.guess.cells import quoted
from segue.data.guess.columns import TYPES, EventRoles
from segue.data.guess.nested import opened
from segue.data.guess.shape import guess_shape
from segue.data.guess.told import Told
from segue.data.guess.types import TOLD, said_types, type_weight
from segue.data.maps.map import REST, Glimpse, ImportMap, Mapped, Record, TableMap
from segue.data.maps.records import records_of
from segue.data.maps.registry import maps, resolved
from segue.data.read.files import Location, Part, parts
from segue.data.read.read import mapped, part_format, read_part
from segue.data.read.rows import Rows
from segue.data.settings import EventSource, FileSource, ItemSource
from segue.domain.errors import DataError, ReadError

GLANCE = 1 << 20  # bytes of text that a map is recognised by
RECORDS = 1_000  # and records
MEMBERS = 10  # of an archive, that are looked at
SAMPLE_ROWS = 200_000  # rows that columns and types are told from

Table = Literal["events", "items"]


@dataclass
class Recognised:
    """What is said of files that a map reads: how to read them, why, what could be otherwise, and the first rows."""

    source: Mapped
    reasons: list[str]
    doubts: list[str] = field(default_factory=list)
    sample: pl.DataFrame = field(default_factory=pl.DataFrame)


def recognised(paths: Sequence[Location], table: Table, told: Told | None = None) -> Recognised | None:
    """What the map that the first file, or a member of it, is surely of makes of it; None where no map says so."""
    told = told or Told()
    if not paths or told.delimiter:
        return None  # who says what parts the columns means the file's own
    for part in islice(parts(paths[0]), MEMBERS):
        found = _found(glimpse(part), table)
        if found is not None:
            by_name, why = found
            return _Look(by_name, table, told, part, f"map: {by_name.name}, {why}").said(paths)
    return None


def glimpse(part: Part) -> Glimpse:
    """What of a part a map is recognised by. What cannot be read is left to the guesses, which say what is wrong."""
    head = part.head(GLANCE)
    text = head.decode("utf-8", "replace")
    try:
        if head[:4] == b"PAR1":
            return Glimpse(part.name, records=_first_rows(part))
        if part_format(part, FileSource()) == "csv":
            return Glimpse(part.name, text)
        first = next((rows for rows in islice(read_part(part, FileSource()), 4) if len(rows)), None)
    except ReadError:
        return Glimpse(part.name, text)
    if first is None:
        return Glimpse(part.name, text)
    few = Rows(first.frame.head(RECORDS), first.lines[:RECORDS], first.raw, [], first.fragments)
    return Glimpse(part.name, text, records_of(few).values)


def _first_rows(part: Part) -> list[Record]:
    """The first rows of a Parquet file, without a look at all of it."""
    try:
        with part.seekable() as stream:
            batch = next(pq.ParquetFile(stream).iter_batches(RECORDS), None)
    except (pa.ArrowException, OSError):
        return []
    rows: list[Record] = msgspec.to_builtins(batch.to_pylist() if batch else [], enc_hook=str)
    return [{key: value for key, value in row.items() if value is not None} for row in rows]


def _found(seen: Glimpse, table: Table) -> tuple[ImportMap, str] | None:
    for by_name in maps().values():
        reader: TableMap | None = getattr(by_name, table)
        if reader is not None and reader.wants(seen.name) and (why := reader.recognise(seen)) is not None:
            return by_name, why
    return None


def _encoding(part: Part, reasons: list[str]) -> str:
    """The encoding of a text of which not all is UTF-8."""
    head = part.head(GLANCE)
    if head[:4] == b"PAR1" or "\ufffd" not in head.decode("utf-8", "replace")[:-4]:
        return "utf-8"
    shape = guess_shape(part)
    reasons += [reason for reason in shape.reasons if reason.startswith("encoding:")]
    return shape.encoding


class _Look:
    """Looks at what a map makes of a part, and says it."""

    def __init__(self, by_name: ImportMap, table: Table, told: Told, part: Part, why: str) -> None:
        self.map, self.table, self.told, self.part = by_name, table, told, part
        reasons = [f"{why}; see {by_name.specification}"]
        self.look = Recognised(msgspec.structs.replace(self._source(), encoding=_encoding(part, reasons)), reasons)
        self.left: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()

    def said(self, paths: Sequence[Location]) -> Recognised:
        """All that there is to say."""
        look = self.look
        self._read()
        if isinstance(look.source, EventSource) and self._lacking(look.source):
            self._guess_the_rest()
        self._refuse_absent()
        said = {reason.split(":")[0] for reason in look.reasons}
        look.reasons += [self._evidence(role, path) for role, path in mapped(look.source).items() if role not in said]
        if isinstance(look.source, EventSource):
            self._say_types(look.source)
        self._say_what_is_not_kept()
        look.doubts = list(dict.fromkeys(look.doubts))
        look.doubts += [doubt for path in paths[1:20] if (doubt := self._unlike(path))]
        look.source = msgspec.structs.replace(look.source, files=tuple(map(str, paths)))
        return look

    def _source(self) -> Mapped:
        said = {"time_format": self.told.time_format, "order": self.told.order}
        given = {name: value for name, value in said.items() if value is not None}
        if self.table == "items":
            return resolved(ItemSource(map=self.map.name))
        source = resolved(msgspec.structs.replace(EventSource(map=self.map.name), **given))
        columns = {role: column or None for role, column in self.told.columns.items()}
        return msgspec.structs.replace(source, columns=msgspec.structs.replace(source.columns, **columns))

    def _read(self) -> None:
        frames: list[pl.DataFrame] = []
        for rows in read_part(self.part, self.look.source):
            frames.append(rows.frame)
            self.left.update(rows.left_out)
            self.broken.update(row.reason for row in rows.broken)
            if sum(frame.height for frame in frames) >= SAMPLE_ROWS:
                break
        if frames:
            self.look.sample = pl.concat(frames, how="diagonal_relaxed").head(SAMPLE_ROWS)

    def _lacking(self, source: EventSource) -> bool:
        columns = source.columns
        return columns.item is None or (columns.user is None and columns.visitor is None)

    def _guess_the_rest(self) -> None:
        """Where the specification leaves open who and what it is about, the fields are guessed as those of any JSON."""
        assert isinstance(self.look.source, EventSource)
        found = opened(self.look.sample).frame
        sample = found.rename({name: name.removeprefix(f"{REST}.") for name in found.columns})
        columns = {role: path for role, path in mapped(self.look.source).items() if path in sample.columns}
        told = Told(columns, None, self.told.time_format, self.told.order)
        reasons: list[str] = []
        guessed = EventRoles(sample, reasons, self.look.doubts, told, self.part.name).settings()["columns"]
        found_columns = {role: getattr(guessed, role) for role in guessed.__struct_fields__ if getattr(guessed, role)}
        merged = msgspec.structs.replace(self.look.source.columns, **found_columns)
        self.look.source = msgspec.structs.replace(self.look.source, columns=merged)
        self.look.reasons += [reason for reason in reasons if reason.split(":")[0] in set(found_columns) - set(columns)]
        self._read()

    def _refuse_absent(self) -> None:
        for role, path in self.told.columns.items():
            if path and self.look.sample[path].null_count() == self.look.sample.height:
                raise DataError(
                    f"no record has '{path}', which was said to be the {role}",
                    where=self.part.name,
                    mend=f"correct --column, or leave it out: the map '{self.map.name}' has a column for it",
                )

    def _evidence(self, role: str, path: str) -> str:
        if path == REST:
            return f"{role}: all that no other column takes"
        if path not in self.look.sample.columns:
            return f"{role}: '{path}', which is not in the file"
        cells = self.look.sample[path].drop_nulls()
        if cells.is_empty():
            return f"{role}: '{path}', which no row of the sample has"
        share = len(cells) / self.look.sample.height
        return f"{role}: '{path}', in {share:.0%} of the rows, such as {str(cells[0])[:40]!r}"

    def _say_types(self, source: EventSource) -> None:
        """The types that were seen, each with what it weighs: by the map, or by its words."""
        if source.columns.type is None:
            self.look.reasons.append(f"type: no column, all events are '{source.type}'")
            return
        counts: dict[str, int] = dict(self.look.sample[source.columns.type].value_counts(sort=True).head(TYPES).rows())
        seen = {kind: counts[kind] for kind in counts if kind is not None}
        guessed = {kind: weight for kind in seen if (weight := source.types.get(kind, type_weight(kind))) is not None}
        types = {kind: guessed.get(kind, 1.0) for kind in seen}
        self.look.reasons.append(f"types: {said_types(seen, types) or 'none yet'}")
        if strange := [kind for kind in seen if kind not in guessed]:
            self.look.doubts.append(
                f"what {quoted(strange[:TOLD])} should weigh for learning is not known: 1, as a view"
            )
        self.look.source = msgspec.structs.replace(source, types=types)

    def _say_what_is_not_kept(self) -> None:
        if self.left:
            counts = ", ".join(f"{why} ({count:,})" for why, count in self.left.most_common(10))
            self.look.reasons.append(f"left out, and counted: {counts}")
        for why, count in self.broken.most_common(3):
            self.look.doubts.append(
                f"{count:,} records are not as the specification says ({why}): they are quarantined"
            )

    def _unlike(self, path: Location) -> str | None:
        """What is said of a further file that is not of this map."""
        found = (_found(glimpse(part), self.table) for part in islice(parts(path), MEMBERS))
        if any(each is not None and each[0].name == self.map.name for each in found):
            return None
        return f"{path} is not of the map '{self.map.name}' as {self.part.name} is; read it by a declaration of its own"
