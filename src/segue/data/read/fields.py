"""Finds the fields of delimited text: vectorised where quotes are well-formed, record by record where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from segue.data.read.careful import FINE, careful_fields

Positions = npt.NDArray[np.int64]
WHITESPACE = r"\s+"
NEWLINE, RETURN, SPACE, TAB = 10, 13, 32, 9


@dataclass(frozen=True)
class Dialect:
    """How delimited text is parted. `quote` is empty where quotes mean nothing.

    A field is quoted where it *begins* with the quote; it then ends at a quote before a delimiter or a line end, and
    two quotes inside stand for one. Any other quote is a character like any other (RFC 4180, read strictly).
    """

    delimiter: bytes
    quote: bytes

    @classmethod
    def of(cls, delimiter: str, quote: str) -> Dialect:
        """The dialect of a declaration; runs of blanks know no quotes."""
        return cls(delimiter.encode(), b"" if delimiter == WHITESPACE else quote.encode())

    @property
    def runs(self) -> bool:
        """Whether any run of blanks and tabs parts two fields."""
        return self.delimiter == WHITESPACE.encode()


@dataclass(frozen=True)
class Fields:
    """The fields of consecutive records of one text: field `f` is `text[starts[f]:ends[f]]`, with its quotes.

    starts, ends  int64[fields]
    first         int64[records + 1]: the first field of each record
    faults        int8[records]: `FINE`, or a position in `read_careful.FAULTS`
    consumed      how far the records reach; the rest of the text is no whole record yet
    """

    starts: Positions
    ends: Positions
    first: Positions
    faults: npt.NDArray[np.int8]
    consumed: int

    def __len__(self) -> int:
        return len(self.first) - 1

    @cached_property
    def counts(self) -> Positions:
        """int64[records]: how many fields each record has."""
        return np.diff(self.first)

    @cached_property
    def spans(self) -> tuple[Positions, Positions]:
        """int64[records] twice: where the text of each record starts and ends (without its line end)."""
        return self.starts[self.first[:-1]], self.ends[self.first[1:] - 1]

    def upto(self, records: int, consumed: int) -> Fields:
        """The first `records` records."""
        fields = int(self.first[records])
        return Fields(
            self.starts[:fields], self.ends[:fields], self.first[: records + 1], self.faults[:records], consumed
        )

    def then(self, other: Fields) -> Fields:
        """These records and the ones that follow them in the same text."""
        return Fields(
            np.concatenate([self.starts, other.starts]),
            np.concatenate([self.ends, other.ends]),
            np.concatenate([self.first, other.first[1:] + self.first[-1]]),
            np.concatenate([self.faults, other.faults]),
            other.consumed,
        )


def find_fields(text: bytes, dialect: Dialect, *, final: bool) -> Fields:
    """All whole records of a text that begins at the start of a record.

    `final` says that no more text follows; such a text ends in a line end.
    """
    view = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(view == dialect.quote[0]) if dialect.quote else np.empty(0, np.int64)
    separators = _separators(text, view, dialect)
    fields = _assemble(view, separators.outside(quotes), _indent(view, dialect))
    if not len(quotes):
        return fields
    wrong = _ill_quoted(view, fields, quotes, dialect.quote[0])
    if wrong < len(fields):
        fields = fields.upto(wrong, int(fields.starts[fields.first[wrong]]))
    if text.find(b"\n", fields.consumed) < 0:
        return fields
    return fields.then(_careful(text, fields.consumed, dialect, final=final))


@dataclass(frozen=True)
class _Separators:
    """What parts fields, in order: `text[starts[i]:ends[i]]`, a line end where `is_line_end[i]`."""

    starts: Positions
    ends: Positions
    is_line_end: npt.NDArray[np.bool_]

    def outside(self, quotes: Positions) -> _Separators:
        """Those that have an even number of quotes before them."""
        if not len(quotes):
            return self
        keep = np.searchsorted(quotes, self.starts) % 2 == 0
        return _Separators(self.starts[keep], self.ends[keep], self.is_line_end[keep])


def _separators(text: bytes, view: npt.NDArray[np.uint8], dialect: Dialect) -> _Separators:
    if dialect.runs:
        return _blank_separators(view)
    if len(dialect.delimiter) == 1:
        starts = np.flatnonzero((view == dialect.delimiter[0]) | (view == NEWLINE))
        is_line_end = view[starts] == NEWLINE
        return _Separators(starts, starts + 1, is_line_end)
    delimiters, line_ends = _occurrences(text, dialect.delimiter), np.flatnonzero(view == NEWLINE)
    starts = np.concatenate([delimiters, line_ends])
    order = np.argsort(starts, kind="stable")
    widths = np.repeat([len(dialect.delimiter), 1], [len(delimiters), len(line_ends)])
    return _Separators(starts[order], (starts + widths)[order], (widths == 1)[order])


def _occurrences(text: bytes, delimiter: bytes) -> Positions:
    """Where a delimiter of several characters occurs, from the left, without overlaps."""
    view, width = np.frombuffer(text, np.uint8), len(delimiter)
    if len(view) < width:
        return np.empty(0, np.int64)
    match = np.ones(len(view) - width + 1, np.bool_)
    for place, sign in enumerate(delimiter):
        match &= view[place : len(view) - width + 1 + place] == sign
    found = np.flatnonzero(match)
    if (np.diff(found) >= width).all():
        return found
    kept, end = [], -1
    for start in found.tolist():
        if start >= end:
            kept.append(start)
            end = start + width
    return np.array(kept, np.int64)


def _blank_separators(view: npt.NDArray[np.uint8]) -> _Separators:
    """Runs of blanks; those at a line's start and end belong to the line end."""
    blank = (view == SPACE) | (view == TAB) | (view == RETURN)
    separator = np.concatenate([[False], blank | (view == NEWLINE), [False]])
    edges = np.flatnonzero(separator[1:] != separator[:-1])
    starts, ends = edges[::2], edges[1::2]
    line_ends = np.flatnonzero(view == NEWLINE)
    has_line_end = np.searchsorted(line_ends, ends) > np.searchsorted(line_ends, starts)
    leading = (starts == 0) & ~has_line_end  # blanks before the first field of the text part nothing
    return _Separators(starts[~leading], ends[~leading], has_line_end[~leading])


