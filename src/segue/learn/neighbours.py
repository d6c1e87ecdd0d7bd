"""The likest items of each item, one item at a time: memory grows with items and with pairs, not with items squared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.mapped import Mapped
from segue.learn.gram import Chosen, chosen_rows
from segue.learn.kernels import worthwhile
from segue.learn.rows import Rows, rows_of_batch, run_starts
from segue.learn.similarity import Similarity, Terms

TINY = 3_000_000  # products; below, SciPy is fast enough that nothing need wait for a compiled kernel
BITS = 62  # that sums of products may take: they add up exactly, whatever the order
LEAST = 2.0**-30  # that a pair of person and item is worth: where all weights are tiny, pairs still count
BATCHES = 64  # of items, dealt so that each has some that many people have

VALUE, POSITIONS, LIKENESS = "value", "positions", "likeness"

Near = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


class Worth:
    """The map by person: the distinct chosen items, in their places, and what each is worth.

    `max_history` says how many items of a person count: the newest.

    >>> from segue.engines.local import LocalEngine, Table
    >>> from segue.learn.gram import ItemCounts, choose
    >>> from segue.learn.similarity import Cosine
    >>> dataset = Table.of(["ann", "ann", "bob"], ["x", "y", "x"])
    >>> chosen = choose(LocalEngine().fold(ItemCounts(), dataset), dataset.items, dataset.items, 1, 10)
    >>> by_user = LocalEngine().prepare(dataset, Key.USER)
    >>> LocalEngine(threads=1).map(Worth(chosen, Cosine("none", 0), 1), by_user).batches[0].to_pylist()
    [{'user': 0, 'item': 1, 'value': 1.0}, {'user': 1, 'item': 0, 'value': 1.0}]
    """

    def __init__(self, chosen: Chosen, similarity: Similarity, max_history: int) -> None:
        self.chosen = chosen
        self.similarity = similarity
        self.max_history = max_history

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = rows_of_batch(newest(batch, self.max_history), Key.USER)
        rows = chosen_rows(Rows(rows.keys, rows.offsets, rows.codes, self.similarity.worth(rows)), self.chosen)
        people = rows.keys[rows.row_numbers()]
        return pa.record_batch(
            {columns.USER: pa.array(people), columns.ITEM: pa.array(rows.codes), VALUE: pa.array(rows.weights)}
        )


def newest(batch: pa.RecordBatch, max_history: int) -> pa.RecordBatch:
    """The batch of whole people without what is older than somebody's `max_history` newest distinct items."""
    users = batch[columns.USER].to_numpy()
    starts = run_starts(users)
    stops = np.append(starts[1:], len(users))
    keep = np.ones(len(users), np.bool_)
    items, weights = batch[columns.ITEM].to_numpy(), batch[columns.WEIGHT].to_numpy()
    for person in np.flatnonzero(stops - starts > max_history):
        its = slice(starts[person], stops[person])
        counted = items[its][weights[its] > 0]
        distinct, back = np.unique(counted[::-1], return_index=True)
        keep[its] = np.isin(items[its], distinct[np.argsort(back)[:max_history]])
    return batch if keep.all() else batch.filter(pa.array(keep))


