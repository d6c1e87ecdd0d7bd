"""Rows of quarantine that go while others come, in one commit: after a crash either those are there or these."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from segue.data.lake.tables import REWRITTEN, Staged, Table, removals
from segue.domain import columns

Instead = Callable[[pl.DataFrame], pl.DataFrame]


def exchange(table: Table, batch: str, mine: pl.Expr, instead: Instead) -> int:
    """Take out the rows of a batch and its steps of which `mine` is true, and put in what `instead` makes of them.

    How many went; where none did, nothing changes.
    """
    files = table.files()
    if files.is_empty():
        return 0
    files = files.filter((pl.col("min.batch") <= f"{batch}~") & (pl.col("max.batch") >= batch))
    own = (pl.col(columns.BATCH).str.split(".").list.first() == batch) & mine
    staged: list[Staged] = []
    gone: dict[str, pl.DataFrame] = {}
    for path in files["path"]:
        rows = table.read(path)
        which = rows.select(own.fill_null(value=False)).to_series()
        if which.any():
            gone[path] = rows.filter(which)
            staged += table.stage(rows.filter(~which), "replayed") if not which.all() else []
    if not gone:
        return 0
    before = pl.concat(gone.values(), how="diagonal")
    rows = instead(before)
    staged += table.stage(rows, "replayed") if rows.height else []
    removed = removals(files.filter(pl.col("path").is_in(list(gone))))
    table.commit(staged, {REWRITTEN: (table.committed(REWRITTEN) or 0) + 1}, removed)
    return before.height


__all__ = ["exchange"]
