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
    by = ["partition.day"] if table.layout.by_day else []
    if "min.batch" in files.columns:
        one = pl.col("min.batch") == pl.col("max.batch")
        drained = one & pl.col("min.batch").str.starts_with(JOURNAL)
        files = files.with_columns(of=pl.when(drained).then("min.batch").otherwise(pl.lit("")))
        by.append("of")
        if batch is not None:
            files = files.filter(pl.col("of") == batch)
    small = files.filter(pl.col("size_bytes") < tables.SMALL_BYTES).sort(*by, "path")
    for same in small.partition_by(by, maintain_order=True) if by else [small]:
        if same.height >= max(least, 2):
            place = pl.col("size_bytes").cum_sum() // tables.MERGED_BYTES
            parts = same.with_columns(part=place).partition_by("part", maintain_order=True)
            yield from (part for part in parts if part.height > 1)


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


__all__ = ["JOURNAL", "Merged", "merge"]
