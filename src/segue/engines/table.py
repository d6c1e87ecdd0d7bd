"""A dataset in memory: an Arrow table of interactions with the vocabulary that its codes mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.requests import NO_TIME
from segue.engines.engine import INTERACTIONS, Key

BATCH_ROWS = 65_536


class Table:
    """An Arrow table with the columns of `INTERACTIONS`, as a dataset.

    `items` is the vocabulary of the item codes, `users` the number of person codes, `types` the event types by code,
    `content` what a catalog says of the items (`content.content_of`).
    Weights that are negative or not finite, and codes outside of the vocabulary, are refused with their row.

    >>> table = Table.of(["ann", "ann", "bob"], ["x", "y", "x"], weights=[1, 2, 1])
    >>> table.rows, table.users, table.items.ids
    (3, 2, ('x', 'y'))
    """

    def __init__(
        self,
        table: pa.Table,
        items: Items,
        users: int,
        types: tuple[str, ...] = ("event",),
        content: pa.Table | None = None,
    ) -> None:
        missing = [name for name in INTERACTIONS.names if name not in table.column_names]
        if missing:
            raise DataError(
                f"the table has no column {', '.join(missing)}; it has {', '.join(table.column_names)}",
                mend=f"give all of: {', '.join(INTERACTIONS.names)}",
            )
        self.table = table.select(INTERACTIONS.names).cast(INTERACTIONS).combine_chunks()
        self.items = items
        self.users = users
        self.types = types
        self.content = content
        refuse_codes(self.table[columns.USER].to_numpy(), users, columns.USER)
        refuse_codes(self.table[columns.ITEM].to_numpy(), len(items), columns.ITEM)
        refuse_codes(self.table[columns.TYPE].to_numpy(), len(types), columns.TYPE)
        refuse_weights(self.table[columns.WEIGHT].to_numpy())

    @classmethod
    def of(
        cls,
        users: Sequence[str],
        items: Sequence[str],
        weights: Sequence[float] | npt.NDArray[np.floating] | None = None,
        times: Sequence[int] | npt.NDArray[np.int64] | None = None,
    ) -> Table:
        """A table of one row for each (user, item); codes in the order in which ids are met, `order` is the row.

        `weights` are 1 where they are not given, `times` are microseconds since 1970 UTC.
        """
        rows = len(users)
        people, user_codes = _coded(users)
        vocabulary, item_codes = _coded(items)
        table = pa.table(
            {
                columns.USER: user_codes,
                columns.ITEM: item_codes,
                columns.TYPE: np.zeros(rows, np.int8),
                columns.WEIGHT: np.ones(rows, np.float32) if weights is None else np.asarray(weights, np.float32),
                columns.TIME: np.full(rows, NO_TIME, np.int64) if times is None else np.asarray(times, np.int64),
                columns.ORDER: np.arange(rows, dtype=np.int64),
            }
        )
        return cls(table, Items(vocabulary), len(people))

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    @property
    def key(self) -> Key | None:
        return None

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def fingerprint(self) -> str:
        """blake2b of every value, the vocabulary, the types and the number of people."""
        digest = hashlib.blake2b(digest_size=16)
        for column in self.table.itercolumns():
            digest.update(column.to_numpy().tobytes())
        digest.update(repr((self.items.ids, self.users, self.types)).encode())
        return digest.hexdigest()

    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        """The rows in `count` contiguous parts."""
        table = self.table if columns is None else self.table.select(list(columns))
        bounds = np.linspace(0, self.rows, count + 1).astype(np.int64)
        return [
            iter(table.slice(start, stop - start).to_batches(max_chunksize=BATCH_ROWS))
            for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        ]


def refuse_codes(codes: npt.NDArray[np.integer], count: int, column: str, first_row: int = 0) -> None:
    """A `DataError` where a code is not in `range(count)`; it names the first such row."""
    if len(codes) and (codes.min() < 0 or codes.max() >= count):
        row = int(np.flatnonzero((codes < 0) | (codes >= count))[0])
        raise DataError(
            f"expected a code from 0 to {count - 1}, found {codes[row]}",
            where=f"row {first_row + row}, column {column}",
            mend="make the vocabulary and the codes from the same snapshot",
        )


def refuse_weights(weights: npt.NDArray[np.floating], first_row: int = 0) -> None:
    """A `DataError` where a weight is negative, NaN or infinite; it names the first such row."""
    good = np.isfinite(weights) & (weights >= 0)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise DataError(
            f"expected a finite weight of at least 0, found {weights[row]} ({int((~good).sum())} such rows)",
            where=f"row {first_row + row}, column {columns.WEIGHT}",
            mend="leave such rows out, or give them a weight of 0, which learners ignore",
        )


def _coded(ids: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int32]]:
    codes: dict[str, int] = {}
    coded: Any = [codes.setdefault(name, len(codes)) for name in ids]
    return list(codes), np.array(coded, dtype=np.int32)
