"""A dataset whose rows lie together by key: arrays in memory or memory-mapped, served whole key by whole key."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns as names
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.requests import Histories
from segue.engines.engine import INTERACTIONS, Dataset, Key

BATCH_ROWS = 262_144  # a batch holds whole keys, so it passes this where one key does


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows sorted by (key, time, order); key `i` is the slice `offsets[i]:offsets[i + 1]` of every column.

    offsets  int64[keys + 1]
    arrays   one array for each column of `INTERACTIONS`, by name

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["ann", "bob", "ann"], ["x", "x", "y"]), Key.USER)
    >>> by_user.offsets.tolist(), by_user.arrays["item"].tolist()
    ([0, 2, 3], [0, 1, 0])
    """

    offsets: npt.NDArray[np.int64]
    arrays: Mapping[str, npt.NDArray[Any]]
    key: Key
    items: Items
    users: int
    types: tuple[str, ...]
    fingerprint: str
    source: Dataset | None = None  # that it was made from

    @property
    def content(self) -> pa.Table | None:
        """What the catalog says of the items."""
        return None if self.source is None else self.source.content

    @property
    def schema(self) -> pa.Schema:
        return INTERACTIONS

    @property
    def rows(self) -> int:
        return int(self.offsets[-1])

    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        """The keys in at most `count` parts of about equally many rows; batches are views of the arrays."""
        keys = len(self.offsets) - 1
        cuts = np.searchsorted(self.offsets, np.linspace(0, self.rows, count + 1)[1:-1])
        bounds = np.concatenate([[0], np.clip(cuts, 0, keys), [keys]]).tolist()
        schema = INTERACTIONS if columns is None else pa.schema([INTERACTIONS.field(name) for name in columns])
        return [self._batches(start, stop, schema) for start, stop in itertools.pairwise(bounds) if start < stop]

    def _batches(self, start: int, stop: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        while start < stop:
            reach = np.searchsorted(self.offsets, self.offsets[start] + BATCH_ROWS, side="right") - 1
            end = min(max(int(reach), start + 1), stop)
            rows = slice(int(self.offsets[start]), int(self.offsets[end]))
            if rows.stop > rows.start:
                parts = [pa.array(self.arrays[name][rows]) for name in schema.names]
                yield pa.record_batch(parts, schema=schema)
            start = end


def histories(dataset: Dataset, users: npt.NDArray[np.integer] | None = None) -> Histories:
    """What each person did, oldest first, in the dataset's item codes: row `u` is person code `u`, or `users[u]`.

    The dataset must be prepared by user. Of a `Prepared` dataset the arrays are used as they are, nothing is copied.

    >>> from segue.engines.local import LocalEngine, Table
    >>> table = Table.of(["ann", "bob", "ann"], ["x", "x", "y"])
    >>> histories(LocalEngine().prepare(table, Key.USER)).items.tolist()
    [0, 1, 0]
    """
    if dataset.key is not Key.USER:
        raise DataError(
            f"histories need a dataset prepared by user, this one is keyed by {dataset.key or 'nothing'}",
            mend="engine.prepare(dataset, Key.USER) brings each person's rows together",
        )
    whole = _histories(dataset.offsets, dataset.arrays) if isinstance(dataset, Prepared) else _collected(dataset)
    return whole if users is None else whole.select(users)


def _collected(dataset: Dataset) -> Histories:
    wanted = [names.USER, names.ITEM, names.WEIGHT, names.TIME, names.TYPE]
    batches = [batch for part in dataset.partitions(1, wanted) for batch in part]
    schema = pa.schema([INTERACTIONS.field(name) for name in wanted])
    table = pa.Table.from_batches(batches, schema=schema)
    arrays = {name: table[name].to_numpy() for name in wanted}
    offsets = np.zeros(dataset.users + 1, np.int64)
    np.cumsum(np.bincount(arrays[names.USER], minlength=dataset.users), out=offsets[1:])
    return _histories(offsets, arrays)


def _histories(offsets: npt.NDArray[np.int64], arrays: Mapping[str, npt.NDArray[Any]]) -> Histories:
    return Histories(
        offsets,
        arrays[names.ITEM].astype(np.int32, copy=False),
        arrays[names.WEIGHT].astype(np.float32, copy=False),
        arrays[names.TIME].astype(np.int64, copy=False),
        arrays[names.TYPE].astype(np.int8, copy=False),
    )
