"""Item neighbours: items go together where the same people have both, by cosine or by BM25."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine, Key
from segue.learn.gram import TINY, Chosen, CountState, ItemCounts, choose, chosen_rows
from segue.learn.kernels import worthwhile
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.rows import Rows, rows_of_batch, weighed
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.similarity import BM25, Cosine, Similarity
from segue.learn.top import best

FIXED_POINT = 2.0**12  # of the value of a pair: products add up exactly, whatever the order
BLOCK_BYTES = 2**28  # of sums at a time, so that memory is bounded however many items there are
LINES = 256  # of likeness at a time: they stay in a near cache
TINY_ROWS = 200_000  # neighbours of the items of the histories together; below, NumPy need not wait for a kernel

SumState = dict[str, npt.NDArray[np.int64]]


class PairSums:
    """The aggregate: sums over people of value times value, of items `start` to `stop` with every chosen item.

    sums     int64[stop - start, chosen] in fixed point squared; of the square `start` to `stop` the upper triangle
    squares  int64[chosen] value squared, in fixed point squared

    >>> from segue.engines.local import LocalEngine, Table
    >>> dataset = Table.of(["ann", "ann", "bob"], ["x", "y", "x"])
    >>> chosen = choose(LocalEngine().fold(ItemCounts(), dataset), dataset.items, dataset.items, 1, 10)
    >>> state = LocalEngine().fold(PairSums(chosen, Cosine("none", 0), 0, 2), dataset)
    >>> (state["sums"] / FIXED_POINT**2).tolist()
    [[2.0, 1.0], [0.0, 1.0]]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = (columns.USER, columns.ITEM, columns.WEIGHT)

    def __init__(self, chosen: Chosen, similarity: Similarity, start: int, stop: int) -> None:
        self.chosen = chosen
        self.similarity = similarity
        self.start = start
        self.stop = stop

    def init(self) -> SumState:
        items = len(self.chosen)
        return {"sums": np.zeros((self.stop - self.start, items), np.int64), "squares": np.zeros(items, np.int64)}

    def update(self, state: SumState, batch: pa.RecordBatch) -> SumState:
        rows = rows_of_batch(batch, Key.USER)
        rows = chosen_rows(Rows(rows.keys, rows.offsets, rows.codes, self.similarity.worth(rows)), self.chosen)
        # Not less than one unit: where all weights are tiny, pairs still count.
        fixed = np.maximum(np.rint(rows.weights * FIXED_POINT), 1).astype(np.int64)
        np.add.at(state["squares"], rows.codes, fixed * fixed)
        lengths = np.diff(rows.offsets)
        if not worthwhile("item_knn_kernels", int((lengths * lengths).sum()), TINY):
            state["sums"] += self._product(rows, fixed)
        else:
            from segue.learn.item_knn_kernels import add_products

            by_code = np.argsort(rows.codes, kind="stable")
            add_products(rows.offsets, rows.row_numbers(), rows.codes, fixed, by_code, self.start, state["sums"])
        return state

    def merge(self, left: SumState, right: SumState) -> SumState:
        left["sums"] += right["sums"]
        left["squares"] += right["squares"]
        return left

    def subtract(self, state: SumState, part: SumState) -> SumState:
        return {name: state[name] - part[name] for name in state}

    def _product(self, rows: Rows, fixed: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        from scipy.sparse import csr_array

        matrix = csr_array((fixed, rows.codes, rows.offsets), shape=(len(rows), len(self.chosen)))
        product: npt.NDArray[np.int64] = (matrix[:, self.start : self.stop].T @ matrix).toarray()
        square = product[:, self.start : self.stop]
        square[:] = np.triu(square)
        return product


class ItemKNN(Learner, frozen=True):
    """Scores an item by how like it is to the items of the history; each of these speaks for its `k` nearest.

    similarity  "cosine" or "bm25"
    k           neighbours kept for each item
    shrinkage   of cosine, in people: takes weight from what only few people have in common
    k1, b       of BM25
    weighting   what several events of a person on one item are worth: "none" (1) or "log" (log2(1 + weight))
    min_people  items that fewer people have are left out

    Items left out score 0.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"]
    >>> model = ItemKNN(shrinkage=0, min_people=1).fit(LocalEngine(), Table.of(people, items))
    >>> model.scores(Requests(Histories.of([[0]]))).round(2)
    array([[0.  , 0.82, 0.58]], dtype=float32)
    """

    name: ClassVar[str] = "item_knn"

    similarity: Literal["cosine", "bm25"] = "cosine"
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    shrinkage: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    k1: Annotated[float, msgspec.Meta(gt=0)] = 1.2
    b: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.75
    weighting: Literal["none", "log"] = "log"
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, len(canonical))
        similarity = self._similarity(counts, chosen)
        k = min(self.k, max(len(chosen) - 1, 1))
        neighbours = np.full((len(canonical), k), UNKNOWN, np.int32)
        likeness = np.zeros((len(canonical), k), np.float32)
        for start, stop in _blocks(len(chosen)):
            state = engine.fold(PairSums(chosen, similarity, start, stop), dataset)
            places, values = _nearest(state, similarity, start, k)
            block = chosen.positions[start:stop]
            neighbours[block] = np.where(places == UNKNOWN, UNKNOWN, chosen.positions[places])
            likeness[block] = values
        return NeighbourItems(canonical, neighbours, likeness, self.weighting)

    def _similarity(self, counts: CountState, chosen: Chosen) -> Similarity:
        people, pairs = counts["totals"].tolist()
        if self.similarity == "cosine":
            return Cosine(self.weighting, self.shrinkage)
        return BM25(self.weighting, self.k1, self.b, pairs / max(people, 1), chosen.people, people)


