"""Spectral filters: item neighbours normalised by degrees, with what everybody has in common taken down."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.mapped import Mapped
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.eigen import Product, leading, space
from segue.learn.gram import Chosen, ItemCounts, choose
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.neighbours import Pairs, Worth, neighbours, pairs_of
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.rows import Rows, weighed
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.similarity import Terms

START, STOP, SUMS = "start", "stop", "sums"
NUMBERS = 4_000_000  # gathered at a time
BATCHES = 32  # of rows of about the same number of pairs
NARROW = 2**31
TERMS = 4  # of the series of the exponential at least, for what the leading eigenvectors leave
EXACT = 1e-4  # of a column: less than this is what the terms that are left out add

Floats = npt.NDArray[np.float32]
Lists = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Floats]


class Spectral(Learner, frozen=True):
    """A filter of a history h by the graph of who has what: scores h D^-source A D^-target, A = X' L^-person X.

    X is what people have, L how many items each person has, D how many people have each item. What is large in the
    spectrum of F = D^-1/2 A D^-1/2 is what everybody has in common; it is taken down: scores, before the power of the
    target, go through exp(-sharpness F / lambda_max), heat that runs backwards, as the sharpening of Choi, Hong, Park,
    Cho, "Blurring-Sharpening Process Models for Collaborative Filtering", 2023 (BSPM). `alpha` adds the ideal low pass
    of Shen et al., "How Powerful is Graph Convolution for Recommendation?", 2021 (GF-CF), D^-1/2 V V' D^1/2 of the
    `factors` leading eigenvectors. GF-CF itself is person_power = 1, source_power = target_power = 0.5, sharpness = 0,
    alpha = 0.3, factors = 256; BSPM the same with sharpness = 2.5 and factors = 448.

    The leading eigenvalues go through the filter one by one, all that is below them by the mean of its two ends.

    factors    eigenvectors that are filtered
    k          neighbours of each item of which A is kept as it is; of the others, what the eigenvectors say
    person_power  how much long histories are discounted
    source_power  how much is taken from items of the history that many people have
    target_power  the same of the items that are scored; smaller recommends what is popular
    sharpness  how much of what everybody has in common is taken away
    alpha      the share of the ideal low pass, in units of lambda_max
    weighting  what several events of a person on one item are worth: "none" (1) or "log" (log2(1 + weight))
    min_people, max_history  as of item_knn
    seed       of the vectors that the eigenvectors are looked for from

    Engines and partitions change nothing. Another number of BLAS threads changes last bits: scores agree to 1e-4 of the
    largest.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"]
    >>> model = Spectral(min_people=1).fit(LocalEngine(), Table.of(people, items))
    >>> model.top(Requests(Histories.of([[0]])), 1, deny=np.array([True, False, False]))[0].tolist()
    [[1]]
    """

    name: ClassVar[str] = "spectral"
    ranges: ClassVar[Mapping[str, Range]] = {
        "factors": Whole(16, 256, log=True),
        "person_power": Real(0.3, 1.0),
        "source_power": Real(0.3, 0.7),
        "target_power": Real(0.0, 0.5),
        "sharpness": Real(0.0, 4.0),
        "alpha": Real(0.0, 0.3),
        "weighting": Choice(("none", "log")),
    }

    factors: Annotated[int, msgspec.Meta(ge=1, le=2048)] = 256
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 400
    person_power: Annotated[float, msgspec.Meta(ge=0)] = 0.6
    source_power: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    target_power: Annotated[float, msgspec.Meta(ge=0)] = 0.25
    sharpness: Annotated[float, msgspec.Meta(ge=0, le=10)] = 2.5
    alpha: Annotated[float, msgspec.Meta(ge=0)] = 0.06
    weighting: Literal["none", "log"] = "log"
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2
    max_history: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    seed: int = 0

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, len(canonical))
        k = min(self.k, max(len(chosen) - 1, 1))
        self._refuse_beyond_memory(len(chosen), k)
        graph = Degrees(self.weighting, self.person_power, self.source_power, self.target_power)
        worth = engine.map(Worth(chosen, graph, self.max_history), engine.prepare(dataset, Key.USER))
        pairs = pairs_of(worth, len(chosen))
        places, likeness = neighbours(engine, dataset, pairs, graph, k)
        step = _step(engine, dataset, pairs)
        filtered = Filter(*leading(step, len(pairs), self.factors, self.seed), self.sharpness)
        cut = (places != UNKNOWN).all(axis=1) & (len(chosen) - 1 > k)
        sources, targets = self._sides(chosen, filtered.vectors)
        _take_away(likeness, places, sources * np.where(cut[:, None], filtered.values, 0).astype(np.float32), targets)
        near = _placed(chosen, len(canonical), places, likeness * np.float32(filtered.rest))
        return SpectralItems(
            canonical, *near, self.weighting, *self._products(chosen, len(canonical), filtered, cut, step)
        )

    def _sides(self, chosen: Chosen, vectors: Floats) -> tuple[Floats, Floats]:
        """D^(1/2 - source_power) V and D^(1/2 - target_power) V."""
        source, target = (_powers(chosen, 0.5 - power) for power in (self.source_power, self.target_power))
        return (source * vectors).astype(np.float32), (target * vectors).astype(np.float32)

    def _products(
        self, chosen: Chosen, items: int, filtered: Filter, cut: npt.NDArray[np.bool_], step: Product
    ) -> tuple[Floats, Floats]:
        """Two float32[items, n] whose product is what the filter makes of the leading eigenvectors, and the low pass.

        Where neighbours were `cut` off it is all of that; where not, what they do not say already.
        """
        sources, targets = self._sides(chosen, filtered.vectors)
        sharp = filtered.values * filtered.passed
        sources *= np.where(cut[:, None], sharp, sharp - filtered.rest * filtered.values).astype(np.float32)
        if self.alpha > 0 and len(filtered.values):  # Shen et al., equation 12: D^-1/2 V V' D^1/2
            low = _powers(chosen, -0.5) * filtered.vectors * (self.alpha * filtered.values.max(initial=0))
            high = filtered.sharpened((_powers(chosen, 0.5) * filtered.vectors).astype(np.float32), step)
            sources = np.hstack([sources, low.astype(np.float32)])
            targets = np.hstack([targets, (_powers(chosen, 0.5 - self.target_power) * high).astype(np.float32)])
        both = np.zeros((2, items, sources.shape[1]), np.float32)
        both[0, chosen.positions], both[1, chosen.positions] = sources, targets
        return both[0], both[1]

    def _refuse_beyond_memory(self, items: int, k: int) -> None:
        products = 24 if self.alpha > 0 else 12  # bytes a factor, of which each is there twice or four times
        needed = int(1.1 * items * (24 * k + 12 * space(items, self.factors) + products * self.factors))
        less = max(1, int(self.factors * available_bytes() / (2 * needed + 1)))
        refuse_beyond_memory(
            needed,
            f"a filter by {self.factors} factors and {k} neighbours of {items:,} items",
            f"set factors = {less} and k = {max(1, k * less // self.factors)}, or raise min_people",
        )


@dataclass(frozen=True, eq=False)
class Filter:
    """exp(-sharpness F / lambda_max) of a matrix F whose leading eigenvalues and vectors are known.

    values   float64[n]         the leading eigenvalues, the largest first
    vectors  float32[items, n]

    >>> Filter(np.array([2.0, 1.0]), np.eye(3, 2, dtype=np.float32), 1.0).passed.round(3).tolist()
    [0.368, 0.607]
    """

    values: npt.NDArray[np.float64]
    vectors: Floats
    sharpness: float

    @property
    def passed(self) -> npt.NDArray[np.float64]:
        """float64[n]: what is left of each leading eigenvalue."""
        return np.asarray(np.exp(-self.sharpness * self.values / self.values.max(initial=1e-300)))

    @property
    def rest(self) -> float:
        """What is left of all the others: between nothing taken, at 0, and what is taken of the last that is known."""
        if len(self.values) == len(self.vectors):
            return 1.0
        return (1 + float(self.passed.max(initial=0))) / 2

    def sharpened(self, block: Floats, step: Product) -> Floats:
        """float32[items, m]: the filter of a block of columns; `step` is F times a block.

        What lies along the eigenvectors exactly, what is left by the series of the exponential, which is short where
        the eigenvalues that are not known are small beside the largest.
        """
        along = self.vectors.T.astype(np.float64) @ block
        found = self.vectors @ (self.passed[:, None] * along).astype(np.float32)
        term = block - self.vectors @ along.astype(np.float32)
        found += term
        for power in range(1, self._terms() + 1):
            scale = -self.sharpness / (power * self.values.max(initial=1e-300))
            term = step(np.ascontiguousarray(term)) * np.float32(scale)
            term -= self.vectors @ (self.vectors.T @ term)  # what rounding brings back
            found += term
        return found

    def _terms(self) -> int:
        """How many terms there are whose last is small along every eigenvector that is not known."""
        most = self.sharpness * float(self.values[-1] / self.values[0]) if len(self.values) else 0.0
        terms = TERMS
        while most ** (terms + 1) > EXACT * math.factorial(terms + 1):
            terms += 1
        return terms


@dataclass(frozen=True)
class Degrees:
    """sum of w w / length^person / (people of i^source people of j^target): a step of the graph, there and back.

    >>> degrees = Degrees("none", person_power=1, source_power=1, target_power=0)
    >>> degrees.terms(np.array([2.0]), np.array([2.0])).left.tolist()
    [2.0]
    """

    weighting: Literal["none", "log"]
    person_power: float
    source_power: float
    target_power: float

    def worth(self, rows: Rows) -> npt.NDArray[np.float64]:
        """float64[pairs]: the weight over the root of the discount of the person's length."""
        discount = np.maximum(np.diff(rows.offsets), 1) ** (-self.person_power / 2)
        return np.asarray(weighed(rows.weights, self.weighting) * discount[rows.row_numbers()])

    def terms(self, squares: npt.NDArray[np.float64], people: npt.NDArray[np.float64]) -> Terms:  # noqa: ARG002
        """Sums over powers of how many people have the two items."""
        nothing = np.zeros(len(people))
        return Terms(0.0, nothing, nothing, people**self.source_power, people**self.target_power)


