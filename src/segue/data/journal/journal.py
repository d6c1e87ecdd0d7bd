"""The journal: what was just done and decided, on disk before it is acknowledged, kept until the lake has it."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import msgspec

from segue.data.journal.database import Database
from segue.domain.decisions import Decision
from segue.domain.errors import DataError
from segue.domain.events import Event

IDS_REMEMBERED: Final = timedelta(days=7)
DECISIONS_KEPT: Final = timedelta(days=1)  # after they are drained, so that a request sent again finds its decision
SYNC_DECISIONS_S: Final = 0.5
TRIMMED_AT_ONCE: Final = 5_000  # rows: a trim must not make writers wait

_log = logging.getLogger("segue.journal")


class Journaled(NamedTuple):
    """One event as the journal has it: its place, when it was received (microseconds since 1970 UTC), and itself."""

    sequence: int
    received: int
    event: Event


@dataclass(frozen=True)
class Tail:
    """Events after a place, oldest first; `trimmed` is the last place whose event the journal no longer has."""

    trimmed: int
    events: list[Journaled]


@dataclass(frozen=True)
class Pending:
    """How many events and decisions the lake does not have yet."""

    events: int
    decisions: int


@dataclass(frozen=True)
class Places:
    """The last place that was given to an event, and to a decision; 0 where none was."""

    events: int
    decisions: int


@dataclass(frozen=True)
class Remembered:
    """Since when the journal knows every id of an event (by when it was received), every decision (by its time)."""

    events: datetime
    decisions: datetime


@runtime_checkable
class Journal(Protocol):
    """What every journal does; `segue.testing.journal.check_journal` holds it to that.

    Places are counted from 1, in the order of commits, without a gap but for `go_on_behind`. `name` and
    `decisions_name` tell this journal's events and decisions from any other's: the lake notes under them the last place
    that it has.
    """

    @property
    def name(self) -> str: ...

    @property
    def decisions_name(self) -> str: ...

    def append(self, events: Sequence[Event], received: datetime) -> list[bool]:
        """Whether each event was new. Returns when they are on disk; an id of the last seven days is not kept again."""
        ...

    def record(self, decisions: Sequence[Decision]) -> list[Decision]:
        """The decision that stands for each (surface, request_id): the first that was recorded. Visible to every
        process at once, on disk within a second or at the next `sync`."""
        ...

    def sync(self) -> None: ...

    def decision(self, identifier: str) -> Decision | None: ...

    def by_request(self, surface: str, request_id: str) -> Decision | None: ...

    def recent(self, person: str) -> list[Event]:
        """What the journal still has of a person (as `person_key` names them), newest last."""
        ...

    def tail(self, person: str, after: int) -> Tail:
        """What the journal has of a person after a place."""
        ...

    def events_after(self, sequence: int, limit: int) -> Tail:
        """The next events of anybody after a place."""
        ...

    def decisions_after(self, sequence: int, limit: int) -> list[tuple[int, Decision]]:
        """The next decisions after a place, each with its own."""
        ...

    def last(self) -> Places: ...

    def pending(self) -> Pending: ...

    def trim(self, events: int, decisions: int, indexed: int, now: datetime) -> None:
        """The lake has everything up to these places, the index of histories the events up to `indexed`: what both
        have may go. Drained decisions stay a day, ids seven days."""
        ...

    def remembers(self) -> Remembered: ...

    def forget(self, people: Sequence[str]) -> None:
        """Delete what these people (as `person_key` names them) did and what was decided for them, from every byte."""
        ...

    def go_on_behind(self, events: int, decisions: int) -> None:
        """Give no place up to these: a lake has them already. Changes nothing where more were given out."""
        ...

    def close(self) -> None: ...


_EVENTS: Final = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID;
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, person TEXT NOT NULL, received INTEGER NOT NULL, event BLOB NOT NULL
    );
    CREATE INDEX by_person ON events (person);
    CREATE TABLE seen (id BLOB PRIMARY KEY, received INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX seen_received ON seen (received);
    INSERT INTO meta VALUES ('drained', 0), ('trimmed', 0), ('name', lower(hex(randomblob(16))))
"""
_DECISIONS: Final = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID;
    CREATE TABLE decisions (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, surface TEXT NOT NULL,
        request_id TEXT NOT NULL, recorded INTEGER NOT NULL, decision BLOB NOT NULL, UNIQUE (surface, request_id)
    );
    INSERT INTO meta VALUES ('drained', 0), ('name', lower(hex(randomblob(16))))
