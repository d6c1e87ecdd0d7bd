"""Draining: what the journal acknowledged goes into the lake, once; the index follows, the journal is trimmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import polars as pl

from segue.data.histories.state import UserState, go_on_behind
from segue.data.journal.journal import DECISIONS_KEPT, IDS_REMEMBERED, Journal, Journaled
from segue.data.lake.lake import Lake
from segue.data.lake.lease import lease
from segue.data.lake.rows import Trusted
from segue.domain import columns

AT_ONCE: Final = 50_000  # events of one commit
DECISIONS_AT_ONCE: Final = 2_000
WAIT_S: Final = 60.0  # for a writer of the lake, such as `segue ingest`


@dataclass(frozen=True)
class Drained:
    """How many events and decisions came into the lake, and how many events it had already: from a file, or because
    they were sent again when the journal had forgotten their ids."""

    events: int
    decisions: int
    duplicates: int = 0


def drain(lake: Lake, journal: Journal, state: UserState, now: datetime | None = None) -> Drained:
    """Bring what is in the journal now into the lake; `BusyError` where another process drains.

    Nothing goes into the lake that the journal could still lose: it is synced first. An id that the lake has does not
    come in again; rows of this journal that are younger than what it remembers are not looked at for that.
    Every step can be cut off anywhere and done again. Each commit says up to which place of the journal it goes, so
    nothing is taken twice; the journal lets go of an event only when both the lake and the index have it on disk.
    """
    now = now or datetime.now(UTC)
    with lease(state.folder / ".drainer", "draining the journal"):
        with lake.writer(WAIT_S):
            go_on_behind(lake, journal)
            drained = _drain(lake, journal, now)
            lake.compact("events", journal.name)
            lake.compact("decisions", journal.decisions_name)
        snapshot = lake.snapshot()
        if state.is_behind(snapshot):
            state.update(snapshot)
        journal.trim(
            events=lake.drained("events", journal.name),
            decisions=lake.drained("decisions", journal.decisions_name),
            indexed=state.through(),
            now=now,
        )
    return drained


def _drain(lake: Lake, journal: Journal, now: datetime) -> Drained:
    events = duplicates = decisions = 0
    end = journal.last()  # what comes in meanwhile is for the next drain: it is not synced, and would never end
    journal.sync()
    name, last = journal.name, lake.drained("events", journal.name)
    trusted = remembered_events(journal, now)
    while last < end.events and (rows := _until(end.events, journal.events_after(last, AT_ONCE).events)):
        last = rows[-1].sequence
        appended = lake.commit_events(event_rows(rows), name, name, last, trusted)
        events, duplicates = events + appended.rows, duplicates + appended.duplicates
    name, last = journal.decisions_name, lake.drained("decisions", journal.decisions_name)
    trusted = Trusted(name, columns.TIME, max(now - DECISIONS_KEPT, journal.remembers().decisions))
    while last < end.decisions and (made := journal.decisions_after(last, DECISIONS_AT_ONCE)):
        made = [entry for entry in made if entry[0] <= end.decisions]
        if not made:
            break
        last = made[-1][0]
        decisions += lake.commit_decisions([decision for _, decision in made], name, name, last, trusted).rows
    return Drained(events, decisions, duplicates)


def _until(end: int, rows: list[Journaled]) -> list[Journaled]:
    return [row for row in rows if row.sequence <= end]


def remembered_events(journal: Journal, now: datetime) -> Trusted:
    """The rows of the lake whose ids this journal remembers, so that what it took as new is not among them."""
    return Trusted(journal.name, columns.RECEIVED, max(now - IDS_REMEMBERED, journal.remembers().events))


def event_rows(rows: list[Journaled]) -> pl.DataFrame:
    """Journaled events as the lake takes them; the place in the journal is their order."""
    events = [row.event for row in rows]
    names = (columns.ID, columns.USER, columns.VISITOR, columns.ITEM, columns.TYPE, columns.SESSION, columns.DECISION)
    contexts = [msgspec.json.encode(event.context).decode() if event.context else None for event in events]
    received = pl.Series([row.received for row in rows], dtype=pl.Int64).cast(_MOMENT)
    return pl.DataFrame(
        {
            **{name: pl.Series([getattr(event, name) for event in events], dtype=pl.String) for name in names},
            columns.TIME: pl.Series([event.time for event in events], dtype=_MOMENT),
            columns.RECEIVED: received,
            columns.VALUE: pl.Series([event.value for event in events], dtype=pl.Float64),
            columns.QUANTITY: pl.Series([event.quantity for event in events], dtype=pl.Float64),
            columns.ORDER: pl.Series([row.sequence for row in rows], dtype=pl.Int64),
            columns.POSITION: pl.Series([event.position for event in events], dtype=pl.Int32),
            columns.CONTEXT: pl.Series(contexts, dtype=pl.String),
        }
    )


_MOMENT: Final = pl.Datetime("us", "UTC")