@dataclass(frozen=True, eq=False)
class SpectralItems(ScoredByParts):
    """A product of two tall matrices over all items, and neighbours for what is not in it. Both are linear.

    starts      int64[items + 1]   where the neighbours of each item begin
    neighbours  int32[n]           canonical positions, ascending for each item
    likeness    float32[n]         what they have beyond the product, negative or positive
    sources     float32[items, m]  what each item of a history adds to m numbers of the person
    targets     float32[items, m]  what these numbers add to the score of each item

    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> near, likeness = np.array([1, 0], np.int32), np.array([0.5, 0.5], np.float32)
    >>> tall = np.array([[1], [-1]], np.float32)
    >>> model = SpectralItems(Items(["x", "y"]), np.array([0, 1, 2]), near, likeness, "log", tall, tall)
    >>> model.scores(Requests(Histories.of([[0]]))).tolist()
    [[1.0, -0.5]]
    """

    starts: npt.NDArray[np.int64]
    neighbours: npt.NDArray[np.int32]
    likeness: Floats
    weighting: Literal["none", "log"]
    sources: Floats
    targets: Floats

    @property
    def note(self) -> str:
        """How many neighbours are kept, and how wide the products are."""
        most = int(np.diff(self.starts).max(initial=0))
        return f"sparse: {most:,} neighbours of each item at most, and products of {self.sources.shape[1]:,} numbers"

    def score_rows(self, rows: Rows, requests: Requests) -> Floats:  # noqa: ARG002
        worth = weighed(rows.weights, self.weighting).astype(np.float32)
        history = _sparse(rows.offsets, rows.codes, worth, len(self.items))
        scores: Floats = (history @ self.sources) @ self.targets.T
        near = history @ self._graph
        numbers = np.repeat(np.arange(len(rows)), np.diff(near.indptr))
        scores[numbers, near.indices] += near.data
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        rows = self.rows(requests)
        near = self._graph[rows.codes].tocsc()[:, items].toarray()
        both = self.sources[rows.codes].astype(np.float64) @ self.targets[items].T.astype(np.float64)
        return rows.codes, weighed(rows.weights, self.weighting)[:, None] * (near + both)

    @cached_property
    def _graph(self) -> Any:
        return _sparse(self.starts, self.neighbours, self.likeness, len(self.items))