@dataclass(frozen=True, eq=False)
class Side:
    """Ragged rows of codes, ascending, each with a whole number that it is worth.

    offsets  int64[rows + 1]
    codes    int32[pairs]
    values   int32[pairs]
    """

    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    values: npt.NDArray[np.int32]

    def sparse(self, columns: int) -> Any:
        """The same as a sparse matrix with this many columns."""
        from scipy.sparse import csr_array

        return csr_array((self.values, self.codes, _narrow(self.offsets)), shape=(len(self.offsets) - 1, columns))

    def turned(self, columns: int) -> Side:
        """By code instead of by row: the transpose."""
        turned = self.sparse(columns).T.tocsr()
        return Side(turned.indptr.astype(np.int64), turned.indices.astype(np.int32, copy=False), turned.data)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Who has what, by person and by item; `unit` is what a product of two values counts for.

    `flat` where all values are equal: they are 1 then, and sums are counts.
    """

    by_user: Side
    by_item: Side
    unit: float
    flat: bool

    def __len__(self) -> int:
        return len(self.by_item.offsets) - 1

    def terms(self, similarity: Similarity) -> Terms:
        """What the similarity makes of the sums of these pairs."""
        values, offsets = self.by_item.values.astype(np.int64), self.by_item.offsets
        added = np.concatenate([[0], np.cumsum(values * values)])
        squares = (added[offsets[1:]] - added[offsets[:-1]]) * self.unit
        return similarity.terms(squares, np.diff(offsets).astype(np.float64))


def pairs_of(mapped: Dataset, items: int) -> Pairs:
    """The pairs that `Worth` left, in fixed point as fine as leaves room for the largest sum there can be."""
    table = _collected(mapped)
    users, codes, values = (table[name] for name in (columns.USER, columns.ITEM, VALUE))
    values = np.maximum(values, LEAST)
    offsets = np.append(run_starts(users), len(users)).astype(np.int64)
    largest = float(values.max(initial=LEAST))
    flat = bool((values == largest).all())
    scale = 1 / largest if flat else _scale(largest, int(np.bincount(codes, minlength=1).max()))
    whole = np.maximum(np.rint(values * scale), 1).astype(np.int32)
    by_user = Side(offsets, codes, whole)
    return Pairs(by_user, by_user.turned(items), scale**-2, flat)


def _scale(largest: float, people: int) -> float:
    """The power of two by which no value passes 2**30, and no sum over `people` of squares 2**BITS."""
    room = (BITS - np.ceil(np.log2(people))) / 2 - np.ceil(np.log2(largest))
    return float(2.0 ** min(np.floor(room), 30 - np.ceil(np.log2(largest))))


class Nearest:
    """The map by item: the `k` likest of each, itself and those without anything in common left out."""

    def __init__(self, pairs: Pairs, terms: Terms, k: int, compiled: bool) -> None:  # noqa: FBT001
        self.pairs = pairs
        self.terms = terms
        self.k = k
        self.find = _by_kernel if compiled else _by_scipy

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        items = batch[columns.ITEM].to_numpy()
        positions = np.full((len(items), self.k), UNKNOWN, np.int32)
        likeness = np.full((len(items), self.k), -np.inf, np.float32)
        self.find(items, self.pairs, self.terms, positions, likeness)
        lists = {POSITIONS: positions, LIKENESS: np.where(positions == UNKNOWN, np.float32(0), likeness)}
        told = {name: pa.FixedSizeListArray.from_arrays(pa.array(its.ravel()), self.k) for name, its in lists.items()}
        return pa.record_batch({columns.ITEM: batch[columns.ITEM], **told})


def neighbours(engine: Engine, dataset: Dataset, pairs: Pairs, similarity: Similarity, k: int) -> Near:
    """int32[items, k] places and float32[items, k] likeness, likest first; -1 and 0 where there are fewer."""
    lengths = np.diff(pairs.by_user.offsets)
    compiled = worthwhile("item_knn_kernels", int((lengths * lengths).sum()), TINY)
    found = engine.map(Nearest(pairs, pairs.terms(similarity), k, compiled), _dealt(pairs, dataset))
    positions, likeness = np.empty((len(pairs), k), np.int32), np.empty((len(pairs), k), np.float32)
    for part in found.partitions(1):
        for batch in part:
            places = batch[columns.ITEM].to_numpy()
            positions[places] = batch[POSITIONS].flatten().to_numpy().reshape(-1, k)
            likeness[places] = batch[LIKENESS].flatten().to_numpy().reshape(-1, k)
    return positions, likeness


def _dealt(pairs: Pairs, dataset: Dataset) -> Mapped:
    """All items in batches of about the same work: those that most people have are dealt like cards."""
    order = np.argsort(-np.diff(pairs.by_item.offsets), kind="stable").astype(np.int32)
    batches = [pa.record_batch({columns.ITEM: pa.array(order[start::BATCHES])}) for start in range(BATCHES)]
    return Mapped([batch for batch in batches if batch.num_rows], batches[0].schema, dataset)


def _by_kernel(
    items: npt.NDArray[np.int32],
    pairs: Pairs,
    terms: Terms,
    positions: npt.NDArray[np.int32],
    likeness: npt.NDArray[np.float32],
) -> None:
    from segue.learn.item_knn_kernels import nearest

    by_user, by_item = pairs.by_user, pairs.by_item
    values = np.empty(0, np.int32) if pairs.flat else by_user.values
    four = np.stack([terms.own, terms.near, terms.left, terms.right], axis=1)
    sides = (by_item.offsets, by_item.codes, by_item.values, by_user.offsets, by_user.codes, values)
    nearest(items, *sides, pairs.unit, terms.share, four, positions, likeness)


def _by_scipy(
    items: npt.NDArray[np.int32],
    pairs: Pairs,
    terms: Terms,
    positions: npt.NDArray[np.int32],
    likeness: npt.NDArray[np.float32],
) -> None:
    by_user = pairs.by_user.sparse(len(pairs)).astype(np.int64)
    by_item = pairs.by_item.sparse(by_user.shape[0])[items].astype(np.int64)
    product = (by_item @ by_user).tocoo()
    lines, codes = product.row, product.col
    alike = terms.likeness(product.data * pairs.unit, items[lines], codes).astype(np.float32)
    told = (alike > 0) & (codes != items[lines])
    lines, codes, alike = lines[told], codes[told], alike[told]
    order = np.lexsort((codes, -alike, lines))
    lines, codes, alike = lines[order], codes[order], alike[order]
    ranks = np.arange(len(lines)) - np.searchsorted(lines, lines)
    kept = ranks < positions.shape[1]
    positions[lines[kept], ranks[kept]] = codes[kept]
    likeness[lines[kept], ranks[kept]] = alike[kept]


def _collected(mapped: Dataset) -> dict[str, npt.NDArray[Any]]:
    batches = [batch for part in mapped.partitions(1) for batch in part]
    table = pa.Table.from_batches(batches, schema=mapped.schema)
    return {name: table[name].to_numpy() for name in table.column_names}


def _narrow(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
    """SciPy makes codes as wide as offsets."""
    return offsets.astype(np.int32) if offsets[-1] < 2**31 else offsets
