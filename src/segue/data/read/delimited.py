"""Reads delimited text as columns: every cell exactly as it stands in the file, or its row among the broken ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from segue.data.read.careful import FAULTS
from segue.data.read.fields import Dialect, Fields, Positions, find_fields
from segue.data.read.rows import Broken, Rows
from segue.data.read.text import readable
from segue.domain.errors import ReadError

LONGEST = 32 << 20  # bytes of one record; a quote that stays open for longer is taken as never closed


def read_delimited(
    blocks: Iterable[bytes], dialect: Dialect, *, header: bool, encoding: str, wanted: Callable[[list[str]], list[str]]
) -> Iterator[Rows]:
    """Rows of UTF-8 text, block by block.

    `wanted` is given the names of the columns and answers which of them are needed. `encoding` is only named in
    reasons. Without a header columns are called column_1, column_2, ...
    """
    return _rows(_line_ends(blocks), dialect, None, 1, header=header, encoding=encoding, wanted=wanted)


def read_on(blocks: Iterable[bytes], dialect: Dialect, layout: Layout, line: int, encoding: str) -> Iterator[Rows]:
    """Rows of the rest of a text, which begins in this line; its columns are known."""
    return _rows(blocks, dialect, layout, line, header=False, encoding=encoding, wanted=lambda names: names)


def rows_of_lines(text: bytes, lines: Positions, dialect: Dialect, layout: Layout, encoding: str) -> Rows:
    """Rows of lines that stood elsewhere, at `lines` (int64, from 1); none is blank, and no quote opens in one."""
    stretch = _Stretch(text, find_fields(text, dialect, final=True), 1, dialect)
    rows = stretch.rows(stretch.not_blank(), layout, encoding)
    broken = [row._replace(line=int(lines[row.line - 1])) for row in rows.broken]
    return Rows(rows.frame, lines[rows.lines - 1], rows.raw, broken)


def layout_of(
    text: bytes, dialect: Dialect, *, header: bool, wanted: Callable[[list[str]], list[str]]
) -> Layout | None:
    """The columns that the first of these whole records name, or that most of them have; None where all are blank."""
    stretch = _Stretch(text, find_fields(text, dialect, final=True), 1, dialect)
    kept = stretch.not_blank()
    return _layout(stretch, kept, header=header, wanted=wanted)[0] if len(kept) else None


def _rows(
    blocks: Iterable[bytes],
    dialect: Dialect,
    layout: Layout | None,
    line: int,
    *,
    header: bool,
    encoding: str,
    wanted: Callable[[list[str]], list[str]],
) -> Iterator[Rows]:
    for text, fields in _records(blocks, dialect):
        stretch = _Stretch(text, fields, line, dialect)
        line += text.count(b"\n")
        kept = stretch.not_blank()
        if layout is None and len(kept):
            layout, kept = _layout(stretch, kept, header=header, wanted=wanted)
        if layout is not None:
            yield stretch.rows(kept, layout, encoding)


@dataclass(frozen=True)
class Layout:
    """The columns that every record has to have, and which of them are needed."""

    names: list[str]
    needed: list[str]

    def __len__(self) -> int:
        return len(self.names)


def _layout(
    stretch: _Stretch, kept: Positions, *, header: bool, wanted: Callable[[list[str]], list[str]]
) -> tuple[Layout, Positions]:
    if header:
        names = unique_names(stretch.cells(int(kept[0])))
        return Layout(names, wanted(names)), kept[1:]
    usual = Counter(stretch.fields.counts[kept].tolist()).most_common(1)[0][0]
    names = [f"column_{place + 1}" for place in range(usual)]
    return Layout(names, wanted(names)), kept


def unique_names(names: list[str]) -> list[str]:
    """Names of columns: one that is empty is called by its place, one that comes again gets its count.

    >>> unique_names(["a", "", "a"])
    ['a', 'column_2', 'a (2)']
    """
    seen: Counter[str] = Counter()
    unique = []
    for place, name in enumerate(names):
        called = name.strip() or f"column_{place + 1}"
        seen[called] += 1
        unique.append(called if seen[called] == 1 else f"{called} ({seen[called]})")
    return unique


def _records(blocks: Iterable[bytes], dialect: Dialect) -> Iterator[tuple[bytes, Fields]]:
    """Stretches of text that hold whole records, and the fields in them."""
    rest = b""
    for block in blocks:
        rest += block
        fields = find_fields(rest, dialect, final=False)
        text = rest[: fields.consumed]
        if not text and len(rest) > LONGEST:
            text = _first_line(rest)  # a quote is open in it; what follows may be sound
            fields = find_fields(text, dialect, final=True)
        if text:
            yield text, fields
            rest = rest[len(text) :]
    if rest:
        rest = rest if rest.endswith(b"\n") else rest + b"\n"
        yield rest, find_fields(rest, dialect, final=True)


def _first_line(text: bytes) -> bytes:
    end = text.find(b"\n") + 1
    if not end:
        raise ReadError(
            f"a line is longer than {LONGEST >> 20} MB",
            mend="is this a text file? see format and encoding in segue.toml",
        )
    return text[:end]


def _line_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text; where carriage returns are met before any line feed, they are the line ends and become those."""
    old_mac: bool | None = None
    held = b""
    for part in blocks:
        block, held = held + part, b""
        if old_mac is None:
            old_mac = _is_old_mac(block)
        if old_mac is None and block.endswith(b"\r"):
            held = block  # what follows tells
            continue
        yield block.replace(b"\r", b"\n") if old_mac else block
    yield held.replace(b"\r", b"\n")


