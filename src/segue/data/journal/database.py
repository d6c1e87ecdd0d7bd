"""One SQLite file of the journal: many readers, one writer at a time over all processes, errors in words."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue.data.lake.files import sync
from segue.domain.errors import BusyError, DataError, ReadError, SegueError

APPLICATION = 0x5E60E  # in the file's header: this is a journal of Segue
FORMAT = 1
BUSY_S = 30.0
CHECKPOINT_PAGES = 4_000  # of a log whose writers move it into the main file themselves
FOLDED_BYTES = 4 << 20  # the size of the log from which `sync` moves it into the main file, beside the writers
RESTARTED_PAGES = 16_000  # of log in use: so many make the writers wait once, while the log starts anew


class Database:
    """A SQLite file in WAL mode. Each thread reads by a connection of its own; writers queue at a lock file.

    SQLite's own waiting is sleep and retry, which is unfair between processes; `flock` wakes the next at once.
    `synchronous` is "FULL" (a commit returns after its sync) or "NORMAL" (a commit is visible at once; `sync` brings it
    to disk, and moves what the log has into the main file, so that no commit ever waits for the disk).
    """

    def __init__(self, path: Path, schema: str, synchronous: str) -> None:
        self.path = path
        self._log = path.with_name(path.name + "-wal")
        self._synchronous = synchronous
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._writing = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._gate = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with self._alone(), self.errors():
                self._writer = self._connect()
                self._made(schema)
        except BaseException:
            self.close()
            raise
        sync([path.parent])

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with self._alone(), self.errors():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One read transaction: all queries of the block see the same moment."""
        with self.errors():
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of one query."""
        with self.read() as connection:
            return connection.execute(sql, values).fetchall()

    def scrub(self) -> None:
        """Write the file anew, so that what was deleted is in no page of it, and empty the log; `BusyError` where a
        reader stays in the way."""
        with self._alone(), self.errors():
            self._writer.execute("VACUUM")
            busy, _, _ = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise BusyError(
                "a reader keeps what was deleted in the journal's log", where=str(self._log), mend="try again"
            )

    def sync(self) -> None:
        """Bring what is committed to disk. Only the log is opened: closing the main file here would drop its locks."""
        if self._log.exists():
            sync([self._log])
        if self._synchronous == "NORMAL" and self._logged() > FOLDED_BYTES:
            self._fold()

    def close(self) -> None:
        """Close every connection; nothing that was committed is lost by not closing."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What SQLite says, as the error that a person can act on."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._in_words(error) from error

    def _fold(self) -> None:
        """Move the log into the main file while others write. What they write meanwhile lets the log grow; where it
        has grown too long, writers wait for what is left of it, and it starts anew.
        """
        with self.errors():
            _, pages, _ = self._reader().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages > RESTARTED_PAGES:
                with self._alone():
                    self._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _logged(self) -> int:
        """Bytes of the log file."""
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._writing:
            fcntl.flock(self._gate, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._gate, fcntl.LOCK_UN)

    def _reader(self) -> sqlite3.Connection:
        """The connection of this thread."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._connections.append(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        connection.execute("PRAGMA secure_delete=FAST")  # zeros what is deleted in pages that are written anyway
        pages = CHECKPOINT_PAGES if self._synchronous == "FULL" else 0
        connection.execute(f"PRAGMA wal_autocheckpoint={pages}")
        return connection

    def _made(self, schema: str) -> None:
        application = self._writer.execute("PRAGMA application_id").fetchone()[0]
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        tables = self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and (application != APPLICATION or version > FORMAT):
            raise ReadError(
                f"expected a journal of format {FORMAT}, found "
                + (f"format {version}" if application == APPLICATION else "another application's database"),
                where=str(self.path),
                mend="install a newer Segue" if application == APPLICATION else "move the file aside",
            )
        if not tables:
            self._writer.executescript(
                f"BEGIN; {schema}; PRAGMA application_id={APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT"
            )

    def _in_words(self, error: sqlite3.DatabaseError) -> SegueError:
        text = str(error)
        if "locked" in text or "busy" in text:
            return BusyError(
                f"another process has held the journal for {BUSY_S:.0f} s", where=str(self.path), mend="try again"
            )
        if "full" in text or "disk I/O" in text or "unable to open" in text or "readonly" in text:
            return DataError(
                f"the journal cannot be written or read ({text}): nothing of this call was kept",
                where=str(self.path),
                mend="look at the disk: is it full, mounted, writable? Then send the same again",
            )
        if isinstance(error, sqlite3.OperationalError | sqlite3.ProgrammingError) and "malformed" not in text:
            return DataError(f"the journal refused a statement: {text}", where=str(self.path))
        return ReadError(
            f"the journal file is damaged ({text})",
            where=str(self.path),
            mend=f"stop the service; `sqlite3 {self.path.name} .recover` gets out what can be read; then move the file "
            "aside, and the next start makes a new one. What was drained is safe in the lake",
        )
