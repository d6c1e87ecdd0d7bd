"""Reads Parquet as columns with their own types, some row groups at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars import selectors

from segue.data.read.rows import Rows
from segue.data.read.text import readable
from segue.domain.errors import ReadError

BATCH = 1 << 17  # rows read at a time


def read_parquet(stream: BinaryIO, *, name: str, wanted: Callable[[list[str], list[str]], list[str]]) -> Iterator[Rows]:
    """Rows of a Parquet file. Damage anywhere in the needed columns is a `ReadError` before the first.

    `wanted` is given the columns and the fields inside those that are structs ("actor.id"), and answers which are
    needed.
    """
    try:
        file = pq.ParquetFile(stream)
        names, fields = list(file.schema_arrow.names), _fields(file.schema_arrow)
        needed = {column: (column,) if column in names else fields[column] for column in wanted(names, list(fields))}
        for _ in file.iter_batches(BATCH, columns=list(needed)):
            pass
        yield from _rows(file, needed)
    except (pa.ArrowException, OSError) as error:
        raise ReadError(
            f"this is no whole Parquet file ({_first_line(error)})",
            where=name,
            mend="write or copy it again, then repeat the command; none of its rows was taken",
        ) from error


def parquet_types(stream: BinaryIO) -> dict[str, str]:
    """The type of each column, as Arrow names it."""
    return {field.name: str(field.type) for field in pq.ParquetFile(stream).schema_arrow}


def _fields(parent: pa.Schema | pa.StructType, above: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """The fields inside the structs, at any depth, by their path: `("actor", "id")` of "actor.id"."""
    found: dict[str, tuple[str, ...]] = {}
    for inner in parent:
        path = (*above, inner.name)
        if above:
            found[".".join(path)] = path
        if pa.types.is_struct(inner.type):
            found |= _fields(inner.type, path)
    return found


def _rows(file: pq.ParquetFile, needed: dict[str, tuple[str, ...]]) -> Iterator[Rows]:
    row = 1
    for batch in file.iter_batches(BATCH, columns=list(needed)):
        read = pl.from_arrow(pa.Table.from_batches([batch]))
        assert isinstance(read, pl.DataFrame)
        frame = read.select(_at(path).alias(column) for column, path in needed.items())
        frame = frame.with_columns(selectors.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))
        yield Rows(frame, np.arange(row, row + frame.height), _Raw(read))
        row += frame.height


def _at(path: tuple[str, ...]) -> pl.Expr:
    cells = pl.col(path[0])
    for name in path[1:]:
        cells = cells.struct.field(name)
    return cells


class _Raw:
    """Rows of a frame as JSON text."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __call__(self, rows: npt.NDArray[np.int64]) -> list[str]:
        picked = self._frame[rows].to_dicts()
        return [readable(msgspec.json.encode(row, enc_hook=_as_text)) for row in picked]


def _as_text(value: Any) -> str:
    return str(value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
