"""What changed: the recent part of the log held against all before it, by the population stability index."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.data.profile.numbers import numbers
from segue.domain import columns

RECENT: Final = timedelta(days=28)
LEAST: Final = 1e-4  # of a share, so that a new or vanished value does not count without end
NAMED: Final = 50  # values that are held against each other singly, the rest together
TOLD: Final = 3
STEADY, CHANGED = 0.1, 0.25  # the limits in use since Siddiqi, Credit Risk Scorecards (2006)
OTHERS: Final = "all others"


@dataclass(frozen=True)
class Moved:
    """One value's share of the events, before and recently."""

    value: str
    before: float
    recent: float


@dataclass(frozen=True)
class Shift:
    """One column: its index and the values that contribute most to it.

    `of` is "type", "item", "category", "value", "quantity" or "hour".
    """

    of: str
    psi: float
    moved: tuple[Moved, ...]

    @property
    def word(self) -> str:
        """What the index is taken to say."""
        return "steady" if self.psi < STEADY else "moved" if self.psi < CHANGED else "changed"


@dataclass(frozen=True)
class Drift:
    """The events from `since` on (`recent` of them) against those before (`before` of them)."""

    since: datetime
    before: int
    recent: int
    shifts: tuple[Shift, ...]


def psi(before: Mapping[str, float], recent: Mapping[str, float]) -> float:
    """The population stability index of two sets of counts.

    >>> round(psi({"a": 50, "b": 50}, {"a": 90, "b": 10}), 3)
    0.879
    """
    return sum(part for _, part in _parts(before, recent))


def drift(snapshot: Snapshot, timezone: str) -> Drift | None:
    """The last four weeks, or the last quarter of a shorter log, against before; None without times or a before."""
    rows = snapshot.coded_events().filter(pl.col(columns.TIME).is_not_null())
    first, last = rows.select(first=pl.col(columns.TIME).min(), last=pl.col(columns.TIME).max()).collect().row(0)
    if first is None or first == last:
        return None
    since = last - _recent(last - first)
    rows = rows.with_columns((pl.col(columns.TIME) > since).alias("recent"))
    by_item = _counted(rows, pl.col(columns.ITEM))
    sides = dict(_counted(rows, pl.lit("")).select("recent", "events").iter_rows())
    found = {
        "type": _counted(rows, pl.col(columns.TYPE)),
        "item": _titled(snapshot, by_item),
        "category": _categories(snapshot, by_item),
        "hour": _counted(rows, pl.col(columns.TIME).dt.convert_time_zone(timezone).dt.hour()),
    } | {name: _numbers(rows, name) for name in (columns.VALUE, columns.QUANTITY)}
    shifts = [_shift(of, counts) for of, counts in found.items() if counts.height > 1]
    told = sorted((shift for shift in shifts if shift.moved), key=lambda shift: -shift.psi)
    return Drift(since, sides.get(False, 0), sides.get(True, 0), tuple(told))


def _recent(span: timedelta) -> timedelta:
    """Whole weeks, or days, where there are enough, so that no weekday and no hour comes more often than another."""
    quarter = min(RECENT, span / 4)
    days = quarter.days - quarter.days % 7 if quarter.days >= 7 else quarter.days
    return timedelta(days=days) if days else quarter


def _counted(rows: pl.LazyFrame, value: pl.Expr) -> pl.DataFrame:
    """`recent`, `value` and how many `events`, without those that have no value."""
    pairs = rows.select("recent", value.alias("value")).drop_nulls()
    return pairs.group_by("recent", "value").len("events").collect(engine="streaming")


def _titled(snapshot: Snapshot, counts: pl.DataFrame) -> pl.DataFrame:
    """Items by their titles, or by their ids."""
    named = snapshot.dictionary("item_ids").join(
        snapshot.items().select(columns.ID, columns.TITLE).collect(), on=columns.ID, how="left"
    )
    title = pl.coalesce(columns.TITLE, columns.ID).alias("value")
    met = counts.join(named, left_on="value", right_on=columns.CODE, how="left")
    return met.select("recent", title, "events").group_by("recent", "value").sum()


def _categories(snapshot: Snapshot, counts: pl.DataFrame) -> pl.DataFrame:
    labels = snapshot.items().select(columns.ID, columns.CATEGORIES).collect().explode(columns.CATEGORIES).drop_nulls()
    coded = labels.join(snapshot.dictionary("item_ids"), on=columns.ID)
    met = counts.join(coded, left_on="value", right_on=columns.CODE)
    return met.select("recent", pl.col(columns.CATEGORIES).alias("value"), "events").group_by("recent", "value").sum()


def _numbers(rows: pl.LazyFrame, name: str) -> pl.DataFrame:
    """Numbers by where they lie between the quantiles of all."""
    spread = numbers(rows, name)
    if spread is None:
        return pl.DataFrame(schema={"recent": pl.Boolean, "value": pl.String, "events": pl.UInt32})
    edges = sorted(set(spread.quantiles.values()))
    names = [f"up to {edges[0]:,.4g}", *(f"{a:,.4g} to {b:,.4g}" for a, b in pairwise(edges))]
    names.append(f"above {edges[-1]:,.4g}")
    place = pl.sum_horizontal(pl.col(name) > edge for edge in edges).cast(pl.Int32)
    counts = _counted(rows, pl.when(pl.col(name).is_not_null()).then(place))
    return counts.with_columns(pl.col("value").replace_strict(dict(enumerate(names)), return_dtype=pl.String))


def _shift(of: str, counts: pl.DataFrame) -> Shift:
    sides: dict[bool, dict[str, float]] = {True: {}, False: {}}
    values = counts.with_columns(pl.col("value").cast(pl.String))
    whole = values.group_by("value").agg(pl.col("events").sum()).sort("events", "value", descending=[True, False])
    named = whole.head(NAMED)["value"]
    kept = pl.when(pl.col("value").is_in(named.implode())).then("value").otherwise(pl.lit(OTHERS)).alias("value")
    for recent, value, events in values.select("recent", kept, "events").group_by("recent", "value").sum().iter_rows():
        sides[recent][value] = float(events)
    before, recent = sides[False], sides[True]
    if not before or not recent:
        return Shift(of, 0.0, ())
    then, now = sum(before.values()), sum(recent.values())
    most = sorted(_parts(before, recent), key=lambda pair: -abs(pair[1]))[:TOLD]
    moved = (Moved(name, before.get(name, 0) / then, recent.get(name, 0) / now) for name, _ in most)
    return Shift(of, psi(before, recent), tuple(moved))


def _parts(before: Mapping[str, float], recent: Mapping[str, float]) -> list[tuple[str, float]]:
    """What each value contributes."""
    whole = sum(before.values()), sum(recent.values())
    parts = []
    for name in sorted({*before, *recent}):
        then, now = (max(side.get(name, 0) / all_, LEAST) for side, all_ in zip((before, recent), whole, strict=True))
        parts.append((name, (now - then) * math.log(now / then)))
    return parts
