"""The rows in quarantine with the bytes that their file has of them; as a file that people edit, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

import polars as pl

from segue.data.lake import layouts
from segue.data.lake.snapshot import Snapshot
from segue.data.read.files import parts
from segue.data.read.read import Kind
from segue.data.read.text import bom, codec
from segue.data.settings import FileSource
from segue.domain import columns
from segue.domain.errors import DataError, ReadError

Table = Literal["events", "items", "users"]
Sources = Mapping[str, FileSource]

LISTED: Final = 20  # reasons or files that are named
_HOW: Final = (
    "# Mend the rows below; a row begins with the number of its line and a tab, which stay. A row that is taken out of",
    "# this file stays in quarantine. Then: segue quarantine fix --take THIS_FILE",
)


@dataclass(frozen=True)
class Held:
    """The rows of one file that are in quarantine, each line once.

    batch   the file's content and the mapping that it was read with
    header  the file's first line where it names the columns
    rows    by line, the bytes; None where only the first 64 KB of a long row are kept and the file is not as it was
    text    whether the rows stand so in the file; else they are JSON of what the file holds
    format  that the file was read as
    width   how many cells its rows have, where no header says it
    came    when the first of the rows did
    """

    table: Table
    file: str
    batch: str
    header: bytes | None
    rows: Mapping[int, bytes | None]
    text: bool
    format: Kind | None
    width: int | None
    came: datetime

    def encoding(self, source: FileSource) -> str:
        """What the rows are written in: a byte order mark of the file beats what the source says."""
        return codec(bom(self.header or b"")[1] or source.encoding, self.file) if self.text else "utf-8"


def select(snapshot: Snapshot, reason: str | None = None, file: str | None = None) -> pl.DataFrame:
    """The rows in quarantine whose reason holds this text, of files whose name does."""
    rows = snapshot.quarantine().collect()
    kinds = layouts.QUARANTINE.empty.schema
    lacking = {name: kind for name, kind in kinds.items() if name not in rows.columns}  # of a lake of before
    rows = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in lacking.items())
    for name, text in (("reason", reason), ("file", file)):
        if text is not None:
            rows = rows.filter(pl.col(name).str.contains(text, literal=True))
    return rows.sort("file", "line", "reason")


def matching(snapshot: Snapshot, reason: str | None = None, file: str | None = None) -> pl.DataFrame:
    """The same; where a reason or file is asked for that no row has, a `DataError` lists those that there are."""
    rows = select(snapshot, reason, file)
    if len(rows) or (reason is None and file is None):
        return rows
    asked = [f"{name} '{text}'" for name, text in (("reason", reason), ("file", file)) if text is not None]
    whole = select(snapshot)
    reasons, files = (whole[name].value_counts(sort=True).rows() for name in ("reason", "file"))
    there = [f"reasons: {_counted(reasons)}"] if reason is not None else []
    there += [f"files: {_counted(files)}"] if file is not None else []
    mend = "there are " + "; ".join(there) if len(whole) else "quarantine is empty, nothing is left to mend"
    raise DataError(f"no row in quarantine is of {' and '.join(asked)}", mend=mend)


def _counted(values: Sequence[tuple[str, int]]) -> str:
    told = [f"'{value}' ({count:,})" for value, count in values[:LISTED]]
    return ", ".join([*told, *([f"and {len(values) - LISTED:,} others"] if len(values) > LISTED else [])])


def held(rows: pl.DataFrame, root: Path) -> list[Held]:
    """Rows of quarantine by the file that they are of; long ones are read again from the files in `root`."""
    found = []
    named = rows.with_columns(
        of=pl.col(columns.BATCH).str.split(".").list.first(), table=pl.col("table").fill_null("events")
    ).sort("line")
    for (table, file, batch), part in named.group_by("table", "file", "of", maintain_order=True):
        lines = {row["line"]: _bytes(row, root) for row in part.unique("line", keep="first").iter_rows(named=True)}
        header = _said(part, "header")
        text = bool(part["offset"].is_not_null().any()) or header is not None
        kind, width = _said(part, "format"), _said(part, "width")
        width = _width(part) if width is None and header is None else width
        came = cast(datetime, part[columns.RECEIVED].min())
        found.append(Held(table, file, batch, header, dict(sorted(lines.items())), text, kind, width, came))
    return found


def export(path: Path, files: Sequence[Held], sources: Sources) -> int:
    """Write rows to a file to be edited; how many. Bytes that are no text stay as they are."""
    lines, count = list(_HOW), 0
    for each in files:
        encoding = each.encoding(sources[each.table])
        lines.append("\t".join(("file", each.table, each.batch, each.file)))
        if each.header is not None:
            lines.append(f"header\t{_text(each.header, encoding)}")
        for line, row in each.rows.items():
            if row is not None:
                first, *more = _text(row, encoding).split("\n")
                lines += [f"{line}\t{first}", *(f"+\t{text}" for text in more)]
                count += 1
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    return count


def mended(path: Path, files: Sequence[Held], sources: Sources) -> list[Held]:
    """The held rows that an edited file has, with what it says of them."""
    if not path.is_file():
        raise ReadError("there is no such file", where=str(path), mend="write it with `segue quarantine fix --export`")
    known: dict[tuple[str, str, str], Held] = {(each.table, each.batch, each.file): each for each in files}
    found: dict[tuple[str, str, str], dict[int, bytes | None]] = {}
    for place, key, line, text in _edited(path):
        each = known.get(key)
        if each is None or line not in each.rows:
            continue  # came back since, or its file was read anew
        encoding, whole = each.encoding(sources[each.table]), each.rows[line]
        try:
            row = text.encode(encoding, "surrogateescape")
        except UnicodeEncodeError as error:
            raise DataError(
                f"the row cannot be written in the file's encoding: {error.reason}",
                where=f"{path}:{place}",
                mend=f"use only characters of {sources[each.table].encoding}",
            ) from error
        unchanged = whole is not None and _alike(text, _text(whole, encoding))
        found.setdefault(key, {})[line] = whole if unchanged else row
    return [replace(known[key], rows=dict(sorted(rows.items()))) for key, rows in found.items()]


def _alike(row: str, held: str) -> bool:
    """Whether a row is as it was but for carriage returns, which editors take and give."""
    return row.replace("\r", "") == held.replace("\r", "")


def _edited(path: Path) -> Iterator[tuple[int, tuple[str, str, str], int, str]]:
    """Place, file, line and text of each row of an edited file."""
    key: tuple[str, str, str] | None = None
    row: tuple[int, tuple[str, str, str], int, str] | None = None
    lines = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")
    end = "\r" if lines[0].endswith("\r") else ""  # an editor wrote other line ends; a \r of a cell's own stays
    for place, written in enumerate(lines, start=1):
        mark, _, text = written.removesuffix(end).partition("\t")
        if mark == "+" and row is not None:
            row = (*row[:3], f"{row[3]}\n{text}")
            continue
        if row is not None:
            yield row
            row = None
        if mark == "file" and text.count("\t") >= 2:
            table, batch, file = text.split("\t", 2)
            key = (table, batch, file)
        elif mark.isdigit() and key is not None:
            row = (place, key, int(mark), text)
        elif mark != "header" and written.strip() and not written.startswith("#"):
            raise DataError(
                "a row begins with the number of its line and a tab",
                where=f"{path}:{place}",
                mend="put it back, or begin lines that continue a row with + and a tab",
            )
    if row is not None:
        yield row


def _said(rows: pl.DataFrame, column: str) -> Any:
    """What the rows of a file say of it all, None where none of them does."""
    return next((each for each in rows[column] if each is not None), None)


def _width(rows: pl.DataFrame) -> int | None:
    """How many cells were expected, as the reasons of rows of before tell."""
    told = rows["reason"].str.extract(r"^(\d+) columns were expected").drop_nulls()
    return int(told[0]) if len(told) else None


def _bytes(row: Mapping[str, object], root: Path) -> bytes | None:
    """All bytes of a held row."""
    kept, length, offset = row["bytes"], row["length"], row["offset"]
    if not isinstance(kept, bytes):
        return str(row["raw"]).encode()
    if not isinstance(length, int) or length <= len(kept):
        return kept
    return _again(root / str(row["file"]), kept, offset, length) if isinstance(offset, int) else None


def _again(path: Path, kept: bytes, offset: int, length: int) -> bytes | None:
    """A long row from the file itself, if it still stands there."""
    if not path.is_file():
        return None
    with next(iter(parts(path))).open() as stream:
        stream.read(offset)
        row = stream.read(length)
    return row if len(row) == length and row.startswith(kept) else None


def _text(row: bytes, encoding: str) -> str:
    return row.decode(encoding, "surrogateescape")


__all__ = ["Held", "export", "held", "matching", "mended", "select"]
