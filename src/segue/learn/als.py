"""Implicit ALS: factors of people and items by turns (Hu, Koren, Volinsky, "Implicit Feedback Datasets", 2008)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from segue.domain.recommender import Recommender
from segue.engines.engine import Dataset, Engine, Key
from segue.learn.folded import FoldedItems, confidence
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.rows import Weighting, rows_of_batch
from segue.learn.whitened import Floats, Solver, solver, whitened

OTHER, CONFIDENCE, FACTORS = "other", "confidence", "factors"


class DistinctPairs:
    """The map before the sweeps: whole keys to their distinct pairs with the confidence of each, once.

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["ann", "ann"], ["x", "x"]), Key.USER)
    >>> LocalEngine().map(DistinctPairs(Key.USER, 2.0, "linear"), by_user).batches[0].to_pylist()
    [{'user': 0, 'other': 0, 'confidence': 4.0}]
    """

    def __init__(self, key: Key, alpha: float, weighting: Weighting) -> None:
        self.key = key
        self.alpha = alpha
        self.weighting: Weighting = weighting

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = rows_of_batch(batch, self.key)
        extra = confidence(rows, self.alpha, self.weighting).astype(np.float32)
        keys = rows.keys[rows.row_numbers()]
        return pa.record_batch(
            {self.key.value: pa.array(keys), OTHER: pa.array(rows.codes), CONFIDENCE: pa.array(extra)}
        )


class SolveRows:
    """The map of a half-sweep: from distinct pairs, and the whitened factors of the other side, to solutions.

    Of each row it solves (I + B'aB) z = B'(1 + a) over the row's items, where B are whitened factors: nothing of size
    f x f is made for a row, and few steps of conjugate gradients reach the solution.

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["ann"], ["x"]), Key.USER)
    >>> pairs = LocalEngine().map(DistinctPairs(Key.USER, 1.0, "none"), by_user)
    >>> solved = LocalEngine().map(SolveRows(Key.USER, np.array([[1.0]], np.float32), 2, solver(1)), pairs)
    >>> solved.batches[0].to_pylist()
    [{'user': 0, 'factors': [1.0]}]
    """

    def __init__(self, key: Key, white: Floats, steps: int, solve: Solver) -> None:
        self.key = key
        self.white = white
        self.steps = steps
        self.solve = solve

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        keys = batch[self.key.value].to_numpy()
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        offsets = np.append(starts, len(keys)).astype(np.int64)
        codes, extra = batch[OTHER].to_numpy(), batch[CONFIDENCE].to_numpy()
        solutions = pa.array(self.solve(offsets, codes, extra, self.white, self.steps, 0.0).ravel())
        factors = pa.FixedSizeListArray.from_arrays(solutions, self.white.shape[1])
        return pa.record_batch({self.key.value: pa.array(keys[starts]), FACTORS: factors})


class ALS(Learner, frozen=True):
    """Factors whose products come near 1 where somebody has an item, with confidence 1 + alpha times its weight.

    factors         how many
    epochs          sweeps over people and items
    regularization  of the squared norms of all factors
    alpha           what a pair of weight 1 adds to the confidence of 1 that everything else has
    weighting       what several events of a person on one item weigh: "none" (1), "log" (log2(1 + weight)), "linear"
    steps           of conjugate gradients for each row; 2 reach what an exact solution does
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

    factors: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 64
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 10
    regularization: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    alpha: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    weighting: Weighting = "log"
    steps: Annotated[int, msgspec.Meta(ge=1)] = 2
    seed: int = 0

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:
        """Half-sweeps by person and by item; with `validate`, the sweep that it likes best."""
        by_user, by_item = (
            engine.map(DistinctPairs(key, self.alpha, self.weighting), engine.prepare(dataset, key)) for key in Key
        )
        refuse_empty(by_user.rows, self.name)
        canonical, order = dataset.items.canonical()
        of_items = np.empty((len(order), self.factors), np.float32)
        of_items[order] = np.random.default_rng(self.seed).standard_normal(of_items.shape, np.float32) * 0.1
        kept: FoldedItems | None = None
        liked = -np.inf
        for epoch in range(self.epochs):
            of_people = self._half(engine, by_user, of_items, dataset.users)
            of_items = self._half(engine, by_item, of_people, len(order))
            if validate is None and epoch + 1 < self.epochs:
                continue
            white, _ = whitened(of_items[order], self.regularization)
            found = FoldedItems(canonical, white, self.alpha, self.weighting)
            value = 0.0 if validate is None else validate(found)
            if kept is None or value > liked:
                kept, liked = found, value
        assert kept is not None
        return kept

    def _half(self, engine: Engine, by_key: Dataset, others: Floats, count: int) -> Floats:
        """float32[count, factors] of the people or items of `by_key`, from the factors of the other side."""
        assert by_key.key is not None
        white, back = whitened(others, self.regularization)
        solve_rows = SolveRows(by_key.key, white, self.steps, solver(by_key.rows * self.factors))
        solutions = np.zeros((count, self.factors), np.float32)
        for part in engine.map(solve_rows, by_key).partitions(1):
            for batch in part:
                rows = batch[FACTORS].flatten().to_numpy().reshape(-1, self.factors)
                solutions[batch[by_key.key.value].to_numpy()] = rows
        product: Floats = solutions @ back
        return product
