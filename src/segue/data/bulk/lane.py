"""The fast lane of a big delimited file: plain lines by compiled kernels, every other line the careful way."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.bulk import kernels
from segue.data.bulk.choice import EPOCHS, KNOWN
from segue.data.bulk.words import Words
from segue.data.convert.events import LATEST, Converted, convert_events
from segue.data.convert.times import MOMENT
from segue.data.ingest.report import Taken
from segue.data.lake.lake import Lake
from segue.data.lake.layouts import PEOPLE_AND_ITEM, is_coded
from segue.data.lake.lines import LINE, PREFIX
from segue.data.lake.rows import person_keys
from segue.data.read import files
from segue.data.read.delimited import LONGEST, Layout, layout_of, read_on, rows_of_lines
from segue.data.read.fields import Dialect
from segue.data.read.rows import Rows
from segue.data.settings import EventSource
from segue.domain import columns

TENS: Final = 10.0 ** np.arange(16)
TYPE_CODE: Final = "type_code"  # of the event types' own words, until they are written
READERS: Final = 2  # threads that look for fields ahead of the one that gives out codes
PREFIXES: Final = {"user": "u:", "visitor": "v:", "item": "", "type": ""}


class Vocabularies:
    """The dictionaries of a lake in memory, for as long as one process gives out its codes, and that of event types."""

    def __init__(self, lake: Lake) -> None:
        people, items = Words(lake.people_coded), Words(lake.items_coded)
        self.words = {"user": people, "visitor": people, "item": items, "type": Words()}

    def coded(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events with ids as events with codes; types that are codes already as what they stand for."""
        if is_coded(events):
            return self._typed(events)
        found = {f"{name}_code": self._codes(name, events[name]) for name in PEOPLE_AND_ITEM if name in events.columns}
        return events.drop(PEOPLE_AND_ITEM, strict=False).with_columns(**found)

    def by_line(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events whose ids were made from their lines, as events by line."""
        coded = self.coded(events)
        lines = coded[columns.ID].str.slice(PREFIX + 1).cast(pl.Int64).alias(LINE)
        kinds = as_codes(self.words["type"].of(coded[columns.TYPE])).alias(TYPE_CODE)
        return coded.drop(columns.ID, columns.TYPE).with_columns(lines, kinds)

    def commit(self) -> None:
        """Make the codes that were given out the lake's."""
        self.words["user"].commit()
        self.words["item"].commit()

    def _typed(self, events: pl.DataFrame) -> pl.DataFrame:
        if TYPE_CODE not in events.columns:
            return events
        kinds = events[TYPE_CODE].cat.to(pl.Enum(self.words["type"].all()))
        return events.drop(TYPE_CODE).with_columns(kinds.alias(columns.TYPE))

    def _codes(self, name: str, ids: pl.Series) -> pl.Series:
        keys = ids.cast(pl.String) if name == columns.ITEM else person_keys(ids.cast(pl.String), name[0])
        return as_codes(self.words[name].of(keys))


def as_codes(codes: npt.NDArray[np.int32]) -> pl.Series:
    """Codes with null where there is none."""
    series = pl.Series(codes)
    return series.set(series == kernels.NOTHING, None) if (codes == kernels.NOTHING).any() else series


class Lane:
    """Reads the rows of one part as events with codes."""

    def __init__(self, source: EventSource, batch: str, order: int, now: datetime, words: Vocabularies) -> None:
        self._source, self._batch, self._order, self._now, self._words = source, batch, order, now, words
        self._dialect = Dialect.of(source.delimiter, source.quote)
        self._latest = int(((now + LATEST) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))

    def read(
        self, blocks: Iterable[bytes], encoding: str, wanted: Callable[[list[str]], list[str]]
    ) -> Iterator[Taken] | None:
        """What became of the lines of a UTF-8 text; None where its first block shows that it is not for kernels."""
        blocks = iter(blocks)
        first = next(blocks, b"")
        head = first[: first.rfind(b"\n", 0, files.BLOCK) + 1]
        if not head or self._has_quote(head) or b"\r" in head[: max(head.find(b"\n") - 1, 0)]:
            return None
        layout = layout_of(head, self._dialect, header=self._source.header, wanted=wanted)
        return None if layout is None else self._all(first, blocks, layout, encoding)

    def _all(self, first: bytes, blocks: Iterator[bytes], layout: Layout, encoding: str) -> Iterator[Taken]:
        """Fields are looked for in several texts at once; codes are given out in the order of lines."""
        with ThreadPoolExecutor(READERS) as pool:
            waiting: deque[Future[_Lines]] = deque()
            for text, line, rest in self._texts(first, blocks):
                if rest is None:
                    waiting.append(pool.submit(self._found, text, line, layout))
                while waiting and (rest is not None or len(waiting) > READERS):
                    yield self._block(waiting.popleft().result(), layout, encoding)
                if rest is not None:
                    yield from self._carefully(read_on(rest, self._dialect, layout, line, encoding))
            for found in waiting:
                yield self._block(found.result(), layout, encoding)

    def _texts(self, first: bytes, blocks: Iterator[bytes]) -> Iterator[tuple[bytes, int, Iterator[bytes] | None]]:
        """Whole lines and the number of the first; at last, from the first quote on, what is read with care."""
        start = _behind_header(first) if self._source.header else 0
        line, rest = 1 + first.count(b"\n", 0, start), b""
        for block in itertools.chain([first[start:]], blocks):
            rest += block
            text = rest[: rest.rfind(b"\n") + 1]
            if self._has_quote(rest) or (not text and len(rest) > LONGEST):
                yield b"", line, itertools.chain([rest], blocks)
                return
            if text:
                yield text, line, None
                line += text.count(b"\n")
                rest = rest[len(text) :]
        if rest:
            yield rest + b"\n", line, None

    def _has_quote(self, text: bytes) -> bool:
        return bool(self._dialect.quote) and self._dialect.quote in text

    def _carefully(self, chunks: Iterable[Rows]) -> Iterator[Taken]:
        for rows in chunks:
            converted = convert_events(rows, self._source, self._batch, self._order, self._now)
            frame = self._words.by_line(converted.frame)
            last = int(rows.lines[-1]) if len(rows) else 0
            yield Taken(Converted(frame, converted.broken), len(rows) + len(rows.broken), last)

    def _found(self, text: bytes, line: int, layout: Layout) -> _Lines:
        """What can be told of whole lines without quotes, whatever came before them."""
        source, found = self._source, _Lines.of(text, line, self._dialect, layout, self._source)
        if source.columns.time is not None:
            found.values[columns.TIME] = pl.Series(found.times(source, self._latest)).cast(MOMENT)
        for name in found.named & {"value", "quantity"}:
            found.values[name] = found.numbers(name)
        found.mark_incomplete()
        found.mark_odd_ids(self._words.words)
        return found

    def _block(self, found: _Lines, layout: Layout, encoding: str) -> Taken:
        """What became of them."""
        frame = self._plain(found)
        converted = Converted(frame, [])
        if found.odd.any():
            where = np.flatnonzero(found.odd)
            text = found.text.tobytes()
            cut = b"".join(text[start : end + 1] for start, end in found.spans[:, where].T.tolist())
            rows = rows_of_lines(cut, found.lines[where], self._dialect, layout, encoding)
            odd = next(self._carefully([rows])).converted
            converted = Converted(pl.concat([frame, odd.frame], how="diagonal"), odd.broken)
        return Taken(converted, len(found.lines), int(found.lines[-1]) if len(found.lines) else 0)

    def _plain(self, found: _Lines) -> pl.DataFrame:
        """The events of those lines that hold nothing odd; the others are marked."""
        source, columns_of = self._source, dict(found.values)
        for name in ("type", "item", "user", "visitor"):
            if name in found.named:
                columns_of[f"{name}_code"] = found.codes(name, self._words.words[name])
        columns_of[LINE] = pl.Series(found.lines)
        if source.order == "file":
            columns_of[columns.ORDER] = columns_of[LINE] + self._order
        frame = pl.DataFrame(columns_of).with_columns(pl.lit(self._now, dtype=MOMENT).alias(columns.RECEIVED))
        if source.columns.type is None:
            (kind,) = self._words.words["type"].of(pl.Series([source.type])).tolist()
            frame = frame.with_columns(pl.lit(kind, dtype=pl.Int32).alias(TYPE_CODE))
        return frame.filter(pl.Series(~found.odd)) if found.odd.any() else frame


@dataclass(frozen=True)
class _Lines:
    """The fields of lines, as `kernels.find_lines` finds them; `row` says which of them has which column.

    `lines` are their numbers in the file, `values` what the fields of a column are.
    """

    text: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    lines: npt.NDArray[np.int64]
    odd: npt.NDArray[np.bool_]
    spans: npt.NDArray[np.int32]
    row: dict[str, int]
    integer_ids: bool
    values: dict[str, pl.Series]

    @classmethod
    def of(cls, text: bytes, line: int, dialect: Dialect, layout: Layout, source: EventSource) -> _Lines:
        """Those of a text that ends in a line end and begins at a line; none of their values."""
        named = [name for name in KNOWN if getattr(source.columns, name) is not None]
        wanted = np.full(len(layout), -1, np.int64)
        for place, name in enumerate(named):
            wanted[layout.names.index(getattr(source.columns, name))] = place
        view, most = np.frombuffer(text, np.uint8), text.count(b"\n")
        starts, ends = np.zeros((2, len(named), most), np.int32)
        lines, odd, spans = np.empty(most, np.int32), np.zeros(most, np.bool_), np.empty((2, most), np.int32)
        count = kernels.find_lines(view, dialect.delimiter[0], wanted, starts, ends, lines, odd, spans)
        row = {name: place for place, name in enumerate(named)}
        numbered = lines[:count].astype(np.int64) + line
        return cls(view, starts, ends, numbered, odd[:count], spans[:, :count], row, source.ids == "integer", {})

    @property
    def named(self) -> set[str]:
        """The columns that there are, by Segue's names."""
        return set(self.row)

    def fields(self, name: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """int32[lines] twice: where the fields of a column start and end."""
        return self.starts[self.row[name], : len(self.lines)], self.ends[self.row[name], : len(self.lines)]

    def times(self, source: EventSource, latest: int) -> npt.NDArray[np.int64]:
        """Moments in microseconds, of lines that are not odd."""
        found = np.zeros(len(self.lines), np.int64)
        if source.time_format == "iso":
            kernels.iso_times(self.text, *self.fields("time"), source.timezone == "UTC", latest, found, self.odd)
        else:
            kernels.epoch_times(self.text, *self.fields("time"), *EPOCHS[source.time_format], latest, found, self.odd)
        return found

    def numbers(self, name: str) -> pl.Series:
        """Numbers, null where a field is empty."""
        digits, places = np.empty((2, len(self.lines)), np.int64)
        digits, places = digits.copy(), places.copy()
        kernels.numbers(self.text, *self.fields(name), digits, places, self.odd)
        values = pl.Series(digits / TENS[places])
        return values.set(pl.Series(digits < 0), None) if (digits < 0).any() else values

    def mark_incomplete(self) -> None:
        """Lines without what every event needs are odd."""
        empty = {name: np.equal(*self.fields(name)) for name in self.named & set(PREFIXES)}
        people = [empty[name] for name in ("user", "visitor") if name in empty]
        self.odd[:] |= np.logical_and.reduce(people)
        for name in {"item", "type"} & set(empty):
            self.odd[:] |= empty[name]

    def mark_odd_ids(self, words: Mapping[str, Words]) -> None:
        """Lines with a cell that is not plainly an id are odd."""
        for name in self.named & set(PREFIXES):
            if self.integer_ids:
                kernels.find_sign(self.text, *self.fields(name), ord("."), self.odd)
            words[name].mark_odd(self.text, *self.fields(name), self.odd, PREFIXES[name])

    def codes(self, name: str, words: Words) -> pl.Series:
        """Codes of ids, null where a field is empty or its line odd."""
        return as_codes(words.of_fields(self.text, *self.fields(name), self.odd, PREFIXES[name]))


def _behind_header(text: bytes) -> int:
    """Where the line behind the first that is not blank begins."""
    start = 0
    while True:
        end = text.find(b"\n", start)
        if end < 0 or text[start:end] not in (b"", b"\r"):
            return end + 1 if end >= 0 else len(text)
        start = end + 1


__all__ = ["Lane", "Vocabularies"]
