"""Implicit ALS: factors of people and items by turns (Hu, Koren, Volinsky, "Implicit Feedback Datasets", 2008)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa

from segue.domain.recommender import Recommender
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.folded import FoldedItems, confidence
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.ranges import Choice, Range, Real
from segue.learn.rows import Weighting, rows_of_batch, run_starts, weighed
from segue.learn.whitened import Exact, Floats, Gradients, Ridge, Solver, Systems, Whitened, whitened, worthwhile

OTHER, WEIGHT, CONFIDENCE, FACTORS = "other", "weight", "confidence", "factors"
LEAST, MOST = 1e-37, 1e37  # weights beyond say nothing more, and float32 holds them


class DistinctPairs:
    """The map before the sweeps: whole keys to their distinct pairs with what each weighs, once.

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["ann", "ann"], ["x", "x"]), Key.USER)
    >>> LocalEngine().map(DistinctPairs(Key.USER, "linear"), by_user).batches[0].to_pylist()
    [{'user': 0, 'other': 0, 'weight': 2.0}]
    """

    def __init__(self, key: Key, weighting: Weighting) -> None:
        self.key = key
        self.weighting: Weighting = weighting

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = rows_of_batch(batch, self.key)
        weights = np.clip(weighed(rows.weights, self.weighting), LEAST, MOST).astype(np.float32)
        keys = rows.keys[rows.row_numbers()]
        return pa.record_batch({self.key.value: pa.array(keys), OTHER: pa.array(rows.codes), WEIGHT: pa.array(weights)})


class Confident:
    """The map from what pairs weigh to their confidence, beyond the 1 that everything has."""

    def __init__(self, key: Key, alpha: float) -> None:
        self.key = key
        self.alpha = alpha

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        extra = confidence(batch[WEIGHT].to_numpy().astype(np.float64), self.alpha).astype(np.float32)
        return pa.record_batch(
            {self.key.value: batch[self.key.value], OTHER: batch[OTHER], CONFIDENCE: pa.array(extra)}
        )


@dataclass(frozen=True)
class Shape:
    """How much of people x items there is: what parameters are relative to.

    people, items  that have anything
    pairs          distinct
    weight         mean of a pair

    >>> shape = Shape(100, 400, 1600, 2.0)
    >>> shape.alpha(0.5), round(shape.noise(0.5), 2)
    (1.25, 11.22)
    """

    people: int
    items: int
    pairs: int
    weight: float

    def alpha(self, relative: float) -> float:
        """What a weight of 1 adds to the confidence."""
        return self._mean(relative) / self.weight

    def noise(self, relative: float) -> float:
        """About the largest singular value of as much confidence without any structure: below it there is only
        chance (Marchenko, Pastur, 1967)."""
        total = self.pairs * (1 + self._mean(relative))
        return float(np.sqrt(total / self.people) + np.sqrt(total / self.items))

    def _mean(self, relative: float) -> float:
        """Of the confidences of pairs, beyond 1: the fewer pairs there are, the more each says."""
        return relative * float(np.sqrt(self.people * self.items / self.pairs))


def shape_of(by_user: Dataset) -> Shape:
    """From `DistinctPairs` by person. Summed person by person, so that no partition changes a bit."""
    sums = np.zeros(by_user.users)
    touched = np.zeros(len(by_user.items), np.bool_)
    for part in by_user.partitions(1):
        for batch in part:
            keys = batch[Key.USER.value].to_numpy()
            starts = run_starts(keys)
            sums[keys[starts]] = np.add.reduceat(batch[WEIGHT].to_numpy().astype(np.float64), starts)
            touched[batch[OTHER].to_numpy()] = True
    pairs = by_user.rows
    return Shape(int((sums > 0).sum()), int(touched.sum()), pairs, float(sums.sum() / pairs))


class SolveRows:
    """The map of a half-sweep: from distinct pairs, and the whitened factors of the other side, to solutions.

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["ann"], ["x"]), Key.USER)
    >>> pairs = LocalEngine().map(Confident(Key.USER, 1.0), LocalEngine().map(DistinctPairs(Key.USER, "none"), by_user))
    >>> white = Whitened(np.array([[1.0]], np.float32), np.ones(1, np.float32), np.ones((1, 1), np.float32))
    >>> solve = SolveRows(Key.USER, white, Ridge(1.0, 0.0, 1), Exact(plainly=True))
    >>> LocalEngine().map(solve, pairs).batches[0].to_pylist()
    [{'user': 0, 'factors': [1.0]}]
    """

    def __init__(self, key: Key, white: Whitened, ridge: Ridge, solve: Solver) -> None:
        self.key = key
        self.white = white
        self.ridge = ridge
        self.solve = solve

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        keys = batch[self.key.value].to_numpy()
        starts = run_starts(keys)
        offsets = np.append(starts, len(keys)).astype(np.int64)
        codes, extra = batch[OTHER].to_numpy(), batch[CONFIDENCE].to_numpy()
        solved = self.solve(Systems(offsets, codes, extra, self.ridge.excess(offsets, extra)), self.white)
        factors = pa.FixedSizeListArray.from_arrays(pa.array(solved.ravel()), solved.shape[1])
        return pa.record_batch({self.key.value: pa.array(keys[starts]), FACTORS: factors})


class ALS(Learner, frozen=True):
    """Factors whose products come near 1 where somebody has an item, weighted by confidence: 1 for what is missing.

    factors         how many
    epochs          sweeps over people and items
    regularization  of the squared norms of all factors, in units of `Shape.noise`
    scaling         how far a row's regularization grows with its confidence: times (all of it / that of an empty row)
                    to this power (Rendle et al., "Revisiting the Performance of iALS", 2022: nu)
    alpha           what a pair of mean weight adds to its confidence, in units of 1 / sqrt(share of pairs that exist)
    weighting       what several events of a person on one item weigh: "none" (1), "log" (log2(1 + weight)), "linear"
    solver          of each row: "gradients" (conjugate, `steps` of them) or "exact" (Cholesky's decomposition)
    steps           of conjugate gradients; 2 reach what an exact solution does
    seed            of the first item factors

    A person is folded in exactly when asked for: no factors of people are kept.

    >>> from segue.domain.requests import Histories, Requests
    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "y", "z"]
    >>> model = ALS(factors=2).fit(LocalEngine(), Table.of(people, items))
    >>> int(model.top(Requests(Histories.of([[0]])), 1, deny=np.array([True, False, False]))[0][0, 0])
    1
    """

    name: ClassVar[str] = "als"
    recommender: ClassVar[type[FoldedItems]] = FoldedItems
    ranges: ClassVar[Mapping[str, Range]] = {
        "factors": Choice((32, 64, 128, 256)),
        "regularization": Real(0.1, 3, log=True),
        "alpha": Real(0.1, 3, log=True),
        "scaling": Real(0, 1),
    }

    factors: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 10
    regularization: Annotated[float, msgspec.Meta(gt=0)] = 0.7
    scaling: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1.0
    alpha: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    weighting: Weighting = "log"
    solver: Literal["gradients", "exact"] = "gradients"
    steps: Annotated[int, msgspec.Meta(ge=1)] = 2
    seed: int = 0

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:
        """Half-sweeps by person and by item; with `validate`, the sweep that it likes best."""
        self._refuse_beyond_memory(dataset.users + len(dataset.items))
        by_user, by_item = (engine.map(DistinctPairs(key, self.weighting), engine.prepare(dataset, key)) for key in Key)
        refuse_empty(by_user.rows, self.name)
        shape = shape_of(by_user)
        alpha, least = shape.alpha(self.alpha), self.regularization * shape.noise(self.alpha)
        by_user, by_item = (
            engine.map(Confident(key, alpha), pairs) for key, pairs in zip(Key, (by_user, by_item), strict=True)
        )
        canonical, order = dataset.items.canonical()
        of_items = np.empty((len(order), self.factors), np.float32)
        of_items[order] = np.random.default_rng(self.seed).standard_normal(of_items.shape, np.float32) * 0.1
        kept: FoldedItems | None = None
        liked = -np.inf
        for epoch in range(self.epochs):
            of_people = self.half(engine, by_user, of_items, dataset.users, least)
            of_items = self.half(engine, by_item, of_people, len(order), least)
            if validate is None and epoch + 1 < self.epochs:
                continue
            white = whitened(of_items[order], least)
            found = FoldedItems(canonical, white.lines, alpha, self.weighting, least, self.scaling, white.inverse)
            value = 0.0 if validate is None else validate(found)
            if kept is None or value > liked:
                kept, liked = found, value
        assert kept is not None
        return kept

    def half(self, engine: Engine, by_key: Dataset, others: Floats, count: int, least: float) -> Floats:
        """float32[count, factors] of the people or items of `by_key`, from the factors of the other side."""
        assert by_key.key is not None
        white = whitened(others, least)
        ridge = Ridge(least, self.scaling, len(others))
        solve_rows = SolveRows(by_key.key, white, ridge, self._solver(by_key.rows))
        solutions = np.zeros((count, self.factors), np.float32)
        for part in engine.map(solve_rows, by_key).partitions(1):
            for batch in part:
                rows = batch[FACTORS].flatten().to_numpy().reshape(-1, self.factors)
                solutions[batch[by_key.key.value].to_numpy()] = rows
        product: Floats = solutions @ white.back
        return product

    def _refuse_beyond_memory(self, rows: int) -> None:
        """Factors of all people and items, whitened, and as they are solved."""
        each = 3 * 4 * rows
        fits = int(available_bytes() / max(each, 1))
        mend = f"set factors = {fits}" if fits else "learn from fewer people"
        refuse_beyond_memory(each * self.factors, f"{self.factors} factors of {rows:,} people and items", mend)

    def _solver(self, pairs: int) -> Solver:
        plainly = not worthwhile(pairs * self.factors)
        return Exact(plainly) if self.solver == "exact" else Gradients(self.steps, 0.0, plainly)