def _assemble(view: npt.NDArray[np.uint8], parts: _Separators, indent: int) -> Fields:
    last = np.flatnonzero(parts.is_line_end)
    used = int(last[-1]) + 1 if len(last) else 0
    ends, after = parts.starts[:used], parts.ends[:used]
    starts = np.concatenate([[indent], after[:-1]])[:used].astype(np.int64)
    first = np.concatenate([[0], last + 1]).astype(np.int64)
    ends = _without_return(view, starts, ends, last)
    consumed = int(after[-1]) if used else 0
    return Fields(np.minimum(starts, ends), ends, first, np.zeros(len(last), np.int8), consumed)


def _indent(view: npt.NDArray[np.uint8], dialect: Dialect) -> int:
    """Where the first field begins: behind the blanks that open the text, where runs of blanks part fields."""
    if not dialect.runs:
        return 0
    text = np.flatnonzero((view != SPACE) & (view != TAB) & (view != RETURN))
    return int(text[0]) if len(text) else 0


def _without_return(view: npt.NDArray[np.uint8], starts: Positions, ends: Positions, last: Positions) -> Positions:
    """The ends of fields, with the carriage return of a line end taken off."""
    ends = ends.copy()
    tail = ends[last]
    has_return = (tail > starts[last]) & (view[np.maximum(tail - 1, 0)] == RETURN) if len(last) else tail > 0
    ends[last] = tail - has_return
    return ends


def _ill_quoted(view: npt.NDArray[np.uint8], fields: Fields, quotes: Positions, quote: int) -> int:
    """The first record with a field whose quotes are not well-formed, or the number of records."""
    low, high = np.searchsorted(quotes, fields.starts), np.searchsorted(quotes, fields.ends)
    quoted = np.flatnonzero(high > low)
    starts, ends, low, count = fields.starts[quoted], fields.ends[quoted], low[quoted], (high - low)[quoted]
    wrong = (view[starts] != quote) | (view[ends - 1] != quote) | (count % 2 == 1)
    rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    index = np.repeat(low, count) + rank
    inner = (rank % 2 == 1) & (rank < np.repeat(count, count) - 1)
    gaps = quotes[np.minimum(index + 1, len(quotes) - 1)] - quotes[index]
    lonely = np.repeat(np.arange(len(quoted)), count)[inner & (gaps != 1)]
    wrong[lonely] = True
    if not wrong.any():
        return len(fields)
    return int(np.searchsorted(fields.first, quoted[np.argmax(wrong)], side="right")) - 1


def _careful(text: bytes, start: int, dialect: Dialect, *, final: bool) -> Fields:
    starts, ends, first, faults, consumed = careful_fields(text, start, dialect.delimiter, dialect.quote, final=final)
    return Fields(
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        np.array(first, np.int64),
        np.array(faults, np.int8),
        consumed,
    )


__all__ = ["FINE", "WHITESPACE", "Dialect", "Fields", "find_fields"]
