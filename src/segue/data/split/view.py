"""A prepared dataset without some of its rows, and its columns as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.data.interactions import NO_ORDER
from segue.domain import columns as names
from segue.domain.items import Items
from segue.domain.requests import NO_TIME, Histories
from segue.engines.engine import INTERACTIONS, Dataset, Key
from segue.engines.local import Prepared


@dataclass(frozen=True)
class Rows:
    """The columns of a dataset prepared by user; person `p` is the slice `offsets[p]:offsets[p + 1]` of each.

    The arrays of a dataset that the local engine prepared are used as they are.
    """

    offsets: npt.NDArray[np.int64]
    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    type: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float32]
    time: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    items: int

    @classmethod
    def of(cls, prepared: Dataset) -> Rows:
        """The columns of a dataset that is prepared by user."""
        if isinstance(prepared, Prepared):
            arrays = dict(prepared.arrays)
        else:
            batches = [batch for part in prepared.partitions(1) for batch in part]
            table = pa.Table.from_batches(batches, schema=INTERACTIONS)
            arrays = {name: table[name].to_numpy() for name in INTERACTIONS.names}
        offsets = np.zeros(prepared.users + 1, np.int64)
        np.cumsum(np.bincount(arrays[names.USER], minlength=prepared.users), out=offsets[1:])
        return cls(offsets, **{name: arrays[name] for name in INTERACTIONS.names}, items=len(prepared.items))

    @property
    def timed(self) -> bool:
        """Whether every event has a time."""
        return not bool((self.time == NO_TIME).any())

    @property
    def ordered(self) -> bool:
        """Whether every event has a time or an order."""
        return not bool(((self.time == NO_TIME) & (self.order == NO_ORDER)).any())

    @property
    def now(self) -> int | None:
        """The latest time there is, or None where an event has none."""
        return int(self.time.max()) if self.timed else None


def ragged(rows: Rows, place: npt.NDArray[np.int64], people: npt.NDArray[np.integer]) -> Histories:
    """The rows at `place` as histories, one for each of `people`, who are all that the rows are of."""
    counts = np.bincount(rows.user[place], minlength=len(rows.offsets) - 1)[people]
    offsets = np.zeros(len(people) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return Histories(offsets, rows.item[place], rows.weight[place], rows.time[place], rows.type[place])


class View:
    """The rows of a dataset prepared by user that are not held back. It is prepared by user as well.

    offsets  int64[users + 1] of the whole dataset
    away     bool[rows], True for a row that is held back
    """

    def __init__(
        self, prepared: Dataset, offsets: npt.NDArray[np.int64], away: npt.NDArray[np.bool_], name: str
    ) -> None:
        self._prepared = prepared
        self._offsets = offsets
        self._away = away
        self._rows = int(len(away) - away.sum())
        digest = hashlib.blake2b(repr((prepared.fingerprint, name)).encode(), digest_size=16)
        digest.update(np.packbits(away).tobytes())
        self._fingerprint = digest.hexdigest()

    @property
    def schema(self) -> pa.Schema:
        return INTERACTIONS

    @property
    def key(self) -> Key | None:
        return Key.USER

    @property
    def items(self) -> Items:
        return self._prepared.items

    @property
    def users(self) -> int:
        return self._prepared.users

    @property
    def types(self) -> tuple[str, ...]:
        return self._prepared.types

    @property
    def content(self) -> pa.Table | None:
        return self._prepared.content

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        """The parts of the whole dataset, without the rows that are held back."""
        wanted = list(INTERACTIONS.names if columns is None else columns)
        read = wanted if names.USER in wanted else [names.USER, *wanted]
        return [self._kept(part, wanted) for part in self._prepared.partitions(count, read)]

    def _kept(self, part: Iterator[pa.RecordBatch], wanted: list[str]) -> Iterator[pa.RecordBatch]:
        for batch in part:
            start = int(self._offsets[batch.column(names.USER)[0].as_py()])  # a batch holds whole people, in order
            keep = ~self._away[start : start + batch.num_rows]
            kept = batch if keep.all() else batch.filter(pa.array(keep))
            if kept.num_rows:
                yield kept.select(wanted)


__all__ = ["NO_ORDER", "Rows", "View", "ragged"]
