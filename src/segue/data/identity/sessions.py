"""Sessions: what one person did in one go, by the log's own names, or by the gaps between events."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from segue.data.identity.settings import SessionSettings
from segue.domain import columns

PERSON: Final = "person"
START: Final = "start"


def with_sessions(events: pl.LazyFrame, settings: SessionSettings | None = None) -> pl.LazyFrame:
    """The events (with ids, not codes) of people, `person` (as `person_key` names them) and `session` filled in.

    The log's own session ids stay as they are. Events without one make sessions by gaps of more than `gap_minutes`
    between one and the next of the same person, named after the person and the first event's time. Events without a
    time have no session but their own id. Sorted by person and time.
    """
    gap = timedelta(minutes=(settings or SessionSettings()).gap_minutes)
    user, visitor = pl.col(columns.USER), pl.col(columns.VISITOR)
    person = pl.coalesce(pl.lit("u:") + user, pl.lit("v:") + visitor).alias(PERSON)
    known = (
        events.with_columns(person).filter(pl.col(PERSON).is_not_null()).sort(PERSON, columns.TIME, maintain_order=True)
    )
    own, time = pl.col(columns.SESSION), pl.col(columns.TIME)
    alone = own.is_null() & time.is_not_null()
    began = (time - time.shift(1) > gap).fill_null(value=True)
    first = pl.when(began).then(time).forward_fill()
    by_gap = pl.format("{}@{}", PERSON, first.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))
    made = pl.when(alone).then(by_gap.over(PERSON, alone))
    return known.with_columns(pl.coalesce(own, made).alias(columns.SESSION))


def sessions(events: pl.LazyFrame, settings: SessionSettings | None = None) -> pl.LazyFrame:
    """One row a session: `session`, `person`, `start`, `end`, `events`, sorted by person and start.

    One id of the log that several people have is a session for each of them. All events are sorted in memory; a log
    too large for that may be given in parts, each with all events of its people.
    """
    time = pl.col(columns.TIME)
    grouped = with_sessions(events, settings).filter(pl.col(columns.SESSION).is_not_null())
    made = grouped.group_by(columns.SESSION, PERSON).agg(
        time.min().alias(START), time.max().alias("end"), pl.len().alias("events")
    )
    return made.sort(PERSON, START, columns.SESSION)


def session_sizes(coded: pl.LazyFrame, people: int, settings: SessionSettings | None = None) -> pl.DataFrame:
    """One row for each of the `sessions` of coded events, in no order, for logs of many millions: `events`, `minutes`
    from the first to the last (null without times), and whether it is `named` by the log.

    `people` is how many person codes there are. Of each event two numbers are in memory, not its ids.
    """
    person = pl.coalesce(columns.USER, columns.VISITOR).alias(PERSON)
    rows = coded.select(person, columns.TIME, columns.SESSION).drop_nulls(PERSON)
    own, time = pl.col(columns.SESSION), pl.col(columns.TIME)
    length = (time.max() - time.min()).dt.total_microseconds() / 60e6
    hashed = rows.filter(own.is_not_null()).with_columns(own.hash())
    counted = hashed.group_by(PERSON, columns.SESSION).agg(
        pl.len().cast(pl.Int64).alias("events"), length.alias("minutes")
    )
    named = counted.select("events", "minutes", named=True).collect(engine="streaming")
    alone = rows.filter(own.is_null()).select(PERSON, time.dt.epoch("us")).drop_nulls().collect(engine="streaming")
    parted = _parted(alone, people, (settings or SessionSettings()).gap_minutes) if alone.height else alone.clear()
    return pl.concat([named, parted.with_columns(named=False)]) if parted.height else named


def _parted(known: pl.DataFrame, people: int, gap_minutes: float) -> pl.DataFrame:
    """Sessions by gaps. Person and time are packed into one integer each: sorting those is what takes time."""
    times = known[columns.TIME].to_numpy()
    first, bits = int(times.min()), 63 - people.bit_length()
    unit = max(1, -(-(int(times.max()) - first + 1) >> bits))  # microseconds; more only for many people and many years
    keys = known[PERSON].to_numpy().astype(np.int64) << bits
    keys |= (times - first) // unit
    keys.sort()
    begins = np.diff(keys) > gap_minutes * 60e6 / unit
    begins |= np.diff(keys >> bits) != 0
    starts = np.concatenate([[0], np.flatnonzero(begins) + 1])
    ends = np.concatenate([starts[1:], [len(keys)]])
    return pl.DataFrame({"events": ends - starts, "minutes": (keys[ends - 1] - keys[starts]) * (unit / 60e6)})


__all__ = ["PERSON", "session_sizes", "sessions", "with_sessions"]
