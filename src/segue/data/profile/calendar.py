"""When things happen: growth by day, week or month, the hours of the week, and the times when nothing came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.data.profile.activity import PERSON, person
from segue.domain import columns

Unit = Literal["day", "week", "month"]
STEP: Final = timedelta(minutes=15)  # zones differ from UTC by multiples of it
GAPS: Final = 5
DAYS_AT_MOST: Final = {"day": 92, "week": 3 * 366}
PERIODS: Final = 400  # the last ones
STEPS: Final = {"day": "1d", "week": "1w", "month": "1mo"}


@dataclass(frozen=True)
class Period:
    """One day, week or month. `new` people did nothing before. `whole` is False where the log covers a part of it."""

    start: date
    events: int
    people: int
    new: int
    items: int
    whole: bool

    @property
    def returning(self) -> int:
        """People who did something before."""
        return self.people - self.new


@dataclass(frozen=True)
class Growth:
    """The last 400 periods in order, those without events among them; `first` and `last` day of all, in `timezone`."""

    unit: Unit
    timezone: str
    first: date
    last: date
    periods: tuple[Period, ...]

    @property
    def days(self) -> int:
        """From the first event to the last, both days included."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Gap:
    """A time without any event, to a quarter of an hour."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> float:
        """Its length."""
        return (self.end - self.start) / timedelta(hours=1)


@dataclass(frozen=True)
class Seasons:
    """Events by weekday (Monday first) and hour, in `timezone`, and when nothing came.

    gaps       the longest times without an event, the longest first
    silent     days between the first and the last without an event
    by_hour    7 rows of 24 counts
    """

    timezone: str
    by_hour: tuple[tuple[int, ...], ...]
    gaps: tuple[Gap, ...]
    silent: int

    @property
    def by_weekday(self) -> tuple[int, ...]:
        """Events of each weekday, Monday first."""
        return tuple(sum(day) for day in self.by_hour)


def quarters(snapshot: Snapshot) -> pl.DataFrame:
    """Events by quarter of an hour, UTC: `quarter`, `events`, sorted; events without a time are left out."""
    times = snapshot.coded_events().select(pl.col(columns.TIME).dt.truncate("15m").alias("quarter")).drop_nulls()
    return times.group_by("quarter").len("events").sort("quarter").collect(engine="streaming")


def growth(snapshot: Snapshot, counts: pl.DataFrame, timezone: str) -> Growth | None:
    """Events, people and items by period; None where the events have no time."""
    if counts.is_empty():
        return None
    days = _local(pl.col("quarter"), timezone).dt.date()
    first, last = counts.select(days.min().alias("first"), days.max().alias("last")).row(0)
    span = (last - first).days + 1
    unit: Unit = "day" if span <= DAYS_AT_MOST["day"] else "week" if span <= DAYS_AT_MOST["week"] else "month"
    rows = _periods(snapshot, unit, timezone)
    starts = pl.DataFrame({"start": pl.date_range(first, last, "1d", eager=True).dt.truncate(STEPS[unit]).unique()})
    met = starts.join(rows, on="start", how="left").fill_null(0).sort("start").tail(PERIODS)
    ends = met["start"].dt.offset_by(STEPS[unit])
    whole = met.with_columns(((pl.col("start") >= first) & (ends <= last + timedelta(days=1))).alias("whole"))
    periods = (Period(**row) for row in whole.iter_rows(named=True))
    return Growth(unit, timezone, first, last, tuple(periods))


def _periods(snapshot: Snapshot, unit: Unit, timezone: str) -> pl.DataFrame:
    start = _local(pl.col(columns.TIME), timezone).dt.date().dt.truncate(STEPS[unit]).alias("start")
    rows = snapshot.coded_events().filter(pl.col(columns.TIME).is_not_null()).select(start, person(), columns.ITEM)
    met = rows.group_by("start").agg(
        pl.len().alias("events"),
        pl.col(PERSON).drop_nulls().n_unique().alias("people"),
        pl.col(columns.ITEM).drop_nulls().n_unique().alias("items"),
    )
    first = rows.filter(pl.col(PERSON).is_not_null()).group_by(PERSON).agg(pl.col("start").min())
    new = first.group_by("start").len("new")
    return met.join(new, on="start", how="left").fill_null(0).collect(engine="streaming")


def seasons(counts: pl.DataFrame, timezone: str) -> Seasons | None:
    """The hours of the week and the gaps, from `quarters`."""
    if counts.is_empty():
        return None
    local = counts.with_columns(_local(pl.col("quarter"), timezone).alias("local"))
    by_hour = local.group_by(
        pl.col("local").dt.weekday().alias("weekday"), pl.col("local").dt.hour().alias("hour")
    ).agg(pl.col("events").sum())
    heights = {(weekday, hour): events for weekday, hour, events in by_hour.iter_rows()}
    day = pl.col("local").dt.date()
    first, last, days = local.select(day.min(), day.max().alias("last"), day.n_unique().alias("days")).row(0)
    return Seasons(
        timezone=timezone,
        by_hour=tuple(tuple(heights.get((day, hour), 0) for hour in range(24)) for day in range(1, 8)),
        gaps=tuple(_gaps(counts["quarter"], timezone)),
        silent=(last - first).days + 1 - days,
    )


def _gaps(times: pl.Series, timezone: str) -> list[Gap]:
    local = times.dt.convert_time_zone(timezone)
    pairs = pl.DataFrame({"start": local.dt.offset_by("15m"), "end": local.shift(-1)}).drop_nulls()
    longest = pairs.with_columns((pl.col("end") - pl.col("start")).alias("long")).filter(pl.col("long") > STEP)
    return [
        Gap(*row) for row in longest.top_k(GAPS, by="long").sort("long", descending=True).select("start", "end").rows()
    ]


def _local(time: pl.Expr, timezone: str) -> pl.Expr:
    return time if timezone == "UTC" else time.dt.convert_time_zone(timezone)
