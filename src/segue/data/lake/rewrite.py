"""Changing rows that a table has: the files that hold them are written again, all in one commit."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from segue.data.lake.files import discard
from segue.data.lake.tables import REWRITTEN, Staged, Table, removals


def take_out(table: Table, leaves: pl.Expr) -> int:
    """Take out the rows for which the expression is true; how many went."""
    return rewrite(table, leaves, lambda rows: rows.filter(~leaves.fill_null(value=False)))


def rewrite(table: Table, concerned: pl.Expr, change: Callable[[pl.DataFrame], pl.DataFrame]) -> int:
    """Write every file anew that has a row for which `concerned` is true, as `change` makes it; how many such rows.

    Of other files only the columns that decide are read; those that are concerned are read whole, one at a time. A
    crash before the commit leaves everything as it was.
    """
    files = table.files()
    counts = {path: _count(table, path, concerned) for path in (files["path"] if files.height else ())}
    touched = [path for path, count in counts.items() if count]
    staged: list[Staged] = []
    try:
        for path in touched:
            staged += table.stage(change(table.read(path)), "rewritten")
    except BaseException:
        discard([file.path for file in staged])
        raise
    if touched:
        old = files.filter(pl.col("path").is_in(touched))
        table.commit(staged, {REWRITTEN: (table.committed(REWRITTEN) or 0) + 1}, removals(old))
    return sum(counts.values())


def _count(table: Table, path: str, concerned: pl.Expr) -> int:
    rows = pl.scan_parquet(table.path / path, hive_partitioning=False)
    return int(rows.select(concerned.fill_null(value=False).sum()).collect().item() or 0)


__all__ = ["rewrite", "take_out"]
