"""Rules that suit what is in the lake, for workspaces that declare none."""

from __future__ import annotations

import polars as pl

from segue.data.lake.lake import Snapshot
from segue.data.settings import Rule
from segue.domain import columns


def default_rules(snapshot: Snapshot) -> tuple[Rule, ...]:
    """Rules that suit what is in the lake: only on columns that hold something."""
    rules = [
        Rule(table="events", column=columns.ID, rule="unique"),
        Rule(table="events", column=columns.TYPE, rule="null"),
        Rule(table="events", column=columns.ITEM, rule="null", severity="warning", threshold=0.5),
    ]
    filled = _filled(snapshot.coded_events())
    if columns.TIME in filled:
        rules.append(Rule(table="events", column=columns.TIME, rule="time_range", min="1990-01-01", max="now"))
        rules.append(Rule(table="events", column=columns.TIME, rule="null", severity="warning", threshold=0.01))
    if columns.QUANTITY in filled:
        rules.append(Rule(table="events", column=columns.QUANTITY, rule="range", max=1e6, severity="warning"))
    items = _filled(snapshot.items())
    if items:
        rules.append(Rule(table="events", column=columns.ITEM, rule="known_item", severity="warning", threshold=0.01))
        rules.append(Rule(table="items", column=columns.ID, rule="unique"))
    if columns.TITLE in items:
        rules.append(Rule(table="items", column=columns.TITLE, rule="null", severity="warning", threshold=0.01))
    if columns.PRICE in items:
        rules.append(Rule(table="items", column=columns.PRICE, rule="range", min=0.0, severity="error"))
    if _filled(snapshot.users()):
        rules.append(Rule(table="users", column=columns.ID, rule="unique"))
    return tuple(rules)


def _filled(rows: pl.LazyFrame) -> set[str]:
    """The columns that hold something."""
    counts = rows.select(pl.all().count()).collect(engine="streaming").row(0, named=True)
    return {name for name, count in counts.items() if count}


__all__ = ["default_rules"]