@dataclass(frozen=True, eq=False)
class NeighbourItems(ScoredByParts):
    """Every item's nearest. A score is the sum, over the history, of the item's worth times the likeness.

    neighbours  int32[items, k]    canonical positions, nearest first, -1 where there are fewer
    likeness    float32[items, k]  0 where there are fewer

    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> near, likeness = np.array([[1], [0]], np.int32), np.array([[0.5], [0.5]], np.float32)
    >>> model = NeighbourItems(Items(["x", "y"]), near, likeness, "log")
    >>> model.scores(Requests(Histories.of([[0], []]))).tolist()
    [[0.0, 0.5], [0.0, 0.0]]
    """

    neighbours: npt.NDArray[np.int32]
    likeness: npt.NDArray[np.float32]
    weighting: Literal["none", "log"]

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        worth = weighed(rows.weights, self.weighting)
        scores = np.zeros((len(rows), len(self.items)), np.float32)
        if worthwhile("item_knn_kernels", len(rows.codes) * self.neighbours.shape[1], TINY_ROWS):
            from segue.learn.item_knn_kernels import add_neighbours

            add_neighbours(rows.offsets, rows.codes, worth, self.neighbours, self.likeness, scores)
            return scores
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            codes = rows.codes[start:stop]
            near = self.neighbours[codes].ravel()
            parts = (self.likeness[codes] * worth[start:stop, None]).ravel()
            known = near != UNKNOWN
            scores[row] = np.bincount(near[known], parts[known], minlength=len(self.items))
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        rows = self.rows(requests)
        asked, again = np.unique(items, return_inverse=True)
        column = np.full(len(self.items) + 1, UNKNOWN, np.int64)  # the last is for neighbours that are not there
        column[asked] = np.arange(len(asked))
        columns_of = column[self.neighbours[rows.codes]]
        sources, ranks = np.nonzero(columns_of != UNKNOWN)
        parts = np.zeros((len(rows.codes), len(asked)))
        worth = self.likeness[rows.codes] * weighed(rows.weights, self.weighting)[:, None]
        parts[sources, columns_of[sources, ranks]] = worth[sources, ranks]
        return rows.codes, parts[:, again]


ItemKNN.recommender = NeighbourItems


def _nearest(
    state: SumState, similarity: Similarity, start: int, k: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The `k` likest of each item of the block, itself and those without anything in common left out."""
    sums = state["sums"]
    square = sums[:, start : start + len(sums)]
    diagonal = square.diagonal().copy()
    square += square.T
    np.fill_diagonal(square, diagonal)
    unit = np.float32(FIXED_POINT**2)
    squares = state["squares"] / float(unit)
    places, values = np.empty((len(sums), k), np.int32), np.empty((len(sums), k), np.float32)
    for at in range(0, len(sums), LINES):
        lines = slice(at, at + LINES)
        alike = similarity.likeness(sums[lines].astype(np.float32) / unit, squares, start + at)
        alike[alike <= 0] = -np.inf
        np.fill_diagonal(alike[:, start + at :], -np.inf)
        places[lines], values[lines] = best(alike, k)
    return places, np.where(places == UNKNOWN, np.float32(0), values)


def _blocks(items: int) -> Iterator[tuple[int, int]]:
    step = max(1, BLOCK_BYTES // (8 * max(items, 1)))
    for start in range(0, items, step):
        yield start, min(start + step, items)