def _is_old_mac(block: bytes) -> bool | None:
    """Whether lines end in a carriage return alone; None where the text does not tell yet."""
    if b"\n" in block:
        return False
    return True if b"\r" in block[:-1] else None


class _Stretch:
    """One text with whole records: tells the good ones from the others and makes columns of them."""

    def __init__(self, text: bytes, fields: Fields, line: int, dialect: Dialect) -> None:
        self.text = text
        self.fields = fields
        self.dialect = dialect
        self._view = np.frombuffer(text, np.uint8)
        self._line_ends = np.flatnonzero(self._view == 10)
        self._first_line = line

    def not_blank(self) -> Positions:
        """Positions of the records that are more than an empty line."""
        starts, ends = self.fields.spans
        return np.flatnonzero((self.fields.counts > 1) | (ends > starts))

    def cells(self, record: int) -> list[str]:
        """The cells of one record as text."""
        low, high = self.fields.first[record], self.fields.first[record + 1]
        return [
            readable(self._bare(self.text[start:end]))
            for start, end in zip(
                self.fields.starts[low:high].tolist(), self.fields.ends[low:high].tolist(), strict=True
            )
        ]

    def rows(self, records: Positions, layout: Layout, encoding: str) -> Rows:
        """The records as columns, and those that do not fit as broken."""
        good = (self.fields.counts[records] == len(layout)) & (self.fields.faults[records] == 0)
        broken = [self._misfit(record, len(layout)) for record in records[~good].tolist()]
        records = records[good]
        swallowed = self._swallowed(records, len(layout))
        if swallowed:
            broken += [line for record in swallowed for line in self._lines_of(record)]
            records = records[~np.isin(records, swallowed)]
        columns, undecodable = self._columns(records, layout)
        if undecodable:
            broken += [self._undecodable(int(records[row]), column, encoding) for row, column in undecodable.items()]
            keep = np.ones(len(records), np.bool_)
            keep[list(undecodable)] = False
            records = records[keep]
            columns = {name: column.filter(pa.array(keep)) for name, column in columns.items()}
        frame = pl.DataFrame({name: pl.from_arrow(column.cast(pa.string())) for name, column in columns.items()})
        return Rows(frame, self._lines(records), lambda rows: [self._raw(int(records[row])) for row in rows], broken)

    def _columns(self, records: Positions, layout: Layout) -> tuple[dict[str, pa.Array], dict[int, str]]:
        """Binary columns, and for each row that is no UTF-8 the first column that is not."""
        index = self.fields.first[:-1][records][:, None] + np.arange(len(layout))
        starts, ends = self.fields.starts[index], self.fields.ends[index]
        starts, ends, quoted = self._unquoted(starts, ends)
        cells = _interleaved(self.text, starts, ends)
        columns: dict[str, pa.Array] = {}
        undecodable: dict[int, str] = {}
        for name in layout.needed:
            place = layout.names.index(name)
            column = cells.take(pa.array((np.arange(len(records)) * len(layout) + place) * 2))
            if quoted[:, place].any():
                column = self._undoubled(column, quoted[:, place])
            for row in _not_utf8(column):
                undecodable.setdefault(row, name)
            columns[name] = column
        return columns, undecodable

    def _unquoted(self, starts: Positions, ends: Positions) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
        """Bounds without the quotes around a field, and which fields had them."""
        if not self.dialect.quote or self.dialect.quote not in self.text:
            return starts, ends, np.zeros(starts.shape, np.bool_)
        quoted = (ends > starts) & (self._view[np.minimum(starts, len(self._view) - 1)] == self.dialect.quote[0])
        return starts + quoted, ends - quoted, quoted

    def _undoubled(self, column: pa.Array, quoted: npt.NDArray[np.bool_]) -> pa.Array:
        quote = self.dialect.quote
        single = pc.replace_substring(column, quote + quote, quote)
        return pc.if_else(pa.array(quoted), single, column)

    def _bare(self, cell: bytes) -> bytes:
        quote = self.dialect.quote
        return cell[1:-1].replace(quote + quote, quote) if quote and cell.startswith(quote) else cell

    def _swallowed(self, records: Positions, columns: int) -> list[int]:
        """Records over several lines, each of which reads as a row of its own: an open quote that met a later one."""
        if columns == 1 or not self.dialect.quote:
            return []
        starts, ends = self.fields.spans
        lines = np.searchsorted(self._line_ends, ends[records]) - np.searchsorted(self._line_ends, starts[records])
        return [record for record in records[lines > 0].tolist() if self._all_row_like(record, columns)]

    def _all_row_like(self, record: int, columns: int) -> bool:
        lines = self._text_of(record).split(b"\n")
        cells = [line.split(self.dialect.delimiter) for line in lines]
        return all(len(row) == columns and row[0] and not any(cell[:1] == b" " for cell in row) for row in cells)

    def _lines_of(self, record: int) -> Iterator[Broken]:
        first = int(self._lines(np.array([record]))[0])
        lines = self._text_of(record).split(b"\n")
        reason = f"a quote opens in line {first} and closes in line {first + len(lines) - 1}, around what reads as rows"
        for place, line in enumerate(lines):
            yield Broken(first + place, reason, None, readable(line))

    def _misfit(self, record: int, columns: int) -> Broken:
        found, fault = int(self.fields.counts[record]), FAULTS[self.fields.faults[record]]
        reason = fault or f"{columns} columns were expected, {found} found"
        return Broken(int(self._lines(np.array([record]))[0]), reason, None, self._raw(record))

    def _undecodable(self, record: int, column: str, encoding: str) -> Broken:
        return Broken(int(self._lines(np.array([record]))[0]), f"not {encoding}", column, self._raw(record))

    def _lines(self, records: Positions) -> Positions:
        starts = self.fields.spans[0][records]
        return (np.searchsorted(self._line_ends, starts) + self._first_line).astype(np.int64)

    def _text_of(self, record: int) -> bytes:
        starts, ends = self.fields.spans
        return self.text[starts[record] : ends[record]]

    def _raw(self, record: int) -> str:
        return readable(self._text_of(record))


def _interleaved(text: bytes, starts: Positions, ends: Positions) -> pa.Array:
    """Binary array over the text itself, nothing copied: fields at even positions, what is between at odd ones."""
    if not starts.size:
        return pa.array([], pa.binary())
    offsets = np.empty(2 * starts.size + 1, np.int32)
    offsets[0:-1:2] = starts.ravel()
    offsets[1::2] = ends.ravel()
    offsets[-1] = offsets[-2]
    return pa.Array.from_buffers(pa.binary(), 2 * starts.size, [None, pa.py_buffer(offsets), pa.py_buffer(text)])


def _not_utf8(column: pa.Array) -> list[int]:
    """The rows whose bytes are no UTF-8."""
    try:
        column.cast(pa.string())
    except pa.ArrowInvalid:
        return [row for row, value in enumerate(column.to_pylist()) if not _decodes(value)]
    return []


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


__all__ = ["LONGEST", "Layout", "layout_of", "read_delimited", "read_on", "rows_of_lines", "unique_names"]
