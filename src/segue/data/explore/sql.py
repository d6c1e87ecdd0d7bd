"""SQL over one snapshot of the lake, by DuckDB: events, items, users, decisions and quarantine as views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import polars as pl

from segue.data.explore.html import html_table
from segue.data.lake.layouts import DECISIONS, EVENTS
from segue.domain import columns
from segue.domain.errors import DataError, MissingExtra, ReadError

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from segue.data.lake.snapshot import Snapshot

SHOWN: Final = 20
TABLES: Final = ("events", "items", "users", "decisions", "quarantine")
LAYOUTS: Final = {"events": EVENTS, "decisions": DECISIONS}
_IDS: Final = {  # a coded column -> the dictionary of its codes, and the id there
    columns.USER: ("lake_person_ids", f"substr({columns.USER}_.id, 3)"),
    columns.VISITOR: ("lake_person_ids", f"substr({columns.VISITOR}_.id, 3)"),
    columns.ITEM: ("lake_item_ids", f"{columns.ITEM}_.id"),
}


@dataclass(frozen=True, eq=False)
class Answer:
    """The rows that a query gave, as an Arrow table that every dataframe library takes."""

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow stream."""
        return self.table.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"<{len(self):,} rows: {', '.join(self.table.column_names)}>"

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary a row."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    def pl(self) -> pl.DataFrame:
        """A polars frame."""
        frame = pl.from_arrow(self.table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def to_arrow(self) -> pa.Table:
        """The Arrow table."""
        return self.table

    def _repr_html_(self) -> str:
        """The first rows, as a notebook shows them."""
        return html_table(self.pl().head(SHOWN), "answer", [f"{len(self):,} rows"])


def sql(snapshot: Snapshot, query: str, spill: Path) -> Answer:
    """What a query says over the tables of a snapshot; persons and items are ids, not codes.

    The query may read other files as well (`FROM 'prices.csv'`). What does not fit into memory goes to `spill`.
    Raises `MissingExtra` without DuckDB, `DataError` with DuckDB's own words for a query that cannot be.
    """
    duckdb = _duckdb()
    settings = {"autoinstall_known_extensions": False, "temp_directory": str(spill)}
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            _views(connection, snapshot)
        except duckdb.IOException as error:  # a view looks at its files
            told = str(error).splitlines()[0]
            raise ReadError(told, where="sql", mend="`segue doctor` says what the lake lacks") from error
        try:
            asked = connection.sql(query)
            return Answer(_nothing() if asked is None else asked.to_arrow_table())
        except duckdb.Error as error:
            raise DataError(
                str(error).strip(),
                where="sql",
                mend=f"the tables are {', '.join(TABLES)}; `DESCRIBE events` shows the columns of one",
            ) from error


def _nothing() -> pa.Table:
    """What a statement that gives no rows, such as COPY, gives."""
    import pyarrow as pa

    return pa.table({})


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra(
            "SQL over the lake needs DuckDB, which is not installed",
            where="sql",
            mend='pip install "segue[duckdb]"; without it, project.events is a polars frame',
        ) from error
    return duckdb


def _views(connection: DuckDBPyConnection, snapshot: Snapshot) -> None:
    """The large tables are read by DuckDB from the snapshot's own files, the small ones come through polars."""
    for name in ("item_ids", "person_ids"):
        _register(connection, f"lake_{name}", snapshot.dictionary(name).lazy())
    _view_of_files(connection, snapshot, "events")
    _view_of_files(connection, snapshot, "decisions")
    for name in ("items", "users", "quarantine"):
        _register(connection, name, getattr(snapshot, name)())


def _register(connection: DuckDBPyConnection, name: str, rows: pl.LazyFrame) -> None:
    connection.register(name, rows.collect(engine="streaming").to_arrow())


def _view_of_files(connection: DuckDBPyConnection, snapshot: Snapshot, name: Literal["events", "decisions"]) -> None:
    """Codes become ids by joins that DuckDB runs over the columns that a query asks for."""
    files = snapshot.parquet_files(name)
    layout = LAYOUTS[name]
    if not files:
        return _register(connection, name, getattr(snapshot, name)())
    coded = [each for each in _IDS if each in layout.schema.names]
    chosen = ", ".join(
        f'{_IDS[each][1]} AS "{each}"' if each in coded else f'rows_."{each}"' for each in layout.schema.names
    )
    joins = " ".join(f'LEFT JOIN {_IDS[each][0]} {each}_ ON {each}_.code = rows_."{each}"' for each in coded)
    moment = columns.TIME if name == "decisions" else columns.RECEIVED
    until = "" if snapshot.as_of is None else f"WHERE rows_.{moment} <= TIMESTAMPTZ '{snapshot.as_of.isoformat()}'"
    source = f"read_parquet({_quoted(files)}, hive_partitioning = true, union_by_name = true)"
    connection.execute(f"CREATE VIEW {name} AS SELECT {chosen} FROM {source} rows_ {joins} {until}")
    return None


def _quoted(files: Sequence[str]) -> str:
    return "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"
