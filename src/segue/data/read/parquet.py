"""Reads Parquet as columns with their own types, some row groups at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from segue.data.read.rows import Rows
from segue.data.read.typed import BATCH, first_line, refuse_invalid, struct_fields, typed_rows
from segue.domain.errors import ReadError


def read_parquet(stream: BinaryIO, *, name: str, wanted: Callable[[list[str], list[str]], list[str]]) -> Iterator[Rows]:
    """Rows of a Parquet file. Damage anywhere in the needed columns is a `ReadError` before the first.

    `wanted` is given the columns and the fields inside those that are structs ("actor.id"), and answers which are
    needed.
    """
    try:
        file = pq.ParquetFile(stream)
        names, fields = list(file.schema_arrow.names), struct_fields(file.schema_arrow)
        needed = {column: (column,) if column in names else fields[column] for column in wanted(names, list(fields))}
        row = 1
        for batch in file.iter_batches(BATCH, columns=list(needed)):
            refuse_invalid(batch, name, row)
            row += batch.num_rows
        yield from typed_rows(file.iter_batches(BATCH, columns=list(needed)), needed)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # a name in a lying footer may be no text
        raise ReadError(
            f"this is no whole Parquet file ({first_line(error)})",
            where=name,
            mend="write or copy it again, then repeat the command; none of its rows was taken",
        ) from error
