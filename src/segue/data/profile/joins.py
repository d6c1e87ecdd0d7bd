"""What fits together: events with the catalog and the user table, and what the catalog says about its items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

EXAMPLES: Final = 10
TOLD: Final = (
    columns.TITLE,
    columns.TEXT,
    columns.CATEGORIES,
    columns.PRICE,
    columns.IMAGE,
    columns.KIND,
    columns.GROUP,
)


@dataclass(frozen=True)
class Joined:
    """How much of one side the other knows; `examples` are items that it does not, those with most events first."""

    known: int
    of: int
    examples: tuple[tuple[str, int], ...] = ()

    @property
    def share(self) -> float:
        """Known of all."""
        return self.known / self.of if self.of else 0.0


@dataclass(frozen=True)
class Joins:
    """Ids that lead somewhere: None where there is no such table to lead to.

    events  events with an item, and how many of those the catalog has
    items   items of events, and how many of those the catalog has
    people  users of events, and how many of those the user table has
    """

    events: Joined | None
    items: Joined | None
    people: Joined | None


@dataclass(frozen=True)
class Covered:
    """How many items of the catalog have a column filled, and what share of events is with those (None: no events)."""

    column: str
    items: int
    of: int
    events: float | None

    @property
    def share(self) -> float:
        """Of the items of the catalog."""
        return self.items / self.of if self.of else 0.0


def joins(snapshot: Snapshot, counts: pl.DataFrame) -> Joins:
    """What joins, from `item_counts`."""
    catalog = snapshot.items().select(columns.ID).collect(engine="streaming")
    named = counts.join(snapshot.dictionary("item_ids"), left_on=columns.ITEM, right_on=columns.CODE)
    found = named.join(catalog, on=columns.ID, how="semi")
    missing = named.join(catalog, on=columns.ID, how="anti").sort("events", columns.ID, descending=[True, False])
    examples = tuple(missing.head(EXAMPLES).select(columns.ID, "events").rows())
    events = Joined(int(found["events"].sum()), int(named["events"].sum()), examples)
    items = Joined(found.height, named.height, examples)
    known = bool(catalog.height and named.height)
    return Joins(events if known else None, items if known else None, _people(snapshot))


def _people(snapshot: Snapshot) -> Joined | None:
    table = snapshot.users().select(pl.lit("u:") + pl.col(columns.ID)).collect(engine="streaming")
    if table.is_empty():
        return None
    met = snapshot.coded_events().select(columns.USER).drop_nulls().unique().collect(engine="streaming")
    ids = met.join(snapshot.dictionary("person_ids"), left_on=columns.USER, right_on=columns.CODE)
    return Joined(ids.join(table, left_on=columns.ID, right_on=table.columns[0], how="semi").height, met.height)


def coverage(snapshot: Snapshot, counts: pl.DataFrame) -> tuple[Covered, ...]:
    """What the catalog says about its items, and about those that events are with."""
    filled = [
        (pl.col(name).list.len() > 0 if name == columns.CATEGORIES else pl.col(name).is_not_null())
        .fill_null(value=False)
        .alias(name)
        for name in TOLD
    ]
    catalog = snapshot.items().select(columns.ID, *filled).collect(engine="streaming")
    named = counts.join(snapshot.dictionary("item_ids"), left_on=columns.ITEM, right_on=columns.CODE)
    weighed = named.join(catalog, on=columns.ID)
    whole = int(weighed["events"].sum())
    return tuple(
        Covered(
            column=name,
            items=int(catalog[name].sum()),
            of=catalog.height,
            events=int(weighed.filter(pl.col(name))["events"].sum()) / whole if whole else None,
        )
        for name in TOLD
        if catalog.height and catalog[name].any()
    )
