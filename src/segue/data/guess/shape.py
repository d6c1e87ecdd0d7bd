"""Guesses the shape of a file: its format, encoding, delimiter, quotes and whether it has a header."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import polars as pl

from segue.data.guess.names import is_known
from segue.data.guess.times import guess_time
from segue.data.guess.told import NAMING
from segue.data.read.arrow import is_arrow
from segue.data.read.fields import WHITESPACE, Dialect, find_fields
from segue.data.read.files import Part, inner_suffix
from segue.data.read.read import SUFFIXES, Kind, looks_like_array, looks_like_json
from segue.data.read.text import bom, utf8_blocks
from segue.domain.errors import ReadError

SAMPLE = 4 << 20  # bytes of text that delimiter, quotes and header are told from
SCANNED = 64 << 20  # bytes that the encoding is told from
_DELIMITERS = ("\t", "::", ",", ";", "|", "\x01", "^", "~", " ", WHITESPACE)
_NAMES = {"\t": "tab", " ": "blank", WHITESPACE: "runs of blanks", "\x01": "ctrl-A"}


@dataclass
class Shape:
    """What a file looks like, why, and what could be otherwise."""

    format: Kind = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    reasons: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def guess_shape(part: Part, delimiter: str | None = None, told: Collection[str] = ()) -> Shape:
    """The shape of one part; a `ReadError` where it is empty, or no text. `told` are columns that it surely has."""
    head = part.head(SAMPLE)
    if not head.strip():
        raise _empty(part)
    if part.holder != "file":
        kind: Kind = "arrow" if is_arrow(head) else "json"
        return Shape(kind, reasons=[f"format: none is needed, the {part.holder} says its own columns and types"])
    if head[:4] == b"PAR1":
        return Shape("parquet", reasons=["format: Parquet, which says its own columns and types"])
    if is_arrow(head):
        return Shape("arrow", reasons=["format: Arrow, which says its own columns and types"])
    if _binary(head[:4096]):
        raise ReadError(
            "this is no table: it holds bytes that are no text, as pictures and programs do",
            where=part.name,
            mend=f"name a file of text or Parquet, and its columns where they are not guessed: {NAMING}",
        )
    shape = Shape()
    _guess_encoding(part, shape)
    text = b"".join(utf8_blocks([head], shape.encoding, part.name))
    if not text.strip():
        raise _empty(part)
    named = SUFFIXES.get(inner_suffix(part.name))
    if looks_like_json(head):
        shape.format = "jsonl"
        shape.reasons.append("format: JSON lines, the file begins with an object")
        return shape
    if looks_like_array(head) and named in (None, "jsonl"):
        shape.format = "json"
        shape.reasons.append("format: a JSON array, the file begins with [ and an object")
        return shape
    text = _whole_lines(text, whole=len(head) < SAMPLE)
    _guess_delimiter(text, shape, delimiter)
    _guess_quote(text, shape)
    _guess_header(text, shape, told)
    return shape


def _empty(part: Part) -> ReadError:
    return ReadError("the file is empty", where=part.name, mend="name a file that has rows, or a header at least")


def _binary(head: bytes) -> bool:
    """Whether many of the bytes are controls, which no text has, in an encoding of one byte or of two."""
    if bom(head)[1] is not None or _wide(head):
        return False
    view = np.frombuffer(head, np.uint8)
    controls = ((view < 32) & ~np.isin(view, _IN_TEXT)).sum()
    return bool(controls > 4 and controls > 0.03 * len(view))


_IN_TEXT = (1, 9, 10, 11, 12, 13, 26, 27)


def _guess_encoding(part: Part, shape: Shape) -> None:
    _, marked = bom(part.head(4))
    if marked is not None:
        shape.encoding = "utf-8" if marked == "utf-8" else marked
        shape.reasons.append(f"encoding: {shape.encoding}, the file begins with its byte order mark")
        return
    if wide := _wide(part.head(4096)):
        shape.encoding = wide
        shape.reasons.append(f"encoding: {wide}, every other byte is zero")
        return
    seen = _scan(part)
    if not seen.bad:
        shape.reasons.append("encoding: utf-8, " + ("all of the text is" if seen.good else "the text is plain ASCII"))
    elif seen.good > seen.bad or seen.texts < seen.bad / 2:
        shape.reasons.append("encoding: utf-8, what is not does not look like text in an older encoding")
        shape.doubts.append(f"{seen.bad} lines are not utf-8 ({seen.good} beyond ASCII are): they will be quarantined")
    else:
        shape.encoding = "cp1252" if seen.high and not seen.high & _UNDEFINED_1252 else "latin-1"
        shape.reasons.append(f"encoding: {shape.encoding}, {seen.bad} lines are not utf-8")
        shape.doubts.append(f"encodings of one byte a letter look alike: are the titles right in {shape.encoding}?")


_UNDEFINED_1252 = frozenset((0x81, 0x8D, 0x8F, 0x90, 0x9D))


def _wide(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: the zero bytes of plain letters lie on one side."""
    view = np.frombuffer(head[: len(head) // 2 * 2], np.uint8)
    if len(view) < 4:
        return None
    even, odd = float((view[0::2] == 0).mean()), float((view[1::2] == 0).mean())
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 and odd < 0.1 else None


@dataclass
class _Seen:
    """Lines beyond ASCII: those that are UTF-8 and those that are not, of which `texts` look like words.

    `high` are the bytes 0x80 to 0x9F in the latter: letters in cp1252, nothing in latin-1.
    """

    good: int = 0
    bad: int = 0
    texts: int = 0
    high: set[int] = field(default_factory=set)

    def add(self, line: bytes) -> None:
        """Count one line."""
        if line.isascii():
            return
        if _is_utf8(line):
            self.good += 1
            return
        self.bad += 1
        self.texts += _NO_TEXT.search(line) is None
        self.high.update(byte for byte in line if 0x80 <= byte <= 0x9F)


_NO_TEXT = re.compile(rb"\xff|[0-9][\x80-\xff]|[\x80-\xff][0-9]")  # a letter does not stand beside a digit in a word


def _scan(part: Part) -> _Seen:
    seen, read, rest = _Seen(), 0, b""
    for block in part.blocks():
        read += len(block)
        if block.isascii() and rest.isascii():
            rest = block[block.rfind(b"\n") + 1 :]
            continue
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            seen.add(line)
        if read > SCANNED:
            return seen
    seen.add(rest)
    return seen


def _is_utf8(line: bytes) -> bool:
    try:
        codecs.decode(line, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _whole_lines(text: bytes, *, whole: bool) -> bytes:
    if b"\n" not in text and b"\r" in text:
        text = text.replace(b"\r", b"\n")
    if whole:
        return text if text.endswith(b"\n") else text + b"\n"
    return text[: text.rfind(b"\n") + 1]


def _guess_delimiter(text: bytes, shape: Shape, told: str | None) -> None:
    """The delimiter that gives most rows the same number of columns."""
    if told:
        shape.delimiter = told
        share, columns = max(_regularity(text[: 1 << 20], told, quote) for quote in ('"', ""))
        given = f"it gives {share:.0%} of the rows {columns} columns"
        shape.reasons.append(f"delimiter: {_named(told)}, as you said; {given}")
        return
    scores: dict[str, tuple[float, int]] = {}
    for delimiter in _DELIMITERS:
        scores[delimiter] = max(_regularity(text[: 1 << 20], delimiter, quote) for quote in ('"', ""))
    useful = {delimiter: score for delimiter, score in scores.items() if score[1] > 1}
    if not useful:
        shape.doubts.append("no delimiter was found: the file has one column")
        return
    best = max(useful, key=lambda delimiter: round(useful[delimiter][0], 2))
    share, columns = useful[best]
    shape.delimiter = best
    shape.reasons.append(f"delimiter: {_named(best)}, it gives {share:.0%} of the rows {columns} columns")
    rivals = [other for other, score in useful.items() if other != best and round(score[0], 2) == round(share, 2)]
    rivals = [other for other in rivals if other not in (" ", WHITESPACE) or best not in ("\t", " ", WHITESPACE)]
    if rivals:
        shape.doubts.append(f"the delimiter could also be {' or '.join(map(_named, rivals))}")


def _named(delimiter: str) -> str:
    return _NAMES.get(delimiter, f"'{delimiter}'")


def _regularity(text: bytes, delimiter: str, quote: str) -> tuple[float, int]:
    """The share of rows that have the usual number of columns, and that number."""
    text = text[: text.rfind(b"\n") + 1] or text
    counts = _counts(text, delimiter, quote)
    if not len(counts):
        return 0.0, 0
    values, frequency = np.unique(counts, return_counts=True)
    usual = int(values[np.argmax(frequency)])
    share = float(frequency.max() / len(counts))
    return (share if counts[0] == usual else share * 0.5), usual


def _counts(text: bytes, delimiter: str, quote: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    fields = find_fields(text, Dialect.of(delimiter, quote), final=True)
    starts, ends = fields.spans
    filled = (fields.counts > 1) | (ends > starts)
    counts: np.ndarray[tuple[int], np.dtype[np.int64]] = np.where(fields.faults > 0, -1, fields.counts)[filled]
    return counts


def _guess_quote(text: bytes, shape: Shape) -> None:
    """Whether quotes mean something: not where they leave more rows that cannot be read than plain reading does."""
    if b'"' not in text or shape.delimiter == WHITESPACE:
        return
    quoted, bare = (_misfits(text, shape.delimiter, quote) for quote in ('"', ""))
    if quoted > bare:
        shape.quote = ""
        shape.reasons.append(f'quote: none, a " closes nothing in {quoted} of the rows, as in titles')


def _misfits(text: bytes, delimiter: str, quote: str) -> int:
    counts = _counts(text, delimiter, quote)
    values, frequency = np.unique(counts[counts > 0], return_counts=True)
    return int((counts != values[np.argmax(frequency)]).sum()) if len(values) else len(counts)


def _guess_header(text: bytes, shape: Shape, told: Collection[str]) -> None:
    rows = _first_rows(text, shape)
    first, rest = rows[0], rows[1:]
    if said := [cell for cell in first if cell in told]:
        shape.reasons.append(f"header: yes, the first line names {_listed(said)}, as you said")
        return
    known = [cell for cell in first if is_known(cell)]
    numbers = [cell for cell in first if _is_number(cell)]
    if known and not numbers:
        shape.reasons.append(f"header: yes, the first line names {_listed(first)}")
        return
    if not rest:
        shape.doubts.append("the file has one line: it is taken for a header")
        return
    typed = [place for place in range(len(first)) if _typed_column([row[place] for row in rest if place < len(row)])]
    unlike = [first[place] for place in typed if not _typed_cell(first[place])]
    if unlike and len(numbers) <= len(first) // 2:
        shape.reasons.append(f"header: yes, {_listed(unlike)} is no number or time like what is below it")
        return
    if typed or numbers:
        shape.header = False
        shape.reasons.append(f"header: none, the first line ({_listed(first)}) looks like all others")
        return
    names = all(cell.isidentifier() for cell in first) and not any(first == row for row in rest)
    shape.header = names
    shape.doubts.append(f"header: {'yes' if names else 'none'}, but all columns are text and it could be otherwise")


def _first_rows(text: bytes, shape: Shape, rows: int = 200) -> list[list[str]]:
    dialect = Dialect.of(shape.delimiter, shape.quote)
    head = b"\n".join(text.split(b"\n", rows + 1)[: rows + 1]) + b"\n"
    fields = find_fields(head, dialect, final=True)
    quote = shape.quote
    cells = [head[start:end].decode("utf-8", "replace") for start, end in zip(fields.starts, fields.ends, strict=True)]
    bare = [cell.strip(quote) if quote and cell.startswith(quote) else cell for cell in cells]
    bounds = fields.first.tolist()
    found = [bare[low:high] for low, high in pairwise(bounds)]
    return [row for row in found if row != [""]]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() not in ("nan", "inf", "infinity")


def _typed_cell(cell: str) -> bool:
    return _is_number(cell) or guess_time(pl.Series([cell])) is not None


def _typed_column(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    if not filled:
        return False
    return sum(map(_is_number, filled)) >= 0.9 * len(filled) or guess_time(pl.Series(filled)) is not None


def _listed(cells: list[str]) -> str:
    shown = ", ".join(cell[:30] for cell in cells[:6])
    return shown + (f" and {len(cells) - 6:,} more" if len(cells) > 6 else "")
