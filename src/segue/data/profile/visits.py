"""Sessions: how many there are, how much happens in one, and how long it lasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
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
    made = _named(rows) if named else _parted(rows, snapshot.people_count, gap_minutes)
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


def _parted(rows: pl.LazyFrame, people: int, gap_minutes: float) -> pl.DataFrame:
    """One row a session by gaps. Person and time are packed into one integer each: sorting those is what takes time."""
    known = rows.select(PERSON, pl.col(columns.TIME).dt.epoch("us")).drop_nulls().collect(engine="streaming")
    times = known[columns.TIME].to_numpy()
    first, bits = int(times.min()), 63 - people.bit_length()
    unit = max(1, -(-(int(times.max()) - first + 1) >> bits))  # microseconds; more only for many people and many years
    keys = known[PERSON].to_numpy().astype(np.int64) << bits
    keys |= (times - first) // unit
    del known, times
    keys.sort()
    begins = np.diff(keys) > gap_minutes * 60e6 / unit
    begins |= np.diff(keys >> bits) != 0
    starts = np.concatenate([[0], np.flatnonzero(begins) + 1])
    ends = np.concatenate([starts[1:], [len(keys)]])
    return pl.DataFrame({"events": ends - starts, "minutes": (keys[ends - 1] - keys[starts]) * (unit / 60e6)})


def _summed(sessions: pl.lazyframe.group_by.LazyGroupBy) -> pl.DataFrame:
    time = pl.col(columns.TIME)
    length = (time.max() - time.min()).dt.total_microseconds() / 60e6
    return sessions.agg(pl.len().alias("events"), length.alias("minutes")).collect(engine="streaming")


def _quantile(values: pl.Series, share: float) -> float:
    return float(values.quantile(share, "nearest") or 0)
