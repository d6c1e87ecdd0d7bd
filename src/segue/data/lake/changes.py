"""How the catalog and the people changed: which row of an id held from when to when, and which one an event met."""

from __future__ import annotations

from typing import Final

import polars as pl

from segue.domain import columns

VALID_FROM: Final = "valid_from"
VALID_TO: Final = "valid_to"
_OF_THE_ROW: Final = (columns.RECEIVED, columns.ORDER, columns.BATCH)  # say how a row came, not what it says


def latest(rows: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """The row of each id that holds: the last received, of several of one moment the last in order."""
    return rows.sort(columns.RECEIVED, columns.ORDER).unique(by, keep="last", maintain_order=True)


def changes(rows: pl.LazyFrame, by: str) -> pl.LazyFrame:
    """Every row that held for some time, from `valid_from` until just before `valid_to` (null: it holds still).

    A row that says what the row before it said is no change. Sorted by id and time.
    """
    held = rows.sort(by, columns.RECEIVED, columns.ORDER).unique(
        [by, columns.RECEIVED], keep="last", maintain_order=True
    )
    names = [name for name in rows.collect_schema().names() if name not in _OF_THE_ROW]
    texts = pl.struct(names).struct.json_encode()
    changed = held.filter(texts.ne_missing(texts.shift(1).over(by)))
    return changed.select(
        *names,
        pl.col(columns.RECEIVED).alias(VALID_FROM),
        pl.col(columns.RECEIVED).shift(-1).over(by).alias(VALID_TO),
    )


def met(events: pl.LazyFrame, changed: pl.LazyFrame) -> pl.LazyFrame:
    """The events, and beside each (`item_...`) what the catalog said of its item when the event was received.

    What came into the catalog later is not looked at; where it knew nothing of the item yet, there is null.
    """
    said = changed.drop(VALID_TO).sort(VALID_FROM)
    said = said.rename({name: f"item_{name}" for name in said.collect_schema().names() if name != VALID_FROM})
    joined = events.sort(columns.RECEIVED).join_asof(
        said,
        left_on=columns.RECEIVED,
        right_on=VALID_FROM,
        by_left=columns.ITEM,
        by_right=f"item_{columns.ID}",
        strategy="backward",
        check_sortedness=False,  # it cannot be checked by group; both are sorted just above
    )
    return joined.drop(VALID_FROM, f"item_{columns.ID}", strict=False)


__all__ = ["VALID_FROM", "VALID_TO", "changes", "latest", "met"]
