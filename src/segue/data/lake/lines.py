"""Events by the lines of a file, as compiled readers hand them over: numbers where others bring a text in each row.

Such a frame has the column `line` in place of ids, codes in place of people and items (`user_code`, ...), and its types
as an enumeration. The text is made where it is written, a row group at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from segue.data.lake.layouts import OF_CODES
from segue.data.lake.pieces import ROW_GROUP, Layout, Piece, plain
from segue.domain import columns

LINE: Final = "line"  # int64, from 1; no two rows of a batch have the same
PREFIX: Final = 16  # letters of the batch that begin the ids of its events
DIGITS: Final = 10  # of the line, which end them
DAY_US: Final = 86_400_000_000

_HALF: Final = 10 ** (DIGITS // 2)
_HALVES: Final = DIGITS // 2


def is_by_line(frame: pl.DataFrame) -> bool:
    """Whether events come by line."""
    return LINE in frame.columns


def spelled(frame: pl.DataFrame, batch: str) -> pl.DataFrame:
    """The same events with their ids and types as text; others are left as they are."""
    if not is_by_line(frame):
        return frame
    ids = pl.from_arrow(_ids(frame[LINE].to_numpy(), batch))
    assert isinstance(ids, pl.Series)
    return frame.drop(LINE).with_columns(ids.alias(columns.ID), pl.col(columns.TYPE).cast(pl.String))


def id_of(line: int, batch: str) -> str:
    """The id of the event on a line."""
    return f"{batch[:PREFIX]}-{line:0{DIGITS}d}"


def line_pieces(frame: pl.DataFrame, batch: str, layout: Layout) -> list[Piece]:
    """The files of the events of one batch, each of a day and in the order of time, then of lines."""
    frame = frame.rename(OF_CODES, strict=False)
    moments = _moments(frame)
    order = _order(moments)
    days = moments[order] // DAY_US
    begins = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(days)] if len(days) else []
    rows = frame.rechunk()
    return [
        _piece(date(1970, 1, 1) + timedelta(days=int(days[begin])), rows, order[begin:end], batch, layout)
        for begin, end in itertools.pairwise(begins)
    ]


def _moments(frame: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Microseconds since 1970 of the times; of the arrival where there are none."""
    name = columns.TIME if columns.TIME in frame.columns else columns.RECEIVED
    moments: npt.NDArray[np.int64] = frame[name].cast(pl.Int64).to_numpy()
    return moments


def _order(moments: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Which rows follow each other in time; those of one moment as they are.

    A moment and its row in one number make a plain sort, which is several times as fast as one of places.
    """
    rows = np.arange(len(moments), dtype=np.int64)
    if len(moments) and int(np.ptp(moments)) >> (63 - len(moments).bit_length()):
        return np.argsort(moments, kind="stable").astype(np.uint32)
    bits = len(moments).bit_length()
    keys = ((moments - moments.min()) << bits) | rows if len(moments) else rows
    keys.sort()
    return (keys & ((1 << bits) - 1)).astype(np.uint32)


def _piece(day: date, rows: pl.DataFrame, order: npt.NDArray[np.uint32], batch: str, layout: Layout) -> Piece:
    """The rows at these places. They are only put in order where they are written: fresh memory is what costs most."""
    schema, places = pa.schema([_as_written(field) for field in layout.written]), pl.Series(order)

    def groups() -> Iterator[pa.Table]:
        for start in range(0, len(places), ROW_GROUP):
            group = rows[places.slice(start, ROW_GROUP)]
            yield pa.table([_column(group, field, batch) for field in schema], schema=schema)

    return Piece(day, schema, groups, lambda: _statistics(rows, places, batch, layout))


def _as_written(field: pa.Field) -> pa.Field:
    """A column of few texts goes to its file as these and codes; the file says no more than that it is text."""
    few = field.name in (columns.TYPE, columns.BATCH)
    return field.with_type(pa.dictionary(pa.int32(), pa.string())) if few else field


def _column(rows: pl.DataFrame, field: pa.Field, batch: str) -> pa.Array:
    if field.name == columns.ID:
        return _ids(rows[LINE].to_numpy(), batch)
    if field.name == columns.BATCH:
        return pa.DictionaryArray.from_arrays(np.zeros(rows.height, np.int32), pa.array([batch]))
    if field.name not in rows.columns:
        return pa.nulls(rows.height, field.type)
    if field.name == columns.TYPE:
        kinds = rows[columns.TYPE]
        codes, words = kinds.to_physical().cast(pl.Int32).to_numpy(), _words(kinds)
        return pa.DictionaryArray.from_arrays(codes, words.to_arrow().cast(pa.string()))
    return rows[field.name].to_arrow().cast(field.type)


def _words(kinds: pl.Series) -> pl.Series:
    """The texts that an enumeration has codes for."""
    assert isinstance(kinds.dtype, pl.Enum)
    return kinds.dtype.categories


def _ids(lines: npt.NDArray[np.int64], batch: str) -> pa.Array:
    """The ids of events, by two looks into a table of all numbers of five digits."""
    prefix = np.frombuffer(f"{batch[:PREFIX]}-".encode(), np.uint8)
    names = np.empty((len(lines), len(prefix) + DIGITS), np.uint8)
    names[:, : len(prefix)] = prefix
    names[:, len(prefix) : -_HALVES] = _FIVE_DIGITS[lines // _HALF]
    names[:, -_HALVES:] = _FIVE_DIGITS[lines % _HALF]
    offsets = np.arange(len(lines) + 1, dtype=np.int32) * np.int32(names.shape[1])
    return pa.Array.from_buffers(pa.string(), len(lines), [None, pa.py_buffer(offsets), pa.py_buffer(names)])


def _statistics(events: pl.DataFrame, places: pl.Series, batch: str, layout: Layout) -> dict[str, Any]:
    """As of other pieces, from what is known of these."""
    rows = events.select(name for name in layout.statistics if name in events.columns)[places]
    smallest: dict[str, Any] = {columns.BATCH: batch}
    largest = dict(smallest)
    nulls = {name: rows[name].null_count() if name in rows.columns else rows.height for name in layout.statistics}
    nulls[columns.BATCH] = 0
    for name in set(layout.statistics) & set(rows.columns):
        kept = rows[name]
        if name == columns.TYPE:
            kept = kept.unique().cast(pl.String)
        if nulls[name] < rows.height:
            smallest[name], largest[name] = plain(kept.min()), plain(kept.max())
    return {"numRecords": rows.height, "minValues": smallest, "maxValues": largest, "nullCount": nulls}


def _five_digits() -> npt.NDArray[np.uint8]:
    """uint8[100000, 5]: every number of five digits, in letters."""
    numbers = np.arange(_HALF)
    return np.stack([numbers // 10**place % 10 for place in range(_HALVES - 1, -1, -1)], axis=1).astype(np.uint8) + 48


_FIVE_DIGITS: Final = _five_digits()

__all__ = ["LINE", "id_of", "is_by_line", "line_pieces", "spelled"]
