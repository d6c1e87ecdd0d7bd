"""What each person did, complete at every moment: the index of the lake, and behind it the journal's tail."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from segue.data.histories.index import KEPT, HistoryIndex, Past, build, publish, weights_digest
from segue.data.histories.layers import upon
from segue.data.histories.links import Alike
from segue.data.histories.marks import foreign_mark
from segue.data.histories.newest import NewestLinks
from segue.data.journal.journal import Journal, Journaled, SQLiteJournal, Tail, microseconds
from segue.data.lake.lake import Lake
from segue.data.lake.lease import lease
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import EventSource
from segue.domain.errors import DataError, SegueError
from segue.domain.events import Event
from segue.domain.requests import NO_TIME

BEHIND_AT_LEAST: Final = 20_000  # events that the tail may hold before the index is built again
BEHIND_SHARE: Final = 0.25  # or this share of the index, if that is more: so a drain costs what its new rows cost
PATIENCE_S: Final = 5.0
RETRY_S: Final = 0.002


class UserState:
    """Histories for serving. Any number of processes read; each notices a new index by itself.

    The index says up to which place of the journal it goes, and the journal, read at one moment, up to which place it
    was trimmed. The journal is only trimmed below the current index, so a reader whose index is older than the trim
    sees that, opens the current one and reads again: no event is missed, none is met twice.

    `folder` is the workspace: the index is in its `state/`, the journal in its `journal/` unless one is given.
    """

    def __init__(self, folder: Path, source: EventSource | None = None, journal: Journal | None = None) -> None:
        self.folder = Path(folder) / "state"
        self.source = source or EventSource()
        self.journal: Journal = journal or SQLiteJournal(Path(folder) / "journal")
        try:
            go_on_behind(Lake(Path(folder) / "lake"), self.journal)
        except SegueError as error:  # a torn log of the lake is mended by the next writer, and a drain looks again
            _log.warning("whether the journal is older than the lake cannot be told: %s", error)
        self._type_weights: dict[str, float] = {}
        self._opened: tuple[tuple[int, int], HistoryIndex] | None = None  # set at once: threads share it
        self._links: tuple[HistoryIndex | None, NewestLinks] | None = None  # the same

    def history(self, person: str) -> list[Past]:
        """What a person (as `person_key` names them) did that weighs something: the newest 1,000, oldest first.

        What weighs 0 is not there, so nobody can look in it for what a person was shown (impressions weigh 0 unless
        [events.types] says otherwise). An event that the lake has already under its id, from a file or from before
        the journal forgot it, is there twice until it is drained and the index goes beyond it; the lake keeps the one
        that it had.
        """
        until = time.monotonic() + PATIENCE_S
        while True:
            index = self._current()
            through = self._through(index)
            who = self._alike(person, index, through)
            names = [*who.names, *who.turns]
            tails = [self.journal.tail(name, through) for name in names]
            if max(tail.trimmed for tail in tails) <= through:
                pasts = [_counted(index.history(name), name, who) for name in names] if index else []
                newest = [entry for entry in _in_order(tails) if who.counts(entry.event.person, _moment(entry.event))]
                return _joined(_merged(pasts), self._weighed(newest))
            if time.monotonic() > until:
                raise DataError(
                    f"the index of histories ends at place {through} of the journal, trimmed to {tails[0].trimmed}",
                    where=str(self.folder),
                    mend="was the folder removed? `segue drain` builds it again from the lake",
                )
            time.sleep(RETRY_S)

    def update(self, snapshot: Snapshot, wait_s: float = 60.0) -> None:
        """Bring the index to a snapshot, unless it goes further already.

        What files brought since comes as a layer upon it where that is little; else it is built whole.
        """
        with self.writer(wait_s):
            current = self._current()
            if current and self._through(current) > snapshot.transaction(self.journal.name):
                return
            layer = upon(current, snapshot) if current and self._goes_on(current, snapshot) else None
            publish(self.folder, build(snapshot, self.source, self.journal.name, self.folder, layer))

    def rebuild(self, snapshot: Snapshot, wait_s: float = 60.0) -> None:
        """Build the whole index of a snapshot, unless the current one goes further."""
        with self.writer(wait_s):
            if self.through() > snapshot.transaction(self.journal.name):
                return
            publish(self.folder, build(snapshot, self.source, self.journal.name, self.folder))

    def told(self) -> dict[str, int]:
        """How many events and people the index holds."""
        index = self._current()
        made = index and index.manifest
        return {"events": made.events if made else 0, "people": made.people if made else 0}

    def is_behind(self, snapshot: Snapshot) -> bool:
        """Whether the index misses files that were ingested, weighs differently, or leaves the tail too much."""
        index = self._current()
        if index is None or index.manifest.journal != self.journal.name:
            return snapshot.events_count > 0
        return index.manifest.foreign != foreign_mark(snapshot) or not self._goes_on(index, snapshot)

    def _goes_on(self, index: HistoryIndex, snapshot: Snapshot) -> bool:
        """Whether an index weighs as is said now, and does not leave the tail of its journal too much."""
        made = index.manifest
        behind = snapshot.transaction(self.journal.name) - made.through
        weighs = made.journal == self.journal.name and made.weights == weights_digest(self.source)
        return weighs and behind < max(BEHIND_AT_LEAST, BEHIND_SHARE * made.events)

    def through(self) -> int:
        """The last place of the journal whose event is in the index."""
        return self._through(self._current())

    @contextmanager
    def writer(self, wait_s: float = 0.0) -> Iterator[None]:
        """Be the only one who builds the index while the block runs."""
        with lease(self.folder / ".writer", "building the index of histories", wait_s):
            yield

    def _through(self, index: HistoryIndex | None) -> int:
        if index is None or index.manifest.journal != self.journal.name:
            return 0
        return index.manifest.through

    def _current(self) -> HistoryIndex | None:
        """The current index, whole; opened again only where the file that names it was replaced."""
        path = self.folder / "current"
        while True:
            try:
                status = os.stat(path)
                stamp = (status.st_ino, status.st_mtime_ns)
                opened = self._opened
                if opened is not None and opened[0] == stamp:
                    return opened[1]
                name = path.read_text()
                index = self._open(name)
                if path.read_text() != name:
                    continue  # what was opened may lack files: they go once another index is the current one
            except FileNotFoundError:
                return None
            if index is not None:
                self._opened = (stamp, index)
            return index

    def _open(self, name: str) -> HistoryIndex | None:
        """The index of this name; None where it is gone: unless it was replaced, the next drain builds it again."""
        try:
            return HistoryIndex(self.folder / name)
        except FileNotFoundError:
            return None

    def _alike(self, person: str, index: HistoryIndex | None, through: int) -> Alike:
        """Who is one person, as index and journal say; nobody else where that is not declared."""
        if not self.source.identity.stitch:
            return Alike([person])
        links = self._links
        if links is None or links[0] is not index:
            links = self._links = (index, NewestLinks(self.journal, through, self.source.identity.shared))
        return links[1].alike(person, None if index is None else index.linked)

    def _weighed(self, events: list[Journaled]) -> list[Past]:
        met = ((entry.event, self._weight(entry.event)) for entry in events)
        return [
            Past(event.item, event.type, weight, _moment(event))
            for event, weight in met
            if weight > 0 and event.item is not None
        ]

    def _weight(self, event: Event) -> float:
        """As `weigh` does for many at once; tests hold the two to each other."""
        weight = self._type_weights.get(event.type)
        if weight is None:
            weight = self._type_weights[event.type] = self.source.type_weight(event.type)
        if self.source.weight != "type":
            amount = event.value if self.source.weight == "value" else event.quantity
            weight *= math.nan if amount is None else amount
        if not 0 < weight <= _LARGEST:
            return 0.0
        return float(np.float32(weight))


def go_on_behind(lake: Lake, journal: Journal) -> None:
    """Have a journal that is older than the lake, such as one from a backup, give no place that the lake has noted.

    What came under such a place would be taken for drained, and never come in.
    """
    events, decisions = lake.drained("events", journal.name), lake.drained("decisions", journal.decisions_name)
    last = journal.last()
    if last.events < events or last.decisions < decisions:
        _log.warning("%s is older than the lake: it goes on behind what the lake has of it", journal.name)
        journal.go_on_behind(events, decisions)


_log: Final = logging.getLogger("segue.state")
_LARGEST: Final = float(np.finfo(np.float32).max)


def _counted(past: list[Past], name: str, who: Alike) -> list[Past]:
    """What of a name's past counts for the person; the very list where all does."""
    return past if name not in who.turns else [event for event in past if who.counts(name, event.time)]


def _merged(pasts: list[list[Past]]) -> list[Past]:
    """What several names did, oldest first; the very list where there is one."""
    told = [past for past in pasts if past]
    return told[0] if len(told) == 1 else sorted((event for past in told for event in past), key=_time)


def _in_order(tails: list[Tail]) -> list[Journaled]:
    """The events of all tails as they came."""
    if len(tails) == 1:
        return tails[0].events
    return sorted((entry for tail in tails for entry in tail.events), key=lambda entry: entry.sequence)


def _joined(past: list[Past], tail: list[Past]) -> list[Past]:
    """Both in the order of time; what came late takes its place."""
    joined = past + tail
    if (past and tail and min(tail, key=_time).time < past[-1].time) or len(tail) > 1:
        joined.sort(key=_time)
    return joined[-KEPT:]


def _time(event: Past) -> int:
    return event.time


def _moment(event: Event) -> int:
    return int(NO_TIME) if event.time is None else microseconds(event.time)


__all__ = ["HistoryIndex", "Past", "UserState"]
