"""The long tail: how unevenly events fall on items, and which items get none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

POINTS: Final = 100  # of the curve
TOP: Final = 10


@dataclass(frozen=True)
class TopItem:
    """An item with many events, and what it is called where the catalog says so."""

    item: str
    title: str
    events: int


@dataclass(frozen=True)
class Tail:
    """Events by item.

    events     that are with an item
    items      that have an event
    single     items that have one event only
    catalog    items that the catalog has
    untouched  of those, the ones without an event
    gini       0 where all items have as many events, towards 1 where one has them all (of items with events)
    curve      (share of items, share of events), items with most events first
    top        the items with most events
    """

    events: int
    items: int
    single: int
    catalog: int
    untouched: int
    gini: float
    curve: tuple[tuple[float, float], ...]
    top: tuple[TopItem, ...]

    def share(self, of_items: float) -> float:
        """The share of events that the most popular share of items has.

        >>> Tail(4, 2, 1, 0, 0, 0.25, ((0.0, 0.0), (0.5, 0.75), (1.0, 1.0)), ()).share(0.25)
        0.375
        """
        return float(np.interp(of_items, *np.array(self.curve).T))

    def needed(self, of_events: float) -> float:
        """The share of items, the most popular first, that has this share of events."""
        items, events = np.array(self.curve).T
        return float(np.interp(of_events, events, items))


def item_counts(snapshot: Snapshot) -> pl.DataFrame:
    """Events by item code: `item`, `events`, the most popular first."""
    counts = snapshot.coded_events().select(columns.ITEM).drop_nulls().group_by(columns.ITEM).len("events")
    return counts.sort("events", columns.ITEM, descending=[True, False]).collect(engine="streaming")


def tail(snapshot: Snapshot, counts: pl.DataFrame) -> Tail | None:
    """The long tail of `item_counts`; None where no event is with an item."""
    if counts.is_empty():
        return None
    heights = counts["events"].to_numpy().astype(np.float64)
    ids = snapshot.dictionary("item_ids")
    catalog = snapshot.items().select(columns.ID, columns.TITLE).collect(engine="streaming")
    met = counts.join(ids, left_on=columns.ITEM, right_on=columns.CODE, how="left", maintain_order="left")
    top = met.head(TOP).join(catalog, on=columns.ID, how="left", maintain_order="left")
    return Tail(
        events=int(heights.sum()),
        items=len(heights),
        single=int((heights == 1).sum()),
        catalog=catalog.height,
        untouched=catalog.join(met, on=columns.ID, how="anti").height,
        gini=gini(heights),
        curve=curve(heights),
        top=tuple(
            TopItem(*row) for row in top.select(columns.ID, pl.col(columns.TITLE).fill_null(""), "events").rows()
        ),
    )


def gini(heights: npt.NDArray[np.float64]) -> float:
    """Gini's coefficient of counts that are sorted from large to small.

    >>> gini(np.array([1.0, 1.0, 1.0])), gini(np.array([4.0, 0.0, 0.0, 0.0]))
    (0.0, 0.75)
    """
    places = np.arange(1, len(heights) + 1)
    return float((len(heights) + 1 - 2 * (places * heights).sum() / heights.sum()) / len(heights))


def curve(heights: npt.NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Points of the concentration curve, closer together at its steep beginning."""
    reached = np.concatenate([[0.0], heights.cumsum() / heights.sum()])
    even = np.linspace(0, 1, POINTS + 1)
    places = np.unique(np.round(np.concatenate([even**3, even]) * len(heights)).astype(np.int64))
    return tuple(zip((places / len(heights)).tolist(), reached[places].tolist(), strict=True))
