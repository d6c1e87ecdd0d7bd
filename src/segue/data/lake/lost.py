"""Files that a table names and the disk has no more: what is lost with them, and how the lake goes on without them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

from segue.data.lake.files import checkpoint_of
from segue.data.lake.lake import Lake
from segue.data.lake.pieces import Layout
from segue.data.lake.rows import CONTENT_DIGITS, content_of, file_batch
from segue.data.lake.tables import LOG, REWRITTEN, Table, removals
from segue.domain.errors import DataError

UNREAD: Final = -1  # the mapping of a content that is to be read again; the number of no mapping is below 0
DICTIONARIES: Final = ("item_ids", "person_ids")
READ: Final = ("events", "items", "users")  # from files, which can be read again


@dataclass(frozen=True)
class Lost:
    """What one table lost: its files by their paths in it, their rows, and the days (UTC) these are of or came on."""

    table: str
    files: tuple[str, ...]
    rows: int
    oldest: date | None
    newest: date | None

    def __str__(self) -> str:
        """In words: how many files, of which table, and what was in them.

        >>> str(Lost("events", ("day=2026-03-01/a.parquet",), 1200, date(2026, 3, 1), date(2026, 3, 1)))
        '1 file of events is gone, with 1,200 rows of 2026-03-01'
        """
        files = "1 file of {} is gone" if len(self.files) == 1 else f"{len(self.files)} files of {{}} are gone"
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        days = "" if self.oldest is None else f" of {self.oldest}"
        days += "" if self.oldest == self.newest else f" to {self.newest}"
        return f"{files.format(self.table)}, with {rows}{days}"

    def row(self) -> dict[str, Any]:
        """What a table of them shows."""
        days = {name: day and day.isoformat() for name, day in (("oldest", self.oldest), ("newest", self.newest))}
        return {"table": self.table, "files": list(self.files), "rows": self.rows, **days}


def lost(table: Table) -> Lost | None:
    """What a table lost, by its log and its statistics; None where all its files are there. Nothing is changed."""
    gone = _gone(table)
    if gone.is_empty():
        return None
    oldest, newest = days_of(gone, table.layout)
    return Lost(table.layout.name, tuple(gone["path"]), int(gone["num_records"].sum()), oldest, newest)


def days_of(files: pl.DataFrame, layout: Layout) -> tuple[date | None, date | None]:
    """The first and the last day (UTC) that files (flattened add actions) have rows of, or that these came on."""
    if files.is_empty():
        return None, None
    if layout.by_day:
        low, high = pl.col("partition.day"), pl.col("partition.day")
    elif "min.received" in files.columns:
        low, high = pl.col("min.received"), pl.col("max.received")
    else:
        return None, None
    oldest, newest = files.select(low.min().cast(pl.Date), high.max().cast(pl.Date).alias("newest")).row(0)
    return oldest, newest


def mend(lake: Lake) -> list[Lost]:
    """Have the lake go on without the files that it lost; what went, by table.

    What they held of files that were read counts as never read: the next ingest reads those files again, and puts what
    they hold in the place of what is left of it. `DataError` where a dictionary lost a file, for without it nobody
    knows what the codes of the others mean.
    """
    with lake.writer():
        found = [each for each in map(lost, lake.tables.values()) if each is not None]
        for each in found:
            if each.table in DICTIONARIES:
                raise DataError(
                    f"{each}: without them the codes in the other tables mean nothing",
                    where=str(lake.tables[each.table].path),
                    mend=f"restore them from a backup, or make the lake anew: mv {lake.root} {lake.root}.lost, then "
                    "`segue ingest` and `segue lake index`",
                )
        contents = {each.table: _contents(lake.tables[each.table]) for each in found}
        refused = contents.get("quarantine", [])
        for name in READ:
            _take_out(lake.tables[name], [*contents.get(name, []), *refused])
        for each in found:
            if each.table not in READ:
                _take_out(lake.tables[each.table], [])
    return found


def is_unread(table: Table, batch: str) -> bool:
    """Whether the content of a file's batch is to be read again, because some of it was lost."""
    return table.committed(batch[:CONTENT_DIGITS]) == UNREAD


def _take_out(table: Table, contents: Sequence[str]) -> None:
    """Commit a table without its lost files, and these contents, if it has them, as unread."""
    unread = {content: UNREAD for content in contents if table.committed(content) is not None}
    gone = _gone(table)
    if unread or gone.height:
        rewritten = {REWRITTEN: (table.committed(REWRITTEN) or 0) + 1}
        table.commit([], rewritten | unread, removals(gone) if gone.height else ())


def _gone(table: Table) -> pl.DataFrame:
    """The files (flattened add actions) of the current version that are not there."""
    files = table.files()
    return files.filter([not (table.path / path).is_file() for path in files["path"]]) if files.height else files


def _contents(table: Table) -> list[str]:
    """The contents of which rows are lost: between the first and the last of a file that was merged, all may be."""
    gone = _gone(table)
    if "min.batch" not in gone.columns:
        return []
    known = sorted({name[:CONTENT_DIGITS] for name in _committed(table.path / LOG) if file_batch(name) is not None})
    ends = gone.select(low=content_of(pl.col("min.batch")), high=content_of(pl.col("max.batch")))
    met = pl.DataFrame({"content": known}, schema={"content": pl.String}).join_where(
        ends, pl.col("content") >= pl.col("low"), pl.col("content") <= pl.col("high")
    )
    return sorted(met["content"].unique())


def _committed(log: Path) -> Iterator[str]:
    """All that was ever committed under a name: batches, contents, journals."""
    if (checkpoint := checkpoint_of(log)) is not None:
        yield from pl.read_parquet(checkpoint, columns=["txn"])["txn"].struct.field("appId").drop_nulls()
    for entry in log.glob("[0-9]*.json"):
        for line in entry.read_bytes().splitlines():
            if "txn" in (action := json.loads(line)):
                yield action["txn"]["appId"]


__all__ = ["UNREAD", "Lost", "days_of", "is_unread", "lost", "mend"]
