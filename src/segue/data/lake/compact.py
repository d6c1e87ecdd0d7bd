"""Compaction: many small files of a day become few, their rows unchanged, in commits that a crash cannot halve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from segue.data.lake import tables
from segue.data.lake.tables import Staged, Table, removals
from segue.domain import columns

JOURNAL = "journal-"  # what the batches of drains are called begins so
ROUND_BYTES = 256 << 20  # of files that are merged in one commit


@dataclass(frozen=True)
class Merged:
    """How many files a compaction merged, into how many, and how many rows had an id that another had."""

    before: int = 0
    after: int = 0
    duplicates: int = 0


@dataclass(frozen=True)
class Kept:
    """The files that a table has after a compaction, and why they are not fewer.

    days   on which it has rows, 0 where it is not kept by day
    apart  files more than one a day (or one in all), as what drains brought stays apart from what files brought
    large  files that are not small
    """

    table: str
    files: int
    days: int
    apart: int
    large: int

    def __str__(self) -> str:
        """In words.

        >>> print(Kept("events", files=30, days=28, apart=0, large=2))
        events keeps 30 files: each holds one day, of 28; 2 are of 8 MB or more
        """
        why = [f"each holds one day, of {self.days:,}"] if self.days else []
        if self.apart:
            why.append(f"{self.apart:,} more, as what the service took stays apart from what files brought")
        if self.large:
            why.append(f"{self.large:,} {'is' if self.large == 1 else 'are'} of {tables.SMALL_BYTES >> 20} MB or more")
        return f"{self.table} keeps {self.files:,} files: " + "; ".join(why)


def kept(table: Table) -> Kept | None:
    """The files of a table that was just compacted; None where it has one file or none."""
    files = table.files()
    if files.height < 2:
        return None
    files, by = _with_origins(table, files)
    days = files["partition.day"].n_unique() if table.layout.by_day else 0
    groups = files.select(by).n_unique() if by else 1
    large = int((files["size_bytes"] >= tables.SMALL_BYTES).sum())
    return Kept(table.layout.name, files.height, days, groups - max(days, 1), large)


def merge(table: Table, least: int, batch: str | None = None) -> Merged:
    """Merge the small files of each day where there are at least so many; only those of one batch where it is named.

    What drains brought and what files brought are merged apart, so that it is still known which is which. Every row
    keeps its batch, and the log still knows every batch. Where ids are of one row each, one that comes twice is kept
    once. Files that were merged stay on disk until they expire, for who still reads them.
    """
    total = Merged()
    for groups in _rounds(table, least, batch):
        total = _sum(total, _commit(table, groups))
    return total


def _rounds(table: Table, least: int, batch: str | None) -> Iterator[list[pl.DataFrame]]:
    """Groups of files, each to become one file, as many as are merged in one commit."""
    groups: list[pl.DataFrame] = []
    size = 0
    for group in _groups(table, least, batch):
        groups.append(group)
        size += int(group["size_bytes"].sum())
        if size >= ROUND_BYTES:
            yield groups
            groups, size = [], 0
    if groups:
        yield groups


def _groups(table: Table, least: int, batch: str | None) -> Iterator[pl.DataFrame]:
    files = table.files()
    if files.is_empty():
        return
    files, by = _with_origins(table, files)
    if batch is not None and "of" in by:
        files = files.filter(pl.col("of") == batch)
    small = files.filter(pl.col("size_bytes") < tables.SMALL_BYTES).sort(*by, "path")
    for same in small.partition_by(by, maintain_order=True) if by else [small]:
        if same.height >= max(least, 2):
            place = pl.col("size_bytes").cum_sum() // tables.MERGED_BYTES
            parts = same.with_columns(part=place).partition_by("part", maintain_order=True)
            yield from (part for part in parts if part.height > 1)


def _with_origins(table: Table, files: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The files with the journal that each is `of` ("" for what files brought), and what files have in common that may
    become one."""
    by = ["partition.day"] if table.layout.by_day else []
    if "min.batch" not in files.columns:
        return files, by
    one = pl.col("min.batch") == pl.col("max.batch")
    drained = one & pl.col("min.batch").str.starts_with(JOURNAL)
    return files.with_columns(of=pl.when(drained).then("min.batch").otherwise(pl.lit(""))), [*by, "of"]


def _commit(table: Table, groups: list[pl.DataFrame]) -> Merged:
    staged: list[Staged] = []
    duplicates = 0
    for group in groups:
        rows = pl.concat(table.read(path) for path in group["path"])
        once = rows.unique(columns.ID, keep="first", maintain_order=True) if table.layout.by_day else rows
        duplicates += rows.height - once.height
        staged += table.stage(once, "compaction")
    files = pl.concat(groups)
    moved = [replace(file, action=replace(file.action, data_change=False)) for file in staged]
    current = table.current()
    assert current is not None
    table.commit(moved, {"compaction": current.version() + 1}, removals(files, data_change=False))
    return Merged(files.height, len(staged), duplicates)


def _sum(one: Merged, other: Merged) -> Merged:
    return Merged(one.before + other.before, one.after + other.after, one.duplicates + other.duplicates)


__all__ = ["JOURNAL", "Kept", "Merged", "kept", "merge"]
