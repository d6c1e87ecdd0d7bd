"""Taking rows out of a table: the files that hold them are written again without them, all in one commit."""

from __future__ import annotations

import polars as pl

from segue.data.lake.files import discard
from segue.data.lake.tables import REWRITTEN, Staged, Table, removals


def rewrite(table: Table, stays: pl.Expr) -> int:
    """Keep only the rows for which the expression is true; how many went.

    A file is read whole, one at a time. A crash before the commit leaves all rows, after it only those that stay.
    """
    files = table.files()
    staged: list[Staged] = []
    touched: list[str] = []
    gone = 0
    try:
        for path in files["path"] if files.height else ():
            rows = table.read(path)
            kept = rows.filter(stays)
            if kept.height == rows.height:
                continue
            gone += rows.height - kept.height
            touched.append(path)
            staged += table.stage(kept, "rewritten")
    except BaseException:
        discard([file.path for file in staged])
        raise
    if touched:
        old = files.filter(pl.col("path").is_in(touched))
        table.commit(staged, {REWRITTEN: (table.committed(REWRITTEN) or 0) + 1}, removals(old))
    return gone


__all__ = ["rewrite"]
