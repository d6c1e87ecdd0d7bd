"""Who may ask: API keys of the workspace. A key is shown once; `segue.db` keeps only its SHA-256."""

from __future__ import annotations

import hashlib
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
CHALLENGE = ((b"www-authenticate", b'Bearer realm="segue"'),)

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
    """The roles by key, as one worker knows them: read again every two seconds, and when an unknown key comes."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._roles: dict[bytes, Role] = {}
        self._read_at = -RELOAD_SECONDS

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
        hashed = _hash(key)
        if time.monotonic() - self._read_at > RELOAD_SECONDS or hashed not in self._roles:
            self._read()
        if hashed not in self._roles:
            raise Refusal(
                "wrong_key", "this workspace does not know the API key", mend="`segue key` makes one", headers=CHALLENGE
            )
        return self._roles[hashed]

    def _read(self) -> None:
        with _database(self._workspace) as database:
            self._roles = dict(database.execute("SELECT hash, role FROM keys").fetchall())
        self._read_at = time.monotonic()


def _key(headers: dict[bytes, bytes]) -> bytes | None:
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return headers.get(b"x-api-key")


def _hash(key: bytes) -> bytes:
    """Keys are random, not chosen by people, so one fast hash is enough: there is nothing to guess."""
    return hashlib.sha256(key).digest()


@contextmanager
def _database(workspace: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(workspace / FILE, timeout=10)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        with database:
            yield database