Spectral.recommender = SpectralItems


class RowSums:
    """The map over runs of rows `start` to `stop` of a sparse matrix: their products with a dense one.

    >>> rows = pa.record_batch({START: pa.array([0]), STOP: pa.array([2])})
    >>> side = _sparse(np.array([0, 1, 2]), np.array([1, 0], np.int32), np.array([2, 3], np.float32), 2)
    >>> RowSums(side, np.array([[1], [10]], np.float32))(rows)[SUMS].to_pylist()
    [[20.0, 3.0]]
    """

    def __init__(self, matrix: Any, dense: Floats) -> None:
        self.matrix = matrix
        self.dense = dense

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        runs = zip(batch[START].to_pylist(), batch[STOP].to_pylist(), strict=True)
        sums = [pa.array(((self.matrix[start:stop]) @ self.dense).ravel()) for start, stop in runs]
        offsets = np.cumsum([0, *map(len, sums)])
        return pa.record_batch({SUMS: pa.LargeListArray.from_arrays(offsets, pa.concat_arrays(sums))})


def _step(engine: Engine, dataset: Dataset, pairs: Pairs) -> Product:
    """From a block to D^-1/2 X' L^-person X D^-1/2 times it."""
    by_user, by_item = _normalised(pairs)
    of_users, of_items = (_runs(side.indptr, dataset) for side in (by_user, by_item))

    def times(matrix: Any, runs: Mapped, dense: Floats) -> Floats:
        found = engine.map(RowSums(matrix, dense), runs)
        sums = [batch[SUMS].flatten().to_numpy() for part in found.partitions(1) for batch in part]
        return np.concatenate(sums).reshape(-1, dense.shape[1])

    return lambda block: times(by_item, of_items, times(by_user, of_users, block))


