"""What the tests of reading share: text in, cells and broken rows out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from segue.data.read.delimited import read_delimited
from segue.data.read.fields import Dialect
from segue.data.read.files import Part, parts
from segue.data.read.read import read_rows
from segue.data.read.rows import Broken, Rows
from segue.data.settings import EventColumns, EventSource, FileSource

EVENTS = EventColumns(user="user", item="item")


def everything(names: list[str]) -> list[str]:
    """All columns are wanted."""
    return names


def blocks_of(text: bytes, size: int) -> Iterable[bytes]:
    """The text in blocks of `size` bytes."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def delimited(
    text: bytes, delimiter: str = ",", quote: str = '"', header: bool = True, size: int = 1 << 20
) -> tuple[list[tuple[str, ...]], list[Broken], list[Rows]]:
    """Cells of the good rows, the broken rows, and the chunks they came in."""
    dialect = Dialect.of(delimiter, quote)
    chunks = list(read_delimited(blocks_of(text, size), dialect, header=header, encoding="utf-8", wanted=everything))
    cells = [row for chunk in chunks for row in chunk.frame.rows()]
    return cells, [row for chunk in chunks for row in chunk.broken], chunks


def lines_of(chunks: Iterable[Rows]) -> list[int]:
    """The lines that the good rows stand on."""
    return [line for chunk in chunks for line in chunk.lines.tolist()]


def read_all(path: Path, source: FileSource) -> tuple[list[dict[str, object]], list[Broken]]:
    """All rows of a file as dictionaries, and the broken ones."""
    chunks = list(read_rows(path, source))
    return [row for chunk in chunks for row in chunk.frame.to_dicts()], [
        row for chunk in chunks for row in chunk.broken
    ]


def only(path: Path) -> Part:
    """The one part of a file."""
    (part,) = parts(path)
    return part


def event_source(**said: object) -> EventSource:
    """Events with the columns `user` and `item`, and what else is said."""
    return EventSource(**({"columns": EVENTS} | said))  # type: ignore[arg-type]
