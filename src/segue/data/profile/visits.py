"""Sessions: how many there are, how much happens in one, and how long it lasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from segue.data.identity.robots import Robot
from segue.data.identity.sessions import session_sizes
from segue.data.identity.settings import SessionSettings
from segue.data.lake.snapshot import Snapshot

BANDS: Final = (1, 2, 3, 5, 10, 20, 50, 100)  # events of a session: from this many on
SHARES: Final = (0.5, 0.9)


@dataclass(frozen=True)
class Visits:
    """Sessions of people.

    named     how many are the log's own; the others end where nothing happened for `gap_minutes`
    events    share of sessions -> events of one
    minutes   share of sessions -> minutes of one; None without times
    bands     (events from, sessions): from that many on, to below the next
    """

    sessions: int
    named: int
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
    made = session_sizes(snapshot.coded_events(), snapshot.people_count, SessionSettings(gap_minutes=gap_minutes))
    if made.is_empty():
        return None
    minutes = made["minutes"].drop_nulls()
    return Visits(
        sessions=made.height,
        named=int(made["named"].sum()),
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


def _quantile(values: pl.Series, share: float) -> float:
    return float(values.quantile(share, "nearest") or 0)
