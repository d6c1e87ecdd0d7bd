"""Files of a catalog that go back to an earlier content: which one a path had last, and its rows current once more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Final

import polars as pl

from segue.data.lake.files import discard
from segue.data.lake.rows import CONTENT_DIGITS
from segue.data.lake.tables import Staged, Table
from segue.domain import columns

LAST: Final = "last-content"  # under this, a table notes which content came last, of whatever path
AGAIN: Final = ".again"  # and a number: ends the batch of rows that came back
MOMENT: Final = pl.Datetime("us", "UTC")


def last_contents(paths: Mapping[str, str]) -> dict[str, int]:
    """What a commit notes of paths (by batch, as they came) whose whole content is in with it."""
    notes = {_named(path): _content(batch) for batch, path in paths.items()}
    return notes | {LAST: _content(list(paths)[-1])} if paths else notes


def is_last(table: Table, path: str, batch: str) -> bool:
    """Whether the path had this content last, or is new and the table had, as far as is known: then it is a copy."""
    last = table.committed(_named(path))
    return (table.committed(LAST) if last is None else last) in (None, _content(batch))


def note(table: Table, copies: Mapping[str, str]) -> None:
    """Keep in mind what content each of these paths (the batch by path) has, where none of it is known: copies."""
    notes = {_named(path): _content(batch) for path, batch in copies.items()}
    if new := {name: content for name, content in notes.items() if table.committed(name) is None}:
        table.commit([], new)


def came_back(table: Table, batch: str) -> bool:
    """Whether the content of a batch was brought back before."""
    return table.committed(_counter(batch)) is not None


def bring_back(table: Table, path: str, batch: str, now: datetime) -> int:
    """Have the rows of a batch once more, behind all others and received now; how many. All in one commit.

    The rows that they were stay where they are, so that what was known at a moment before stays what it was.
    """
    count = (table.committed(_counter(batch)) or 0) + 1
    files = table.files()
    last = int(files.select(pl.col("max.order").max()).item()) + 1 if files.height else 0
    staged: list[Staged] = []
    rows = 0
    try:
        for part in files["path"] if files.height else ():
            mine = table.read(part).filter(_first_of(batch))
            if mine.height:
                rows += mine.height
                staged += table.stage(mine.with_columns(**_anew(f"{batch}{AGAIN}{count}", last, now)), "again")
    except BaseException:
        discard([file.path for file in staged])
        raise
    notes: Mapping[str, int] = {_counter(batch): count} | last_contents({batch: path})
    table.commit(staged, notes)
    return rows


def _named(path: str) -> str:
    return f"path-{blake2b(path.encode(errors='replace'), digest_size=16).hexdigest()}"


def _content(batch: str) -> int:
    return int(batch[:15], 16)


def _counter(batch: str) -> str:
    return batch[:CONTENT_DIGITS] + AGAIN


def _first_of(batch: str) -> pl.Expr:
    """The rows as the file brought them, and what came back from quarantine since."""
    of_file = pl.col(columns.BATCH).str.split(".").list.first() == batch
    return of_file & ~pl.col(columns.BATCH).str.contains(AGAIN, literal=True)


def _anew(batch: str, last: int, now: datetime) -> dict[str, pl.Expr]:
    """Of rows that come in behind all others: their order among themselves stays."""
    return {
        columns.BATCH: pl.lit(batch),
        columns.ORDER: pl.col(columns.ORDER) + last,
        columns.RECEIVED: pl.max_horizontal(columns.RECEIVED, pl.lit(now, dtype=MOMENT)),
    }


__all__ = ["bring_back", "came_back", "is_last", "last_contents", "note"]
