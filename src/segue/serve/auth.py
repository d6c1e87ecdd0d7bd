"""Who may ask: API keys of the workspace. A key is shown once; `segue.db` keeps only its SHA-256."""

from __future__ import annotations

import hashlib
import logging
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast, get_args

from segue.domain.errors import unknown
from segue.serve.problems import Refusal

Role = Literal["service", "admin"]
"""`service` sends events, asks surfaces and reads decisions; `admin` may also open the page and what it reads."""

FILE = "segue.db"
RELOAD_SECONDS = 2.0  # a key that was taken back is refused after this long at the latest
READ_SECONDS = 0.5  # the longest wait for a locked database, while which a worker answers nobody
CHALLENGE = ((b"www-authenticate", b'Bearer realm="segue"'),)

_log = logging.getLogger("segue.serve")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (hash BLOB PRIMARY KEY, role TEXT NOT NULL, name TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


def create_key(workspace: Path, role: str = "service") -> str:
    """Make a key with 256 bits from the system's random source, and return it: the only time that it is seen."""
    if role not in get_args(Role):
        raise unknown("role", role, get_args(Role))
    key = f"segue_{secrets.token_urlsafe(32)}"
    with _database(workspace) as database:
        row = (_hash(key.encode()), role, key[:10], datetime.now(UTC).isoformat())
        database.execute("INSERT INTO keys (hash, role, name, created) VALUES (?, ?, ?, ?)", row)
    return key


def revoke_key(workspace: Path, key: str) -> bool:
    """Take a key back; False where it was not known."""
    with _database(workspace) as database:
        return database.execute("DELETE FROM keys WHERE hash = ?", (_hash(key.encode()),)).rowcount > 0


def secret(workspace: Path, name: str) -> bytes:
    """32 random bytes that this workspace keeps under a name, made when they are first asked for."""
    with _database(workspace) as database:
        database.execute("INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)", (name, secrets.token_bytes(32)))
        return cast(bytes, database.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])


class Keys:
    """The roles by key, as one worker knows them: read again every two seconds, and at once when an unknown key comes
    and the file has changed since. So a wrong key costs two looks at a file's size and time, not a database.

    Where they cannot be read, those that were read last still count; before the first time there is nothing to go by.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._roles: dict[bytes, Role] | None = None
        self._read_at = -RELOAD_SECONDS
        self._stamp: tuple[int, ...] = ()  # of the files, just before they were read

    def role(self, headers: dict[bytes, bytes]) -> Role:
        """The role of the key that a request carries; a `Refusal` (401) where it carries none, or an unknown one."""
        key = _key(headers)
        if key is None:
            raise Refusal(
                "no_key",
                "the request carries no API key",
                mend="send `Authorization: Bearer KEY` or `X-API-Key: KEY`; `segue key` makes one",
                headers=CHALLENGE,
            )
        role = self._role(_hash(key))
        if role is None:
            raise Refusal(
                "wrong_key", "this workspace does not know the API key", mend="`segue key` makes one", headers=CHALLENGE
            )
        return role

    def _role(self, hashed: bytes) -> Role | None:
        roles = self._roles
        if roles is None or self._is_old() or (hashed not in roles and _stamp(self._workspace) != self._stamp):
            roles = self._read(roles)
        return roles.get(hashed)

    def _is_old(self) -> bool:
        return time.monotonic() - self._read_at > RELOAD_SECONDS

    def _read(self, last: dict[bytes, Role] | None) -> dict[bytes, Role]:
        """What the database says, or said last."""
        self._stamp = _stamp(self._workspace)
        try:
            with _database(self._workspace, READ_SECONDS) as database:
                roles = dict(database.execute("SELECT hash, role FROM keys").fetchall())
        except sqlite3.Error as error:
            if last is None:
                mend = f"see that `{FILE}` in the workspace is a readable SQLite file; then send the same again"
                told = f"`{FILE}` cannot be read: {error}"
                raise Refusal("keys_unavailable", told, mend=mend, headers=((b"retry-after", b"2"),)) from error
            _log.warning("%s cannot be read (%s): the keys that were read last still count", FILE, error)
            roles = last
        self._roles, self._read_at = roles, time.monotonic()
        return roles


def _stamp(workspace: Path) -> tuple[int, ...]:
    """What changes with the database: which file it is, its time and size, and the size of what is not merged yet."""
    try:
        file = (workspace / FILE).stat()
    except OSError:
        return ()
    try:
        ahead = (workspace / f"{FILE}-wal").stat().st_size
    except OSError:
        ahead = 0
    return file.st_ino, file.st_mtime_ns, file.st_size, ahead


def _key(headers: dict[bytes, bytes]) -> bytes | None:
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return headers.get(b"x-api-key")


def _hash(key: bytes) -> bytes:
    """Keys are random, not chosen by people, so one fast hash is enough: there is nothing to guess."""
    return hashlib.sha256(key).digest()


@contextmanager
def _database(workspace: Path, timeout: float = 10.0) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(workspace / FILE, timeout=timeout)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        with database:
            yield database
