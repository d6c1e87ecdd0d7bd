"""Columns that come with types of their own, from Parquet or Arrow: checked, then as rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from polars import selectors

from segue.data.read.rows import Rows
from segue.data.read.text import readable
from segue.domain.errors import ReadError

BATCH = 1 << 17  # rows read at a time

Batches = Iterator[pa.RecordBatch]


def struct_fields(parent: pa.Schema | pa.StructType, above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """The fields inside the structs, at any depth, by their path: `("actor", "id")` of "actor.id"."""
    found: dict[str, tuple[str, ...]] = {}
    for inner in parent:
        path = (*above, inner.name)
        if above:
            found[".".join(path)] = path
        if pa.types.is_struct(inner.type):
            found |= struct_fields(inner.type, path)
    return found


def refuse_invalid(batch: pa.RecordBatch, name: str, row: int) -> None:
    """Refuse a batch, whose first row is `row`, in which a column is not what it says; reading it could do anything."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowException as error:
            raise ReadError(
                f"the values are not of the type {field.type} that the column is said to have ({error})",
                where=f"{name}, column '{field.name}', rows {row:,} to {row + batch.num_rows - 1:,}",
                mend="write the file again; none of its rows was taken",
            ) from error


def typed_rows(batches: Batches, needed: dict[str, tuple[str, ...]], row: int = 1) -> Iterator[Rows]:
    """Rows of batches: the columns that are needed, by their paths, `BATCH` rows at most together."""
    for batch in chain.from_iterable(map(_slices, batches)):
        tops = list(dict.fromkeys(path[0] for path in needed.values()))
        plain = pa.Table.from_batches([batch]).select(tops).replace_schema_metadata(None)  # it may be no text
        read = pl.from_arrow(plain)
        assert isinstance(read, pl.DataFrame)
        frame = read.select(cells_at(path).alias(column) for column, path in needed.items())
        frame = frame.with_columns(selectors.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))
        yield Rows(frame, np.arange(row, row + batch.num_rows), JsonTexts(read), [])
        row += batch.num_rows


def _slices(batch: pa.RecordBatch) -> Batches:
    return (batch.slice(start, BATCH) for start in range(0, batch.num_rows, BATCH))


def cells_at(path: tuple[str, ...]) -> pl.Expr:
    """The cells of a column, or of a field inside structs."""
    cells = pl.col(path[0])
    for name in path[1:]:
        cells = cells.struct.field(name)
    return cells


class JsonTexts:
    """Rows of a frame as JSON text."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __call__(self, rows: npt.NDArray[np.int64]) -> list[str]:
        picked = self._frame[rows].to_dicts()
        return [readable(msgspec.json.encode(row, enc_hook=_as_text)) for row in picked]


def _as_text(value: Any) -> str:
    return str(value)


def first_line(error: Exception) -> str:
    """What an error says in its first line, or what it is."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
