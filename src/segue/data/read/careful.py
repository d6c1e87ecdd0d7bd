"""Reads delimited text record by record, where stray or open quotes make the vectorised way unsafe."""

from __future__ import annotations

FAULTS = (
    "",
    "a quote opens here and is never closed",
    "text follows a closing quote",
)
FINE, UNCLOSED, TRAILING = range(3)

Found = tuple[list[int], list[int], list[int], list[int], int]


def careful_fields(text: bytes, start: int, delimiter: bytes, quote: bytes, *, final: bool) -> Found:
    """The whole records from `start` on: starts and ends of fields, first field of each record, faults, consumed.

    A record with a fault is one field: its text up to the end of the line in which the fault shows.
    """
    starts: list[int] = []
    ends: list[int] = []
    first, faults = [0], []
    position = start
    while position < len(text):
        record = _record(text, position, delimiter, quote, final=final)
        if record is None:
            break
        bounds, fault, position = record
        starts += bounds[0::2]
        ends += bounds[1::2]
        first.append(len(starts))
        faults.append(fault)
    return starts, ends, first, faults, min(position, len(text))


def _record(
    text: bytes, start: int, delimiter: bytes, quote: bytes, *, final: bool
) -> tuple[list[int], int, int] | None:
    """Bounds of one record's fields, its fault, and where the next one starts; None where the text ends before."""
    bounds: list[int] = []
    position = start
    while True:
        if text.startswith(quote, position):
            end = _closing(text, position, quote)
            if end < 0:
                return _faulty(text, start, start, UNCLOSED, final=True) if final else None
            stop = _separator_at(text, end, delimiter, final=final)
            if stop is None:
                return None
            if stop < 0:
                return _faulty(text, start, end, TRAILING, final=final)
        else:
            line = text.find(b"\n", position)
            if line < 0 and not final:
                return None
            stop = end = _next_separator(text, position, delimiter, line)
            if not text.startswith(delimiter, end) and end > position and text[end - 1 : end] == b"\r" and line == end:
                end -= 1
        bounds += (position, end)
        if text.startswith(delimiter, stop):
            position = stop + len(delimiter)
            continue
        return bounds, FINE, stop + 1


def _closing(text: bytes, start: int, quote: bytes) -> int:
    """Just behind the quote that closes the field that opens at `start`; -1 where there is none."""
    position = start + 1
    while True:
        position = text.find(quote, position)
        if position < 0:
            return -1
        if not text.startswith(quote, position + 1):
            return position + 1
        position += 2


def _separator_at(text: bytes, end: int, delimiter: bytes, *, final: bool) -> int | None:
    """Where the separator behind a quoted field is; -1 where other text follows, None where it is not there yet."""
    if text.startswith(delimiter, end) or text.startswith(b"\n", end):
        return end
    if text.startswith(b"\r\n", end):
        return end + 1
    if len(text) - end < max(2, len(delimiter)) and not final:
        return None
    return end if end == len(text) else -1


def _next_separator(text: bytes, start: int, delimiter: bytes, line: int) -> int:
    stop = line if line >= 0 else len(text)
    found = text.find(delimiter, start, stop)
    return found if found >= 0 else stop


def _faulty(text: bytes, start: int, seen: int, fault: int, *, final: bool) -> tuple[list[int], int, int] | None:
    """A record that cannot be parted: it goes to the end of the line in which the fault shows."""
    line = text.find(b"\n", seen)
    if line < 0 and not final:
        return None
    end = line if line >= 0 else len(text)
    return [start, end], fault, end + 1
