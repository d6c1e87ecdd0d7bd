"""Reads tiny files that are alike as one text, and knows which file and which line of it each row is."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from segue.data.maps.registry import table_map
from segue.data.read.fields import Dialect, Positions
from segue.data.read.files import Location, Part, is_archive
from segue.data.read.part import BLOCK, GZIP, ZIP, ZSTD
from segue.data.read.read import Kind, mapped, part_format, read_part, refuse_lacking
from segue.data.read.rows import Broken, Rows
from segue.data.read.text import bom, codec
from segue.data.settings import FileSource
from segue.domain.errors import ReadError

TINY = 64 << 10  # bytes of a file below which what is done for each file costs more than its rows
TEXT = BLOCK  # bytes that are read as one text
FILES = 1_000  # in it


@dataclass(frozen=True)
class Tiny:
    """A tiny text file, whole in memory. `body` are its lines behind the `header` (which JSON lines do not have)."""

    part: Part
    kind: Kind
    header: bytes
    body: bytes


def can_join(source: FileSource) -> bool:
    """Whether files that are read so may be joined: rows are of single lines, which say all by themselves."""
    dialect = Dialect.of(source.delimiter, source.quote)
    plain = not dialect.runs and len(dialect.delimiter) == 1 and dialect.delimiter not in b"\r\n"
    return (
        table_map(source) is None
        and source.header
        and plain
        and source.format in ("auto", "csv", "jsonl")
        and codec(source.encoding, "") == "utf-8"
    )


def tiny(path: Location, name: str, source: FileSource) -> Tiny | None:
    """The file at a path where it is tiny and can be joined with others; None where it is to be read by itself."""
    if not isinstance(path, Path) or (content := _whole(path)) is None:
        return None
    if not _is_text(content) or is_archive(path, content[:512]):
        return None
    digest = blake2b(content, digest_size=16).hexdigest()
    part = Part(name, path, lambda: io.BytesIO(content), content=digest)
    kind = part_format(part, source)
    ended = content if content.endswith(b"\n") else content + b"\n"
    if kind == "jsonl":
        return Tiny(part, kind, b"", ended)
    if kind != "csv" or not _is_sound(content, source):
        return None
    header = ended[: ended.index(b"\n") + 1]
    return Tiny(part, kind, header, ended[len(header) :]) if header.strip() else None


def _whole(path: Path) -> bytes | None:
    """The bytes of a tiny file that nobody writes to just now."""
    try:
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            content = file.read(TINY) if 0 < before.st_size < TINY else b""
            after = os.fstat(file.fileno())
    except OSError:
        return None
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return content if content and same and len(content) == before.st_size else None


def _is_text(content: bytes) -> bool:
    packed = content.startswith((GZIP, ZSTD, ZIP)) or b"\0" in content
    return not packed and not bom(content)[0] and (b"\r" not in content or b"\n" in content)


def _is_sound(content: bytes, source: FileSource) -> bool:
    """Whether every quote opens a cell or closes one in its line, so that no record reaches into the next file."""
    quote = source.quote.encode()
    return not quote or quote not in content or _cells(source.delimiter, source.quote).fullmatch(content) is not None


@cache
def _cells(delimiter: str, quote: str) -> re.Pattern[bytes]:
    sign, mark = re.escape(delimiter), re.escape(quote)
    cell = rf"(?:{mark}(?:[^{mark}\n]|{mark}{mark})*+{mark}|[^{mark}{sign}\n]*+)"
    return re.compile(rf"(?:{cell}(?:{sign}|\r?\n))*+{cell}".encode())


@dataclass(frozen=True)
class Joined:
    """Files of one kind and header as one text.

    rows    of all of them, each at its line in the whole text
    starts  int64[files]: the line in the whole text of each file's first row
    first   the line that this is in the file
    """

    files: Sequence[Tiny]
    rows: Rows
    starts: Positions
    first: int

    def file_of(self, lines: Positions) -> Positions:
        """int64[rows]: which of the files the lines of the whole text are of."""
        return np.searchsorted(self.starts, lines, side="right") - 1

    def own_lines(self, lines: Positions) -> Positions:
        """int64[rows]: the lines in their files."""
        return lines - self.starts[self.file_of(lines)] + self.first

    def bounds(self, lines: Positions) -> Positions:
        """int64[files + 1]: where the rows of each file begin, of ascending lines of the whole text."""
        return np.append(np.searchsorted(lines, self.starts), len(lines)).astype(np.int64)

    def own(self, broken: Sequence[Broken]) -> list[list[Broken]]:
        """The broken rows of each file, at the lines that they have there."""
        lines = np.array([row.line for row in broken], np.int64)
        found: list[list[Broken]] = [[] for _ in self.files]
        for row, place, line in zip(broken, self.file_of(lines), self.own_lines(lines).tolist(), strict=True):
            found[place].append(row._replace(line=line))
        return found


def joined(files: Sequence[Tiny], source: FileSource) -> Joined:
    """The rows of files of one kind and header. Raises `ReadError` or `MissingColumn` where one of them cannot be read.

    Which one that is, and what is wrong in it, is for reading them one by one to say.
    """
    header = files[0].header
    text = header + b"".join(file.body for file in files)
    first = 2 if header else 1
    counts = np.array([file.body.count(b"\n") for file in files], np.int64)
    starts = first + np.cumsum(counts) - counts
    part = Part(files[0].part.name, files[0].part.path, lambda: cast(BinaryIO, io.BytesIO(text)), content="")
    chunks = [rows for rows in read_part(part, source) if len(rows) or rows.broken]
    if len(chunks) != 1:
        raise ReadError("these files are not one text", mend="read them one by one")
    found = Joined(files, chunks[0], starts, first)
    if files[0].kind == "jsonl":
        _refuse_lacking(found, source)
    return found


def _refuse_lacking(found: Joined, source: FileSource) -> None:
    """Refuse JSON lines as reading each file by itself does: where none of its rows has what rows need."""
    bounds, frame = found.bounds(found.rows.lines), found.rows.frame
    full = np.ones(len(found.files), np.bool_)
    for column in mapped(source).values():
        if column not in frame.columns:
            full[:] = False
            continue
        count = np.append(0, np.cumsum(frame[column].is_not_null().to_numpy()))
        full &= count[bounds[1:]] > count[bounds[:-1]]
    for place in np.flatnonzero(~full).tolist():
        refuse_lacking(found.files[place].part, source)


__all__ = ["FILES", "TEXT", "TINY", "Joined", "Tiny", "can_join", "joined", "tiny"]
