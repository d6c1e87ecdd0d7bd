"""Reads some rows of a file again, by themselves: as the reader of the whole file took them, not as they look alone."""

from __future__ import annotations

from collections.abc import Iterator

from segue.data.maps.registry import table_map
from segue.data.read.delimited import Layout, read_delimited, read_on
from segue.data.read.fields import Dialect
from segue.data.read.files import Part
from segue.data.read.json_lines import read_json_lines
from segue.data.read.read import Kind, mapped, needed_columns, read_part
from segue.data.read.rows import Rows
from segue.data.read.text import codec, utf8_blocks
from segue.data.settings import FileSource


def read_again(part: Part, source: FileSource, kind: Kind | None, width: int | None) -> Iterator[Rows]:
    """Rows of a part that holds a few of a file's, whose format is `kind` and whose rows have `width` cells.

    Where a width is given, no line names the columns. That JSON rows lack a column is told of each row, not of the
    file. Raises `ReadError` and `MissingColumn` as reading does.
    """
    if table_map(source) is not None or kind not in ("csv", "jsonl"):
        yield from read_part(part, source)
        return
    encoding = codec(source.encoding, part.name)
    text = utf8_blocks(part.blocks(), source.encoding, part.name)
    needed = needed_columns(part, source)
    if kind == "jsonl":
        plain = frozenset(mapped(source).values())
        yield from read_json_lines(text, encoding=encoding, wanted=needed, plain=plain)
    elif width is not None:
        names = [f"column_{place + 1}" for place in range(width)]
        yield from read_on(text, _dialect(source), Layout(names, needed(names)), 1, encoding)
    else:
        yield from read_delimited(text, _dialect(source), header=source.header, encoding=encoding, wanted=needed)


def width_of(part: Part, source: FileSource) -> int | None:
    """How many cells the rows of a delimited file have that has no header; None where it holds none."""
    found: list[int] = []

    def wanted(names: list[str]) -> list[str]:
        found.append(len(names))
        return []

    text = utf8_blocks(part.blocks(), source.encoding, part.name)
    rows = read_delimited(text, _dialect(source), header=False, encoding="utf-8", wanted=wanted)
    _ = next(rows, None)
    return found[0] if found else None


def _dialect(source: FileSource) -> Dialect:
    return Dialect.of(source.delimiter, source.quote)


__all__ = ["read_again", "width_of"]
