"""Rows that can be had only once are written aside, so that they can be read twice; known by what they hold."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
from polars import selectors

from segue.data.read.part import Holder, Part
from segue.domain.errors import ReadError


def spooled(reader: pa.RecordBatchReader, path: Path, name: str, holder: Holder) -> Part:
    """The rows of a stream of batches as a part, in an Arrow file at `path`; memory holds one batch.

    It is known by a digest of its rows as text: how they came in batches, and how wide their integers are, is no part
    of that.
    """
    digest = blake2b(digest_size=16)
    schema = pa.schema([pa.field(field.name, _kept(field.type)) for field in reader.schema])
    twice = [column for column in schema.names if schema.names.count(column) > 1]
    if twice:
        raise ReadError(f"the column '{twice[0]}' comes twice", where=name, mend="give one of them another name")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for given in reader:
            batch = pa.record_batch([_plain(column) for column in given.columns], schema=schema)
            writer.write_batch(batch)
            digest.update(_text(batch))
    return Part(name, path, lambda: cast(BinaryIO, path.open("rb")), content=digest.hexdigest(), holder=holder)


def spooled_objects(objects: Iterable[bytes], path: Path, name: str) -> Part:
    """JSON objects as a part, in one array at `path`, known by what they say."""
    digest, sign = blake2b(digest_size=16), b"["
    with path.open("wb") as file:
        for each in objects:
            digest.update(each)
            file.write(sign + each)
            sign = b",\n"
        file.write(b"[]" if sign == b"[" else b"]")
    return Part(
        name, path, lambda: cast(BinaryIO, path.open("rb")), content=digest.hexdigest(), holder="answer to the query"
    )


def _kept(kind: pa.DataType) -> pa.DataType:
    """The type without what only its producer understands: dictionaries, views, extensions."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if "uuid" in kind.extension_name else _kept(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _kept(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def _plain(column: pa.Array) -> pa.Array:
    kept = _kept(column.type)
    if isinstance(column.type, pa.BaseExtensionType):
        if "uuid" in column.type.extension_name:
            return pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], pa.string())
        column = column.storage
    if isinstance(column, pa.DictionaryArray):
        column = pa.DictionaryArray.from_arrays(column.indices, _plain(column.dictionary))
    return column if column.type == kept else column.cast(kept)


def _text(batch: pa.RecordBatch) -> bytes:
    frame: Any = pl.from_arrow(pa.Table.from_batches([batch]))
    out = BytesIO()
    frame.with_columns(selectors.binary().bin.encode("hex")).write_ndjson(out)
    return out.getvalue()
