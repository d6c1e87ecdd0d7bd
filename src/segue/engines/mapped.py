"""What a map leaves: the batches that came out, as a dataset over the same people and items."""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from segue.domain.items import Items
from segue.engines.engine import Dataset, Key

SPILL_BYTES = 2**27  # that a part holds in memory, where there is a folder to put more


class Mapped:
    """Batches with a schema of their own. Whole keys in, whole keys out: the key of the source is kept.

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["ann", "bob"], ["x", "y"]), Key.USER)
    >>> mapped = LocalEngine().map(lambda batch: batch.select(["item"]), by_user)
    >>> mapped.rows, mapped.key, mapped.schema.names
    (2, <Key.USER: 'user'>, ['item'])
    """

    def __init__(self, batches: list[pa.RecordBatch], schema: pa.Schema, source: Dataset) -> None:
        self.batches = batches
        self.schema: pa.Schema = schema
        self.key: Key | None = source.key
        self.items: Items = source.items
        self.users = source.users
        self.types = source.types
        self._source = source

    @property
    def content(self) -> pa.Table | None:
        """What the catalog says of the items."""
        return self._source.content

    @property
    def rows(self) -> int:
        return sum(batch.num_rows for batch in self.batches)

    @cached_property
    def fingerprint(self) -> str:
        """blake2b of the batches as one Arrow stream, so of every value and of the schema."""
        table = pa.Table.from_batches(self.batches, schema=self.schema).combine_chunks()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.schema) as writer:
            writer.write_table(table)
        return hashlib.blake2b(sink.getvalue(), digest_size=16).hexdigest()

    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        """The batches, unsplit, in at most `count` runs."""
        bounds = np.linspace(0, len(self.batches), count + 1).astype(int).tolist()
        return [
            iter([batch if columns is None else batch.select(list(columns)) for batch in self.batches[start:stop]])
            for start, stop in itertools.pairwise(bounds)
            if start < stop
        ]


def kept(batches: Iterator[pa.RecordBatch], folder: Path | None) -> list[pa.RecordBatch]:
    """The batches in a list; with a folder, all but the last `SPILL_BYTES` of them memory-mapped from there."""
    mapped: list[pa.RecordBatch] = []
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if folder is not None and sum(batch.nbytes for batch in held) > SPILL_BYTES:
            mapped += _spilled(held, folder)
            held = []
    return mapped + held


def _spilled(batches: list[pa.RecordBatch], folder: Path) -> list[pa.RecordBatch]:
    """The same batches on disk. The file has no name any more: its space is given back with the last batch."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".map-", suffix=".arrow", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file, pa.ipc.new_file(file, batches[0].schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        reader = pa.ipc.open_file(pa.memory_map(name))
        return [reader.get_batch(number) for number in range(reader.num_record_batches)]
    finally:
        os.unlink(name)
