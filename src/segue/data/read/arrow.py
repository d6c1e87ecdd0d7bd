"""Reads Arrow IPC, the file format and the stream, as columns with their own types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from segue.data.read.rows import Rows
from segue.data.read.typed import Batches, first_line, refuse_invalid, struct_fields, typed_rows
from segue.domain.errors import ReadError

FILE, STREAM, FEATHER_1 = b"ARROW1", b"\xff\xff\xff\xff", b"FEA1"


def is_arrow(head: bytes) -> bool:
    """Whether a file begins as Arrow IPC does, or as the first Feather did, which is refused."""
    return head[:6] == FILE or head[:4] == FEATHER_1 or (head[:4] == STREAM and head[4:8] not in (STREAM, b""))


def read_arrow(stream: BinaryIO, *, name: str, wanted: Callable[[list[str], list[str]], list[str]]) -> Iterator[Rows]:
    """Rows of an Arrow file or stream; a row's line is its number, from 1.

    All of it is checked before the first row is given: offsets that point outside, text that is no UTF-8 and what
    breaks off is a `ReadError` that names the column and the rows. `wanted` as for Parquet.
    """
    row = 1
    try:
        schema, batches = _opened(stream)
        names, fields = list(schema.names), struct_fields(schema)
        needed = {column: (column,) if column in names else fields[column] for column in wanted(names, list(fields))}
        for batch in batches:
            refuse_invalid(batch, name, row)
            row += batch.num_rows
        stream.seek(0)
        _, batches = _opened(stream)
        yield from typed_rows(batches, needed)
    except (pa.ArrowException, OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise ReadError(
            f"this is no whole Arrow file ({first_line(error)})",
            where=f"{name}, after row {row - 1:,}",
            mend="write or copy it again, then repeat the command; none of its rows was taken",
        ) from error


def _opened(stream: BinaryIO) -> tuple[pa.Schema, Batches]:
    head = stream.read(8)
    stream.seek(0)
    if head[:4] == FEATHER_1:
        raise ReadError(
            "this is the first Feather format, which Arrow no longer writes",
            mend="write it again with a present version, such as polars.DataFrame.write_ipc",
        )
    if head[:6] == FILE:
        file = pa.ipc.open_file(stream)
        return file.schema, (file.get_batch(number) for number in range(file.num_record_batches))
    reader = pa.ipc.open_stream(stream)
    return reader.schema, iter(reader)