def _powers(chosen: Chosen, power: float) -> npt.NDArray[np.float64]:
    """float64[items, 1]: how many people have each item, to a power."""
    return np.asarray(chosen.people.astype(np.float64)[:, None] ** power)


def _normalised(pairs: Pairs) -> tuple[Any, Any]:
    """X L^-person/2 D^-1/2 by person, and the same turned, by item."""
    people = np.diff(pairs.by_item.offsets)
    roots = np.sqrt(pairs.unit / np.maximum(people, 1))
    by_user, by_item = pairs.by_user, pairs.by_item
    of_users = (by_user.values * roots[by_user.codes]).astype(np.float32)
    of_items = (by_item.values * np.repeat(roots, people)).astype(np.float32)
    return (
        _sparse(by_user.offsets, by_user.codes, of_users, len(people)),
        _sparse(by_item.offsets, by_item.codes, of_items, len(by_user.offsets) - 1),
    )


def _runs(offsets: npt.NDArray[np.integer], dataset: Dataset) -> Mapped:
    """All rows in runs of about the same number of pairs, a batch each."""
    cuts = np.searchsorted(offsets, np.linspace(0, offsets[-1], BATCHES + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(offsets) - 1]]))
    if len(edges) < 2:
        edges = np.array([0, 0])  # nobody has anything that counts: a run of no rows
    batches = [
        pa.record_batch({START: pa.array([start]), STOP: pa.array([stop])}) for start, stop in itertools.pairwise(edges)
    ]
    return Mapped(batches, batches[0].schema, dataset)


def _take_away(likeness: Floats, places: npt.NDArray[np.int32], sources: Floats, targets: Floats) -> None:
    """Leave of each item's likeness what the product of `sources` and `targets` does not say already."""
    lines = max(1, NUMBERS // max(1, places.shape[1] * sources.shape[1]))
    for start in range(0, len(places), lines):
        part = slice(start, start + lines)
        told = np.einsum("if,ikf->ik", sources[part], targets[places[part]])
        likeness[part] -= np.where(places[part] == UNKNOWN, np.float32(0), told)


def _placed(chosen: Chosen, items: int, places: npt.NDArray[np.int32], values: Floats) -> Lists:
    """Neighbours in canonical positions, of all items, ascending; none of those that were not chosen."""
    known = (places != UNKNOWN) & (values != 0)
    sources = np.repeat(chosen.positions, known.sum(axis=1))
    near, likeness = chosen.positions[places[known]], values[known]
    order = np.lexsort((near, sources))
    starts = np.zeros(items + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=items), out=starts[1:])
    return starts, near[order], likeness[order]


def _sparse(
    offsets: npt.NDArray[np.integer], codes: npt.NDArray[np.int32], values: npt.NDArray[np.float32], width: int
) -> Any:
    """A sparse matrix; SciPy copies codes to be as wide as offsets, so these are made as narrow as they may be."""
    from scipy.sparse import csr_array

    narrow = offsets.astype(np.int32) if offsets[-1] < NARROW else offsets
    return csr_array((values, codes, narrow), shape=(len(offsets) - 1, width))