"""


class SQLiteJournal:
    """The journal of one machine: two SQLite files in a folder, written by any number of processes.

    Events and decisions lie in files of their own, so that a decision never waits for the sync of events.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._events = Database(self.path / "events.db", _EVENTS, "FULL")
        self._decisions = Database(self.path / "decisions.db", _DECISIONS, "NORMAL")
        self.name = f"journal-{self._events.query(_META, 'name')[0][0]}"
        self.decisions_name = f"journal-{self._decisions.query(_META, 'name')[0][0]}"
        self._unsynced = threading.Event()
        self._closed = threading.Event()
        self._starting = threading.Lock()
        self._syncing: threading.Thread | None = None

    def append(self, events: Sequence[Event], received: datetime) -> list[bool]:
        """Whether each event was new; returns after the sync."""
        if not events:
            return []
        at = microseconds(received)
        rows = [(_digest(event.id), event.person, msgspec.json.encode(event)) for event in events]
        new = []
        with self._events.write() as connection:
            for digest, person, payload in rows:
                seen = connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (digest, at))
                new.append(seen.rowcount == 1)
                if new[-1]:
                    connection.execute(
                        "INSERT INTO events (person, received, event) VALUES (?, ?, ?)", (person, at, payload)
                    )
        return new

    def record(self, decisions: Sequence[Decision]) -> list[Decision]:
        """The decision that stands for each request; visible at once, synced half a second later or by `sync`."""
        at = time.time_ns() // 1_000
        rows = [(made.id, made.surface, made.request_id, at, msgspec.json.encode(made)) for made in decisions]
        standing = list(decisions)
        with self._decisions.write() as connection:
            for place, row in enumerate(rows):
                found = connection.execute(f"{_DECISION} WHERE surface = ? AND request_id = ?", row[1:3]).fetchone()
                if found:
                    standing[place] = _decision(found)
                elif connection.execute(_RECORD, row).rowcount == 0:
                    raise _clash(decisions[place])
        self._sync_soon()
        return standing

    def sync(self) -> None:
        """Bring the decisions that were recorded so far to disk."""
        self._unsynced.clear()
        self._decisions.sync()

    def decision(self, identifier: str) -> Decision | None:
        """The decision of this id, as long as the journal has it."""
        found = self._decisions.query(f"{_DECISION} WHERE id = ?", identifier)
        return _decision(found[0]) if found else None

    def by_request(self, surface: str, request_id: str) -> Decision | None:
        """The decision that stands for a request, as long as the journal has it."""
        found = self._decisions.query(f"{_DECISION} WHERE surface = ? AND request_id = ?", surface, request_id)
        return _decision(found[0]) if found else None

    def recent(self, person: str) -> list[Event]:
        """What the journal still has of a person, newest last."""
        return [journaled.event for journaled in self.tail(person, 0).events]

    def tail(self, person: str, after: int) -> Tail:
        """What the journal has of a person after a place, and the place up to which it was trimmed, at one moment."""
        return self._tail("person = ? AND sequence > ? ORDER BY sequence", person, after)

    def events_after(self, sequence: int, limit: int) -> Tail:
        """The next events after a place."""
        return self._tail("sequence > ? ORDER BY sequence LIMIT ?", sequence, limit)

    def decisions_after(self, sequence: int, limit: int) -> list[tuple[int, Decision]]:
        """The next decisions after a place."""
        sql = "SELECT decision, sequence FROM decisions WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return [(row[1], _decision(row)) for row in self._decisions.query(sql, sequence, limit)]

    def last(self) -> Places:
        """The last places that were given."""
        return Places(*(int(database.query(_LAST)[0][0]) for database in (self._events, self._decisions)))

    def pending(self) -> Pending:
        """How many events and decisions the lake does not have yet."""
        waiting = f"{_LAST} - (SELECT value FROM meta WHERE name = 'drained')"
        return Pending(*(int(database.query(waiting)[0][0]) for database in (self._events, self._decisions)))

    def trim(self, events: int, decisions: int, indexed: int, now: datetime) -> None:
        """Forget events that both lake and index have, decisions drained a day ago, ids of more than seven days."""
        at, trimmed = microseconds(now), min(events, indexed)
        ids_from, kept_from = at - _microseconds(IDS_REMEMBERED), at - _microseconds(DECISIONS_KEPT)
        with self._events.write() as connection:  # first, so that readers know before the first row goes
            connection.execute(_RAISE, (events, "drained"))
            connection.execute(_RAISE, (trimmed, "trimmed"))
            connection.execute(_RAISE, (ids_from, "remembers"))
        with self._decisions.write() as connection:
            connection.execute(_RAISE, (decisions, "drained"))
            connection.execute(_RAISE, (kept_from, "remembers"))
        _delete(self._events, "events", "sequence", "sequence <= ?", trimmed)
        _delete(self._events, "seen", "id", "received < ?", ids_from)
        _delete(self._decisions, "decisions", "sequence", "sequence <= ? AND recorded < ?", decisions, kept_from)

    def forget(self, people: Sequence[str]) -> None:
        """Delete what these people did and what was decided for them, as user or as visitor, from the files' bytes.

        Ids of events stay remembered (as digests), so that what is sent again does not come in again.
        """
        for database, table, column in (
            (self._events, "events", "event"),
            (self._decisions, "decisions", "decision"),
        ):
            said = f"CAST({column} AS TEXT)"
            named = f"'u:' || ({said} ->> 'user') = ? OR 'v:' || ({said} ->> 'visitor') = ?"
            with database.write() as connection:
                for person in people:
                    connection.execute(f"DELETE FROM {table} WHERE {named}", (person, person))
            database.scrub()

    def remembers(self) -> Remembered:
        """Since when nothing was forgotten."""
        since = "SELECT coalesce((SELECT value FROM meta WHERE name = 'remembers'), 0)"
        found = (int(database.query(since)[0][0]) for database in (self._events, self._decisions))
        return Remembered(*(_EPOCH + timedelta(microseconds=place) for place in found))

    def go_on_behind(self, events: int, decisions: int) -> None:
        """Give no place up to these: the file is older than the lake, from a backup or for lack of a sync."""
        for database, table, place in ((self._events, "events", events), (self._decisions, "decisions", decisions)):
            with database.write() as connection:
                connection.execute(_FIRST_PLACE, (table, table))
                connection.execute(_RAISE_PLACE, (place, table))
                connection.execute(_RAISE, (place, "drained"))
                connection.execute(_RAISE, (time.time_ns() // 1_000, "remembers"))

    def close(self) -> None:
        """Sync what is unsynced and let go of the files."""
        self._closed.set()
        self._unsynced.set()
        if self._syncing is not None:
            self._syncing.join()
        self._decisions.sync()
        self._events.close()
        self._decisions.close()

    def _tail(self, condition: str, *values: object) -> Tail:
        with self._events.read() as connection:
            trimmed = connection.execute(_META, ("trimmed",)).fetchone()[0]
            rows = connection.execute(f"SELECT sequence, received, event FROM events WHERE {condition}", values)
            return Tail(trimmed, [Journaled(row[0], row[1], _EVENT.decode(row[2])) for row in rows])

    def _sync_soon(self) -> None:
        self._unsynced.set()
        if self._syncing is None:
            with self._starting:
                if self._syncing is None:
                    self._syncing = threading.Thread(target=self._keep_synced, name="journal-sync", daemon=True)
                    self._syncing.start()

    def _keep_synced(self) -> None:
        while self._unsynced.wait() and not self._closed.wait(SYNC_DECISIONS_S):
            try:
                self.sync()
            except OSError as error:
                _log.error("decisions could not be synced, trying again: %s", error)
                self._unsynced.set()


def microseconds(moment: datetime) -> int:
    """A moment in microseconds since 1970 UTC, exactly."""
    return _microseconds(moment - _EPOCH)


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = "SELECT coalesce((SELECT seq FROM sqlite_sequence), 0)"
_META: Final = "SELECT value FROM meta WHERE name = ?"
_FIRST_PLACE: Final = (
    "INSERT INTO sqlite_sequence (name, seq) SELECT ?, 0 WHERE NOT EXISTS "
    "(SELECT 1 FROM sqlite_sequence WHERE name = ?)"
)
_RAISE_PLACE: Final = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?"
_RAISE: Final = (
    "INSERT INTO meta (value, name) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)"
)
_RECORD: Final = "INSERT OR IGNORE INTO decisions (id, surface, request_id, recorded, decision) VALUES (?, ?, ?, ?, ?)"
_DECISION: Final = "SELECT decision FROM decisions"
_EVENT: Final = msgspec.json.Decoder(Event)
_DECISION_DECODER: Final = msgspec.json.Decoder(Decision)


def _decision(row: tuple[Any, ...]) -> Decision:
    return _DECISION_DECODER.decode(row[0])


def _clash(decision: Decision) -> DataError:
    return DataError(
        f"another request has a decision with the id '{decision.id}' already",
        where=f"surface {decision.surface}, request {decision.request_id}",
        mend="give every decision an id of its own",
    )


def _digest(identifier: str) -> bytes:
    return hashlib.blake2b(identifier.encode(), digest_size=16).digest()


def _delete(database: Database, table: str, key: str, condition: str, *values: object) -> None:
    """Delete a few thousand rows a transaction, so that no writer waits long."""
    sql = f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {condition} LIMIT {TRIMMED_AT_ONCE})"
    deleted = TRIMMED_AT_ONCE
    while deleted == TRIMMED_AT_ONCE:
        with database.write() as connection:
            deleted = connection.execute(sql, values).rowcount


__all__ = ["Journal", "Journaled", "Pending", "Places", "Remembered", "SQLiteJournal", "Tail", "microseconds"]
