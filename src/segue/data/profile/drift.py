"""What changed: the recent part of the log held against all before it, by the population stability index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.data.profile.numbers import numbers
from segue.data.quality.distance import Counts, stability_parts
from segue.domain import columns

RECENT: Final = timedelta(days=28)
NAMED: Final = 50  # values that are held against each other singly, the rest together
TOLD: Final = 3
STEADY, CHANGED = 0.1, 0.25  # the limits in use since Siddiqi, Credit Risk Scorecards (2006)
OTHERS: Final = "all others"
_BELOW, _ABOVE, _INFINITE, _NO_NUMBER = -1, -2, -3, -4  # places of numbers that no number before had
_BEYOND: Final = {
    _BELOW: "below all before", _ABOVE: "above all before", _INFINITE: "infinite", _NO_NUMBER: "not a number",
}  # fmt: skip

Named = Callable[[pl.Series], list[str]]  # what values, which are counted as they are, are called where they are shown


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


def drift(snapshot: Snapshot, timezone: str) -> Drift | None:
    """The last four weeks, or the last quarter of a shorter log, against before; None without times or a before."""
    rows = snapshot.coded_events().filter(pl.col(columns.TIME).is_not_null())
    first, last = rows.select(first=pl.col(columns.TIME).min(), last=pl.col(columns.TIME).max()).collect().row(0)
    if first is None or first == last:
        return None
    since = last - _recent(last - first)
    rows = rows.with_columns((pl.col(columns.TIME) > since).alias("recent"))
    sides = dict(_counted(rows, pl.lit("")).select("recent", "events").iter_rows())
    items = _counted(rows, pl.col(columns.ITEM))
    hours = _counted(rows, pl.col(columns.TIME).dt.convert_time_zone(timezone).dt.hour())
    shifts = (
        _shift("type", _counted(rows, pl.col(columns.TYPE)), _texts),
        _shift("item", items, lambda codes: _titles(snapshot, codes)),
        _shift("category", _categories(snapshot, items), _texts),
        _shift("hour", hours, _texts),
        *(_of_numbers(rows, name) for name in (columns.VALUE, columns.QUANTITY)),
    )
    told = sorted((shift for shift in shifts if shift is not None), key=lambda shift: -shift.psi)
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


def _texts(values: pl.Series) -> list[str]:
    return values.cast(pl.String).to_list()


def _titles(snapshot: Snapshot, codes: pl.Series) -> list[str]:
    """Items by their titles, with the id where that is another's title too, or by their ids."""
    ids = snapshot.dictionary("item_ids").filter(pl.col(columns.CODE).is_in(codes.implode()))
    titles = snapshot.items().select(columns.ID, columns.TITLE).join(ids.lazy(), on=columns.ID, how="right").collect()
    found = {row[2]: row[:2] for row in titles.select(columns.TITLE, columns.ID, columns.CODE).iter_rows()}
    shared = Counter(title for title, _ in found.values())
    named = {
        code: title if shared[title] == 1 else f"{title} ({item})" for code, (title, item) in found.items() if title
    }
    return [named.get(code) or str(found[code][1]) for code in codes]


def _categories(snapshot: Snapshot, counts: pl.DataFrame) -> pl.DataFrame:
    labels = snapshot.items().select(columns.ID, columns.CATEGORIES).collect().explode(columns.CATEGORIES).drop_nulls()
    coded = labels.join(snapshot.dictionary("item_ids"), on=columns.ID)
    met = counts.join(coded, left_on="value", right_on=columns.CODE)
    return met.select("recent", pl.col(columns.CATEGORIES).alias("value"), "events").group_by("recent", "value").sum()


def _of_numbers(rows: pl.LazyFrame, name: str) -> Shift | None:
    """Numbers by where they lie between the quantiles of those before; what is beyond them all, or no finite number at
    all, has places of its own."""
    then = rows.filter(~pl.col("recent"))
    spread = numbers(then, name, then.select(pl.col(name).approx_n_unique()).collect(engine="streaming").item())
    value, edges = pl.col(name).cast(pl.Float64), [] if spread is None else sorted(set(spread.quantiles.values()))
    within = pl.sum_horizontal(pl.lit(0), *(value > edge for edge in edges))
    if spread is not None:
        beyond = pl.when(value < spread.minimum).then(_BELOW).when(value > spread.maximum).then(_ABOVE)
        within = beyond.otherwise(within)
    place = pl.when(value.is_nan()).then(_NO_NUMBER).when(value.is_infinite()).then(_INFINITE).otherwise(within)
    counts = _counted(rows, pl.when(value.is_not_null()).then(place.cast(pl.Int32)))
    names = dict(enumerate(_ranges(edges))) | _BEYOND
    return _shift(name, counts, lambda places: [names[place] for place in places])


def _ranges(edges: list[float]) -> list[str]:
    """What the numbers up to each edge, and above the last, are called: in as many digits as tell the edges apart."""
    if not edges:
        return ["any number"]
    digits = next(digits for digits in range(4, 18) if len({f"{edge:.{digits}g}" for edge in edges}) == len(edges))
    told = [f"{edge:,.{digits}g}" for edge in edges]
    return [f"up to {told[0]}", *(f"{a} to {b}" for a, b in pairwise(told)), f"above {told[-1]}"]


def _shift(of: str, counts: pl.DataFrame, named: Named) -> Shift | None:
    """The commonest values singly, the rest together; None where there is one value, or one side without any."""
    recent, events = pl.col("recent"), pl.col("events")
    sides = counts.group_by("value").agg(before=events.filter(~recent).sum(), recent=events.filter(recent).sum())
    sides = sides.sort(pl.col("before") + pl.col("recent"), "value", descending=[True, False])
    before, now = (_with_rest(sides[side].to_numpy().astype(float)) for side in ("before", "recent"))
    if sides.height < 2 or not before.any() or not now.any():
        return None
    parts = stability_parts(before, now)
    most = np.argsort(-parts, kind="stable")[:TOLD]
    single = [int(place) for place in most if place < min(NAMED, sides.height)]
    names = dict(zip(single, named(sides["value"].gather(single)), strict=True))
    shares = before / before.sum(), now / now.sum()
    moved = (Moved(names.get(place, OTHERS), *(float(side[place]) for side in shares)) for place in most.tolist())
    return Shift(of, float(parts.sum()), tuple(moved))


def _with_rest(counts: Counts) -> Counts:
    return np.append(counts[:NAMED], counts[NAMED:].sum()) if len(counts) > NAMED else counts
