"""What goes into one Parquet file of a table: the rows of a day, a group at a time, and what its statistics say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import polars as pl
import pyarrow as pa

from segue.domain import columns

ROW_GROUP: Final = 65_536


@dataclass(frozen=True)
class Layout:
    """One table: its name, its columns, and which of them may leave their smallest and largest value in statistics.

    A column that says who somebody is has no statistics: they outlive the rows. `by_day` tables are partitioned by
    the UTC day in the column `day`. `encodings` are those of Parquet for columns whose values seldom repeat, for which
    a dictionary costs much and saves nothing.
    """

    name: str
    schema: pa.Schema
    statistics: tuple[str, ...]
    by_day: bool = False
    encodings: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> pl.DataFrame:
        """No rows, with the columns as polars reads them."""
        return pl.DataFrame(schema=pl.Schema(self.schema))

    @property
    def written(self) -> pa.Schema:
        """The columns that are in the files; that of the day is in the names of their folders."""
        return pa.schema([each for each in self.schema if not (self.by_day and each.name == columns.DAY)])


@dataclass(frozen=True)
class Piece:
    """The rows of one file. `groups` makes its row groups, of the type `schema`; `statistics` is Delta's."""

    day: date | None
    schema: pa.Schema
    groups: Callable[[], Iterator[pa.Table]]
    statistics: Callable[[], dict[str, Any]]


def pieces(frame: pl.DataFrame, layout: Layout) -> list[Piece]:
    """The rows of a frame as files have them, by day where the table is."""
    return [_piece(day, rows, layout) for day, rows in _days(frame, layout)]


def plain(value: Any) -> Any:
    """A value as statistics in JSON have it."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _piece(day: date | None, rows: pl.DataFrame, layout: Layout) -> Piece:
    schema = layout.written

    def groups() -> Iterator[pa.Table]:
        for group in rows.select(schema.names).iter_slices(ROW_GROUP):
            yield group.to_arrow().cast(schema)

    return Piece(day, schema, groups, lambda: _statistics(rows, layout.statistics))


def _days(frame: pl.DataFrame, layout: Layout) -> list[tuple[date | None, pl.DataFrame]]:
    if frame.is_empty():
        return []
    if not layout.by_day:
        return [(None, frame)]
    parts = frame.partition_by(columns.DAY, maintain_order=True, as_dict=True)
    return [(key[0], part) for key, part in sorted(parts.items(), key=lambda pair: pair[0])]


def _statistics(rows: pl.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """The `stats` of a Delta add action (Delta protocol, per-file statistics)."""
    smallest = rows.select(pl.col(names).min()).row(0, named=True)
    largest = rows.select(pl.col(names).max()).row(0, named=True)
    return {
        "numRecords": rows.height,
        "minValues": {name: plain(value) for name, value in smallest.items() if value is not None},
        "maxValues": {name: plain(value) for name, value in largest.items() if value is not None},
        "nullCount": {name: rows[name].null_count() for name in names},
    }


__all__ = ["ROW_GROUP", "Layout", "Piece", "pieces", "plain"]
