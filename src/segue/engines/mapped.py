"""What a map leaves: the batches that came out, as a dataset over the same people and items."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from segue.domain.items import Items
from segue.engines.engine import Dataset, Key


class Mapped:
    """Batches with a schema of their own. Whole keys in, whole keys out: the key of the source is kept."""

    def __init__(self, batches: list[pa.RecordBatch], schema: pa.Schema, source: Dataset) -> None:
        self.batches = batches
        self.schema: pa.Schema = schema
        self.key: Key | None = source.key
        self.items: Items = source.items
        self.users = source.users
        self.types = source.types

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
