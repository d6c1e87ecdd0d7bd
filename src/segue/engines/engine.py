"""The three verbs that all learning is written in: prepare, fold and map; and the protocols of what they take.

Counting is a fold, predicting is a map, learning is a program over the two. A learner that is written so runs
unchanged, and answers the same, wherever an engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Protocol, TypeAlias, TypeVar

import pyarrow as pa

from segue.domain import columns
from segue.domain.items import Items

State = TypeVar("State")


class Key(StrEnum):
    """Rows of one key arrive together and whole: all of one person's, or all of one item's."""

    USER = columns.USER
    ITEM = columns.ITEM


BatchFunction: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]
"""A pure function from batch to batch. On a keyed dataset every batch holds whole keys."""

INTERACTIONS = pa.schema(
    [
        pa.field(columns.USER, pa.int32(), nullable=False),  # code of a person
        pa.field(columns.ITEM, pa.int32(), nullable=False),  # code of an item: position in `Dataset.items`
        pa.field(columns.TYPE, pa.int8(), nullable=False),  # position in `Dataset.types`
        pa.field(columns.WEIGHT, pa.float32(), nullable=False),
        pa.field(columns.TIME, pa.int64(), nullable=False),  # microseconds since 1970 UTC, NO_TIME where there is none
        pa.field(columns.ORDER, pa.int64(), nullable=False),  # breaks ties of time; the order itself where no times are
    ]
)
"""What learners see of the log. Factors and other results of `map` are datasets with columns of their own."""


class Dataset(Protocol):
    """Rows that an engine can work on: a schema, a content fingerprint, and batches in as many parts as asked for.

    `items` is the vocabulary that item codes are positions in (append-only: a code never changes meaning), `users` the
    number of person codes, `types` the event types by code. `key` is the key by which the rows lie together and in
    order, or None.
    """

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def key(self) -> Key | None: ...

    @property
    def items(self) -> Items: ...

    @property
    def users(self) -> int: ...

    @property
    def types(self) -> tuple[str, ...]: ...

    @property
    def rows(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """A name of the content: equal fingerprints mean equal rows."""
        ...

    @property
    def content(self) -> pa.Table | None:
        """What the catalog says of the items, of the schema `content.CONTENT`, row `i` of item code `i`; None where
        there is no catalog. Read when it is first asked for; not part of the fingerprint."""
        ...

    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        """The rows in at most `count` parts, each a stream of batches. On a keyed dataset no key is split, neither
        between parts nor between batches."""
        ...


class Aggregate(Protocol[State]):
    """What can be computed anywhere and merged in any order.

    Laws, held by `segue.testing.check_aggregate`: `merge` is associative and commutative with `init()` as identity; any
    partition (by key where keyed) and any merge tree gives the same state; states survive bytes;
    `subtract(merge(a, b), b) == a` where `subtract` is offered. Hence: exact integers, or fixed point, in the state.
    A state is a mapping from names to NumPy arrays. It may be updated in place by `update`; `merge` may reuse `left`.
    """

    @property
    def key(self) -> Key | None:
        """The key whose rows `update` needs whole, or None where any rows in any batches will do."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `update` reads."""
        ...

    def init(self) -> State: ...

    def update(self, state: State, batch: pa.RecordBatch) -> State: ...

    def merge(self, left: State, right: State) -> State: ...


class Subtractable(Aggregate[State], Protocol[State]):
    """An aggregate that can take a part away again: what makes a learner incremental and able to forget."""

    def subtract(self, state: State, part: State) -> State: ...


class Engine(Protocol):
    """Where work runs. Law, held by `segue.testing.check_engine`: the same answer whatever the partition."""

    def prepare(self, dataset: Dataset, key: Key) -> Dataset:
        """The rows of one key together, once, sorted by (key, time, order), memory-mapped, cached by content."""
        ...

    def fold(self, aggregate: Aggregate[State], dataset: Dataset) -> State:
        """Every row of the dataset through the aggregate; a keyed aggregate prepares the dataset first."""
        ...

    def map(self, function: BatchFunction, dataset: Dataset) -> Dataset:
        """The function over every batch; the result stays partitioned, and is a dataset again."""
        ...


__all__ = [
    "INTERACTIONS",
    "Aggregate",
    "BatchFunction",
    "Dataset",
    "Engine",
    "Key",
    "State",
    "Subtractable",
]
