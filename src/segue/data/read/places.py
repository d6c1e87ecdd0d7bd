"""Finds the bytes of refused rows in the file that they came from, exactly as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.read.again import width_of
from segue.data.read.files import Part, parts
from segue.data.read.read import Kind, part_format
from segue.data.read.rows import Broken
from segue.data.read.text import RAW_KEPT, bom, codec, readable
from segue.data.settings import FileSource

LONGEST = 64 << 20  # bytes that are looked through for the end of one row
_CUT = re.compile(r"… \(([\d,]+) bytes in all\)\Z")


class Place(NamedTuple):
    """Where a row stands in its file, unpacked: its first 64 KB, and offset and length to get all of it back.

    Where the bytes cannot be found (a row of a Parquet file, or one that a map made), they are those of its text, and
    there is no offset. `header` is the file's first line where it names the columns; where none does, `width` is how
    many cells its rows have. `format` is how the file was read.
    """

    content: bytes
    offset: int | None
    length: int
    header: bytes | None
    format: str
    width: int | None


PLACES = pl.Schema(
    {
        "bytes": pl.Binary,
        "offset": pl.Int64,
        "length": pl.Int64,
        "header": pl.Binary,
        "format": pl.String,
        "width": pl.Int64,
    }
)


class Places:
    """The rows of one part by their lines; the part is gone through once more, as far as the last of them.

    A member of an archive can only be gone through when it has been read to its end: before that nothing is found.
    """

    def __init__(self, part: Part, source: FileSource) -> None:
        self._part, self._source = part, source
        self._lines: _Lines | None = None
        self._header: bytes | None = None
        self._width: int | None = None
        self._kind: Kind = part_format(part, source)
        self._text = True

    def of(self, broken: Sequence[Broken], *, at_end: bool) -> list[Place]:
        """The place of each of these rows; calls go forward through the part."""
        if not broken:
            return []
        if self._lines is None and self._text and (at_end or self._reopened() is not None):
            self._open()
        order = sorted(range(len(broken)), key=lambda number: broken[number].line)
        found = {number: self._place(broken[number]) for number in order}
        return [found[number] for number in range(len(broken))]

    def _open(self) -> None:
        part = self._reopened() or self._part
        self._text = self._kind in ("csv", "jsonl")
        if not self._text:
            return
        named = bom(part.head(4))[1] or self._source.encoding
        self._lines = _Lines(part.blocks(), codec(named, part.name))
        if self._kind == "csv" and self._source.header:
            self._header = self._lines.first_filled()
        elif self._kind == "csv":
            self._width = width_of(part, self._source)

    def _reopened(self) -> Part | None:
        """The part again, with a stream of its own; None for a member of an archive."""
        if not self._part.path.is_file():
            return None
        again = next(parts(self._part.path, self._part.name), None)
        return again if again is not None and again.name == self._part.name else None

    def _place(self, row: Broken) -> Place:
        text = row.raw.encode()
        cut = _CUT.search(row.raw)
        length = int(cut[1].replace(",", "")) if cut else len(text)
        plain = self._at(text[:RAW_KEPT], None, length)
        if self._lines is None:
            return plain
        found = self._lines.record(row.line, row.raw.count("\n") + 1)
        if found is None:
            return plain
        offset, content = found
        kept = content[:RAW_KEPT]
        if not cut and self._read(content) != row.raw:
            return plain
        return self._at(kept, offset, length if cut else len(content))

    def _at(self, kept: bytes, offset: int | None, length: int) -> Place:
        return Place(kept, offset, length, self._header, self._kind, self._width)

    def _read(self, content: bytes) -> str:
        assert self._lines is not None
        if self._lines.encoding == "utf-8":
            return readable(content)
        text = content.decode(self._lines.encoding, "segue-visible")
        return readable(text.encode("utf-8", "surrogatepass"))


class _Lines:
    """The lines of a text in whatever encoding, found going forward."""

    def __init__(self, blocks: Iterator[bytes], encoding: str) -> None:
        self._blocks, self.encoding = blocks, encoding
        self._text = next(blocks, b"")
        self._mark = len(bom(self._text)[0])
        self._old_mac = b"\n" not in self._text and b"\r" in self._text[:-1]
        self._line, self._offset = 1, 0  # of the text's first byte
        self._ends = self._line_ends()

    def first_filled(self) -> bytes | None:
        """The first line that holds more than blanks, as the file's header does."""
        for line in range(1, len(self._ends) + 2):
            found = self.record(line, 1)
            if found is not None and found[1].strip(b"\0 \t"):
                return self._text[: self._mark] + found[1]  # the mark says the encoding of what follows
        return None

    def record(self, line: int, lines: int) -> tuple[int, bytes] | None:
        """Offset and bytes of consecutive lines, without the end of the last; None where they are not there."""
        if line < self._line:
            return None
        while line - self._line > len(self._ends) - 1 and self._forward():
            pass
        while line + lines - self._line > len(self._ends) and len(self._text) < LONGEST and self._more():
            pass
        place = line - self._line
        if place > len(self._ends):
            return None
        start = int(self._ends[place - 1]) if place else 0
        start += self._mark if line == 1 else 0
        last = place + lines - 1
        end = int(self._ends[last]) if last < len(self._ends) else len(self._text)
        return self._offset + start, self._without_end(self._text[start:end])

    def _forward(self) -> bool:
        """Let go of whole lines that were passed."""
        if len(self._ends):
            passed = int(self._ends[-1])
            self._text, self._line = self._text[passed:], self._line + len(self._ends)
            self._offset += passed
            self._ends = self._ends[:0]
        return self._more()

    def _more(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        self._text += block
        self._ends = self._line_ends()
        return True

    def _line_ends(self) -> npt.NDArray[np.int64]:
        """int64: where the next line begins."""
        if self.encoding.startswith("utf-16"):
            units = np.frombuffer(
                self._text[: len(self._text) // 2 * 2], "<u2" if self.encoding.endswith("le") else ">u2"
            )
            return (np.flatnonzero(units == 10) + 1) * 2
        sign = 13 if self._old_mac else 10
        return np.flatnonzero(np.frombuffer(self._text, np.uint8) == sign) + 1

    def _without_end(self, text: bytes) -> bytes:
        for sign in ("\n", "\r"):
            encoded = sign.encode(self.encoding)
            if text.endswith(encoded):
                text = text[: -len(encoded)]
        return text


__all__ = ["PLACES", "Place", "Places"]
