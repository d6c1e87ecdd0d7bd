"""Sessions: how many there are, how much happens in one, and how long it lasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from segue.data.identity.robots import Robot
from segue.data.lake.snapshot import Snapshot
from segue.data.profile.activity import PERSON, person
from segue.domain import columns

BANDS: Final = (1, 2, 3, 5, 10, 20, 50, 100)  # events of a session: from this many on
SHARES: Final = (0.5, 0.9)


@dataclass(frozen=True)
class Visits:
    """Sessions of people.

    named     whether they are the log's own; else they end where nothing happened for `gap_minutes`
    events    share of sessions -> events of one
    minutes   share of sessions -> minutes of one; None without times
    bands     (events from, sessions): from that many on, to below the next
    """

    sessions: int
    named: bool
    gap_minutes: float
    single: int
    events: dict[float, int]
    minutes: dict[float, float] | None
    bands: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Robots:
    """Who is taken for a robot: how many, with how many events, and how many broke each rule."""

    found: int
    events: int
    rules: tuple[tuple[str, int], ...]
    excluded: bool


def visits(snapshot: Snapshot, gap_minutes: float) -> Visits | None:
    """The sessions of a snapshot; None where the log has neither names of sessions nor times."""
    rows = snapshot.coded_events().select(person(), columns.TIME, columns.SESSION).drop_nulls(PERSON)
    given = rows.select(pl.len(), pl.col(columns.SESSION).count(), pl.col(columns.TIME).count())
    every, names, times = given.collect(engine="streaming").row(0)
    if not names and not times:
        return None
    named = names * 2 >= every
    made = _named(rows) if named else _parted(rows, gap_minutes)
    minutes = made["minutes"].drop_nulls()
    return Visits(
        sessions=made.height,
        named=named,
        gap_minutes=gap_minutes,
        single=int((made["events"] == 1).sum()),
        events={share: int(_quantile(made["events"], share)) for share in SHARES},
        minutes={share: _quantile(minutes, share) for share in SHARES} if len(minutes) else None,
        bands=tuple(
            (low, made.filter(pl.col("events").is_between(low, high, closed="left")).height)
            for low, high in zip(BANDS, (*BANDS[1:], 1 << 62), strict=True)
        ),
    )


def told_robots(found: Sequence[Robot], *, excluded: bool) -> Robots:
    """Robots as aggregates."""
    rules = Counter(rule for robot in found for rule in robot.evidence)
    return Robots(len(found), sum(robot.events for robot in found), tuple(rules.most_common()), excluded)


def _named(rows: pl.LazyFrame) -> pl.DataFrame:
    """One row a session of the log's own, by the hash of its name."""
    hashed = rows.drop_nulls(columns.SESSION).with_columns(pl.col(columns.SESSION).hash())
    return _summed(hashed.group_by(PERSON, columns.SESSION))


def _parted(rows: pl.LazyFrame, gap_minutes: float) -> pl.DataFrame:
    """One row a session by gaps."""
    known = rows.select(PERSON, columns.TIME).drop_nulls().sort(PERSON, columns.TIME)
    gap = pl.col(columns.TIME).diff() > pl.duration(microseconds=round(gap_minutes * 60e6))
    begins = (gap | (pl.col(PERSON).diff() != 0)).fill_null(value=True)
    return _summed(known.with_columns(begins.cum_sum().alias("number")).group_by("number"))


def _summed(sessions: pl.lazyframe.group_by.LazyGroupBy) -> pl.DataFrame:
    time = pl.col(columns.TIME)
    length = (time.max() - time.min()).dt.total_microseconds() / 60e6
    return sessions.agg(pl.len().alias("events"), length.alias("minutes")).collect(engine="streaming")


def _quantile(values: pl.Series, share: float) -> float:
    return float(values.quantile(share, "nearest") or 0)
