"""A query as a source: its rows come in batches, and the password from the environment only."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec
import pyarrow as pa

from segue.data.read.part import Part
from segue.data.sources.spool import spooled, spooled_objects
from segue.domain.errors import DeclarationError, MissingExtra, ReadError

ROWS = 1 << 16  # that are fetched at a time
SCHEMES = ("sqlite", "duckdb", "postgresql", "postgres")

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class Query:
    """The answer to a query, asked once and ingested like a file. The database is only read from.

    `database` is sqlite:///file.db, duckdb:///file.duckdb (relative to `root`; absolute with a fourth /) or
    postgresql://user@host/name. ${NAME} stands for a variable of the environment: a password is given so, or in
    PGPASSWORD, and appears in no message.
    """

    def __init__(self, database: str, query: str, root: Path) -> None:
        self._said, self._query, self._root = urlsplit(database), query, root
        self._check(database)
        self._folder: TemporaryDirectory[str] | None = None
        self._part: Part | None = None
        self.name = _shown(self._said)

    def parts(self) -> Iterator[Part]:
        """Its rows, as they were when they were first asked for; the line of each is its number, from 1."""
        if self._part is None:
            self._folder = TemporaryDirectory(prefix="segue-")
            ask = {"sqlite": self._sqlite, "duckdb": self._duckdb}.get(self._said.scheme, self._postgresql)
            self._part = ask(Path(self._folder.name) / "rows")
        yield self._part

    def size(self) -> int:
        """Not known."""
        return 0

    def _check(self, database: str) -> None:
        if self._said.scheme not in SCHEMES:
            raise DeclarationError(
                f"no database is known by '{database.partition(':')[0]}:'",
                where="database",
                mend='it is "sqlite:///file.db", "duckdb:///file.duckdb" or "postgresql://user@host/name"',
            )
        password = self._said.password
        if (password and not _VARIABLE.fullmatch(unquote(password))) or "password=" in self._said.query:
            raise DeclarationError(
                "a password stands in the declaration",
                where="database",
                mend="write ${NAME} in its place and set that variable, or set PGPASSWORD",
            )

    def _file(self) -> Path:
        path = self._root / unquote(self._said.path.removeprefix("/"))
        if not path.is_file():
            raise ReadError("there is no such database", where=self.name, mend="mend `database` in segue.toml")
        return path

    def _sqlite(self, path: Path) -> Part:
        uri = f"{self._file().absolute().as_uri()}?mode=ro"
        try:
            connection = sqlite3.connect(uri, uri=True)
            try:
                return spooled_objects(_objects(connection.execute(self._query), self.name), path, self.name)
            finally:
                connection.close()
        except sqlite3.Error as error:
            self._refused(error)

    def _duckdb(self, path: Path) -> Part:
        try:
            import duckdb
        except ImportError as error:
            raise _missing("duckdb") from error
        file = self._file()
        try:
            with duckdb.connect(str(file), read_only=True) as connection:
                return spooled(_batches(connection.sql(self._query)), path, self.name, "answer to the query")
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            self._refused(error)

    def _postgresql(self, path: Path) -> Part:
        try:
            from adbc_driver_manager import Error
            from adbc_driver_postgresql import dbapi
        except ImportError as error:
            raise _missing("postgresql") from error
        try:
            with dbapi.connect(_expanded(self._said.geturl())) as connection, connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
                cursor.execute(self._query)
                return spooled(cursor.fetch_record_batch(), path, self.name, "answer to the query")
        except (Error, pa.ArrowException, OSError) as error:  # the latter two while its batches come
            self._refused(error)

    def _refused(self, error: Exception) -> NoReturn:
        """What the database says, without what the environment put in."""
        problem = str(error).strip() or type(error).__name__
        for secret in _secrets(self._said.geturl()):
            problem = problem.replace(secret, "***")
        raise ReadError(
            f"the database does not answer the query: {problem}",
            where=self.name,
            mend="mend `database` or `query` in segue.toml; none of its rows was taken",
        ) from None


def _batches(answer: Any) -> pa.RecordBatchReader:
    """DuckDB's answer in batches; the method's name changed with its versions."""
    fetch: Callable[[int], pa.RecordBatchReader] = getattr(answer, "to_arrow_reader", None) or answer.fetch_arrow_reader
    return fetch(ROWS)


def _objects(cursor: sqlite3.Cursor, name: str) -> Iterator[bytes]:
    """Each row as a JSON object: SQLite gives a type to each cell, not to a column."""
    names = [column for column, *_ in cursor.description or ()]
    twice = [column for column in names if names.count(column) > 1]
    if twice:
        raise ReadError(f"the column '{twice[0]}' comes twice", where=name, mend="name one of them with AS")
    row = 0
    while rows := cursor.fetchmany(ROWS):
        for cells in rows:
            row += 1
            yield msgspec.json.encode(
                {column: _cell(cell, column, row, name) for column, cell in zip(names, cells, strict=True)}
            )


def _cell(cell: Any, column: str, row: int, name: str) -> Any:
    if isinstance(cell, bytes):
        raise ReadError(
            "the cell holds bytes (a BLOB), which are no text",
            where=f"{name}, row {row:,}, column '{column}'",
            mend=f"ask for hex({column}), or leave it out",
        )
    if isinstance(cell, float) and cell in (float("inf"), float("-inf")):
        return str(cell)
    return cell


def _shown(said: SplitResult) -> str:
    """The address without who asks: user, password and options."""
    host = said.netloc.rpartition("@")[2]
    return f"{said.scheme}://{host}{said.path}"


def _expanded(text: str) -> str:
    """The address with the values of its variables; who asks and the password may hold any sign."""
    who, at, where = text.rpartition("@")
    who = _VARIABLE.sub(lambda found: quote(_variable(found[1]), safe=""), who)
    return who + at + _VARIABLE.sub(lambda found: _variable(found[1]), where)


def _variable(name: str) -> str:
    if name not in os.environ:
        raise DeclarationError(f"the variable {name} is not set", where="database", mend=f"export {name}=…")
    return os.environ[name]


def _secrets(url: str) -> list[str]:
    names = [*_VARIABLE.findall(url), "PGPASSWORD"]
    told = {os.environ[name] for name in names if os.environ.get(name)}
    return sorted(told | {quote(each, safe="") for each in told}, key=len, reverse=True)


def _missing(extra: str) -> MissingExtra:
    return MissingExtra(
        f"reading from {extra} needs a package that is not installed", mend=f'pip install "segue[{extra}]"'
    )


__all__ = ["Query"]
