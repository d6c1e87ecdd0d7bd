"""How many values of a column differ: exactly, or, where that would take too much memory, within about one percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

EXACT_ROWS: Final = 5_000_000
PART: Final = 16  # of the hashes, one part in this many is counted of more rows than that
FEW: Final = 20_000  # values in that part, below which all of them are counted after all


def distinct_counts(rows: pl.LazyFrame, names: Sequence[str], count: int) -> dict[str, int]:
    """Distinct values (null is none) by column, of `count` rows; the error of an estimate is below 1 / sqrt(FEW)."""
    if count <= EXACT_ROWS:
        return _counted(rows, names)
    estimates = _counted(rows, names, PART)
    few = [name for name, found in estimates.items() if found < FEW]
    return {name: found * PART for name, found in estimates.items()} | _counted(rows, few)


def _counted(rows: pl.LazyFrame, names: Sequence[str], part: int = 1) -> dict[str, int]:
    if not names:
        return {}
    hashes = (rows.select(pl.col(name).drop_nulls().hash().alias(name)) for name in names)
    kept = (each if part == 1 else each.filter(pl.all() % part == 0) for each in hashes)
    found = pl.collect_all([each.unique().select(pl.len()) for each in kept], engine="streaming")
    return dict(zip(names, (int(each.item()) for each in found), strict=True))
