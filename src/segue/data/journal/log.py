"""The one log: the events and decisions of the lake, and behind them those that the journal still holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import polars as pl

from segue.data.journal.drain import event_rows, remembered_events
from segue.data.journal.journal import Journal, Journaled
from segue.data.lake.lake import Lake
from segue.data.lake.layouts import DECISIONS, EVENTS, PEOPLE_AND_ITEM
from segue.data.lake.pieces import Layout
from segue.data.lake.rows import as_decision, as_laid_out, decision_rows, with_day
from segue.domain import columns
from segue.domain.decisions import Decision

AT_ONCE: Final = 50_000


class Log:
    """Everything that was acknowledged, whether it was drained or not, each once. Ids are strings, nothing is coded."""

    def __init__(self, lake: Lake, journal: Journal) -> None:
        self.lake = lake
        self.journal = journal

    def events(self) -> pl.LazyFrame:
        """The events, with the columns of the lake's table, in no promised order."""
        tail = None
        while tail is None:
            snapshot = self.lake.snapshot()
            tail = self._undrained_events(snapshot.transaction(self.journal.name))
        name = self.journal.name
        trusted = remembered_events(self.journal, datetime.now(UTC))
        parts = (event_rows(tail[start : start + AT_ONCE]) for start in range(0, len(tail), AT_ONCE))
        return _behind(snapshot.events(), [snapshot.unknown(rows, trusted) for rows in parts], name, EVENTS)

    def decisions(self) -> pl.LazyFrame:
        """The decisions, with the columns of the lake's table, in no promised order."""
        name = self.journal.decisions_name
        snapshot = self.lake.snapshot()
        rows, last = [], snapshot.transaction(name, "decisions")
        while made := self.journal.decisions_after(last, AT_ONCE):  # drained ones stay a day, so none can be missing
            last = made[-1][0]
            rows.append(decision_rows([decision for _, decision in made], name))
        return _behind(snapshot.decisions(), rows, name, DECISIONS)

    def decision(self, identifier: str) -> Decision | None:
        """One decision by its id: from the journal, or from the lake once the journal has let it go."""
        kept = self.journal.decision(identifier)
        if kept is not None:
            return kept
        rows = self.lake.snapshot().decisions().filter(pl.col(columns.ID) == identifier).head(1).collect()
        return as_decision(rows.row(0, named=True)) if rows.height else None

    def _undrained_events(self, through: int) -> list[Journaled] | None:
        """The journal's events after a place; None where some of them were drained and trimmed meanwhile."""
        rows: list[Journaled] = []
        while True:
            tail = self.journal.events_after(rows[-1].sequence if rows else through, AT_ONCE)
            if tail.trimmed > through:
                return None
            rows += tail.events
            if len(tail.events) < AT_ONCE:
                return rows


def _behind(drained: pl.LazyFrame, undrained: list[pl.DataFrame], batch: str, layout: Layout) -> pl.LazyFrame:
    parts = [
        as_laid_out(with_day(rows.with_columns(pl.lit(batch).alias(columns.BATCH))), layout, PEOPLE_AND_ITEM).lazy()
        for rows in undrained
    ]
    return pl.concat([drained, *parts])
