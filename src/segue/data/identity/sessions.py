"""Sessions: what one person did in one go, by the log's own names, or by the gaps between events."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

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


__all__ = ["PERSON", "sessions", "with_sessions"]
