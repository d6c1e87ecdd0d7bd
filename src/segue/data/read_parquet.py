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

from segue.data.read_text import readable
from segue.data.rows import Rows
from segue.domain.errors import ReadError

BATCH = 1 << 17  # rows read at a time


def read_parquet(stream: BinaryIO, *, name: str, wanted: Callable[[list[str]], list[str]]) -> Iterator[Rows]:
    """Rows of a Parquet file. Damage anywhere in the needed columns is a `ReadError` before the first."""
    try:
        file = pq.ParquetFile(stream)
        needed = wanted(list(file.schema_arrow.names))
        for _ in file.iter_batches(BATCH, columns=needed):
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


def _rows(file: pq.ParquetFile, needed: list[str]) -> Iterator[Rows]:
    row = 1
    for batch in file.iter_batches(BATCH, columns=needed):
        frame = pl.from_arrow(pa.Table.from_batches([batch]))
        assert isinstance(frame, pl.DataFrame)
        frame = frame.with_columns(selectors.by_dtype(pl.Categorical, pl.Enum).cast(pl.String))
        yield Rows(frame, np.arange(row, row + frame.height), _Raw(frame))
        row += frame.height


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
