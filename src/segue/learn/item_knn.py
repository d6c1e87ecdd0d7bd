"""Item neighbours: items go together where the same people have both."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.gram import CountState, ItemCounts, choose
from segue.learn.kernels import worthwhile
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.neighbours import Worth, neighbours, pairs_of
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.rows import Rows, weighed
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.similarity import BM25, TFIDF, Cosine, Lift, Similarity, Tversky, Walk
from segue.learn.top import Best, Left, best

TINY_ROWS = 200_000  # neighbours of the items of the histories together; below, NumPy need not wait for a kernel
TINY_SCORES = 2_000_000  # of a list, likewise
CHUNK_ROWS = 256  # whose lists a thread makes at a time
OF_SIMILARITY = {  # the parameters that it alone has, or shares with some
    "cosine": {"shrinkage"},
    "tfidf": {"shrinkage"},
    "bm25": {"k1", "b"},
    "tversky": {"shrinkage", "alpha", "beta"},
    "lift": {"shrinkage"},
    "walk": {"alpha", "beta"},
}


class ItemKNN(Learner, frozen=True):
    """Scores an item by how like it is to the items of the history; each of these speaks for its `k` nearest.

    similarity   "cosine", "tfidf", "bm25", "tversky", "lift" or "walk": see `segue.learn.similarity`
    k            neighbours kept for each item
    shrinkage    of all but bm25 and walk, in people: takes weight from what only few people have in common
    k1, b        of bm25
    alpha, beta  of tversky: how much it tells against two items to be with the one, or the other, alone; of walk: how
                 much long histories are discounted, and items that many people have
    weighting    what several events of a person on one item are worth: "none" (1) or "log" (log2(1 + weight)); tversky
                 and lift count people only
    min_people   items that fewer people have are left out
    max_history  how many items of one person count, the newest: the work grows with their square

    Items left out score 0. The work is the number of pairs of items that people have in common, memory grows with the
    items times `k`.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"]
    >>> model = ItemKNN(similarity="cosine", shrinkage=0, min_people=1).fit(LocalEngine(), Table.of(people, items))
    >>> model.scores(Requests(Histories.of([[0]]))).round(2)
    array([[0.  , 0.82, 0.58]], dtype=float32)
    """

    name: ClassVar[str] = "item_knn"
    ranges: ClassVar[Mapping[str, Range]] = {
        "similarity": Choice(("cosine", "tfidf", "bm25", "tversky", "walk")),
        "k": Whole(10, 300, log=True),
        "shrinkage": Real(0.3, 300, log=True),
        "alpha": Real(0.2, 1.2),
        "beta": Real(0, 1),
        "weighting": Choice(("none", "log")),
    }

    similarity: Literal["cosine", "tfidf", "bm25", "tversky", "lift", "walk"] = "bm25"
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    shrinkage: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    k1: Annotated[float, msgspec.Meta(gt=0)] = 1.2
    b: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.75
    alpha: Annotated[float, msgspec.Meta(ge=0)] = 0.8
    beta: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    weighting: Literal["none", "log"] = "log"
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2
    max_history: Annotated[int, msgspec.Meta(ge=1)] = 10_000

    @property
    def ignored(self) -> frozenset[str]:
        """What only other similarities have.

        >>> sorted(ItemKNN(similarity="cosine").ignored)
        ['alpha', 'b', 'beta', 'k1']
        """
        return frozenset().union(*OF_SIMILARITY.values()) - OF_SIMILARITY[self.similarity]

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, len(canonical))
        similarity = self._similarity(counts, len(chosen))
        k = min(self.k, max(len(chosen) - 1, 1))
        self._refuse_beyond_memory(len(canonical), k)
        worth = engine.map(Worth(chosen, similarity, self.max_history), engine.prepare(dataset, Key.USER))
        places, values = neighbours(engine, dataset, pairs_of(worth, len(chosen)), similarity, k)
        near = np.full((len(canonical), k), UNKNOWN, np.int32)
        likeness = np.zeros((len(canonical), k), np.float32)
        near[chosen.positions] = np.where(places == UNKNOWN, UNKNOWN, chosen.positions[places])
        likeness[chosen.positions] = values
        return NeighbourItems(canonical, near, likeness, self.weighting)

    def _similarity(self, counts: CountState, items: int) -> Similarity:
        people, pairs = counts["totals"].tolist()
        match self.similarity:
            case "cosine":
                return Cosine(self.weighting, self.shrinkage)
            case "tfidf":
                return TFIDF(self.weighting, self.shrinkage, items)
            case "bm25":
                return BM25(self.weighting, self.k1, self.b, pairs / max(people, 1), people)
            case "tversky":
                return Tversky(self.alpha, self.beta, self.shrinkage)
            case "lift":
                return Lift(people, self.shrinkage)
            case "walk":
                return Walk(self.weighting, self.alpha, self.beta)

    def _refuse_beyond_memory(self, items: int, k: int) -> None:
        each = 24 * k  # the lists as they are found, gathered, and in place
        refuse_beyond_memory(
            items * each,
            f"{k} neighbours of each of {items:,} items",
            f"set k = {max(1, int(k * available_bytes() / (2 * items * each + 1)))}, or raise min_people",
        )


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

    @property
    def note(self) -> str:
        """How many neighbours are kept."""
        return f"sparse: {self.neighbours.shape[1]:,} neighbours of each item at most"

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

    def best_rows(self, requests: Requests, k: int, left: Left) -> Best:
        rows = self.rows(requests)
        work = len(rows.codes) * self.neighbours.shape[1] + len(rows) * len(self.items)
        if k == 0 or not worthwhile("item_knn_kernels", work, TINY_SCORES):
            return best(left.among(self.score_rows(rows, requests)), k)
        from segue.learn.item_knn_kernels import best_neighbours

        positions = np.full((len(rows), k), UNKNOWN, np.int32)
        values = np.full((len(rows), k), -np.inf, np.float32)
        ours = rows.offsets, rows.codes, weighed(rows.weights, self.weighting), self.neighbours, self.likeness
        masks = left.for_kernels(len(rows), len(self.items))
        best_neighbours(*ours, *masks, len(self.items), positions, values)
        return positions, values

    def rows_at_once(self) -> int:
        return CHUNK_ROWS

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
