"""What people turn to next: transitions from item to item over several steps, the nearest steps counting most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Key
from segue.learn.growing import State, growing
from segue.learn.item_knn import NeighbourItems
from segue.learn.learner import Counted, refuse_empty
from segue.learn.pair_sums import (
    HALF,
    added_up,
    cuts,
    gathered,
    kept,
    no_pairs,
    pairs_together,
    pairs_without,
    refuse_too_many,
    starts_of,
)
from segue.learn.ranges import Range, Real, Whole
from segue.learn.rows import Rows
from segue.learn.sequences import COLUMNS, Sequences, faded, fading, last_of_histories, sequences_of_batch

FIXED_POINT = 2.0**16  # of what a transition counts for


class Transitions:
    """The aggregate: how often one item followed another, each time worth steps^-decay, up to `window` steps.

    cells   int64[n] ascending: code of the item before in the upper half, of that after in the lower
    sums    int64[n] in fixed point, never 0
    visits  int64[codes] how often each item was met; as long as the largest code met

    >>> from segue.engines.local import LocalEngine, Table
    >>> state = LocalEngine().fold(Transitions(2, 1.0, None), Table.of(["ann"] * 3, ["x", "y", "z"]))
    >>> (state["sums"] / FIXED_POINT).tolist()  # x y, x z, y z
    [1.0, 0.5, 1.0]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, window: int, decay: float, gap_minutes: float | None) -> None:
        self.window = window
        self.decay = decay
        self.gap_minutes = gap_minutes

    def init(self) -> State:
        return no_pairs()

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        sequences = sequences_of_batch(batch, self.gap_minutes)
        return growing(state, gathered(self._moves(sequences)) | {"visits": np.bincount(sequences.codes)}, self.merge)

    def merge(self, left: State, right: State) -> State:
        refuse_too_many(left, right, self.window)
        return pairs_together(left, right)

    def subtract(self, state: State, part: State) -> State:
        return pairs_without(state, part)

    def _moves(self, sequences: Sequences) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """The cells of all transitions over so many steps, and what each is worth."""
        codes = sequences.codes.astype(np.int64)
        worth = np.maximum(np.rint(fading(self.decay, self.window) * FIXED_POINT), 1).astype(np.int64)
        for lag, earlier, later in sequences.pairs(self.window):
            yield (codes[earlier] << 32) | codes[later], np.full(len(earlier), worth[lag - 1])


class Markov(Counted, frozen=True):
    """Scores an item by how often it followed what the person did last.

    window       how many steps before still count; 1 is a first-order Markov chain
    decay        how soon steps fade: what lies n steps apart counts n^-decay
    backoff      what a pair the other way round is worth: where few transitions were seen, going together counts
    shrinkage    in visits: takes weight from what follows items that were rarely met
    k            followers kept for each item
    gap_minutes  transitions do not reach over a longer pause; None: a person's whole history is one sequence

    A score is the sum over the last `window` events, the newest counting 1, the n-th n^-decay, of the share of visits
    that the item followed; so each item's part is a reason. `window=1` is MC, `decay=1` near SR of Ludewig and Jannach,
    "Evaluation of Session-based Recommendation Algorithms", 2018.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> model = Markov(backoff=0, shrinkage=0).fit(LocalEngine(), Table.of(["ann"] * 3, ["x", "y", "z"]))
    >>> model.scores(Requests(Histories.of([[0]]))).round(2).tolist()
    [[0.0, 1.0, 0.5]]
    """

    name: ClassVar[str] = "markov"
    ranges: ClassVar[Mapping[str, Range]] = {
        "window": Whole(1, 30, log=True),
        "decay": Real(0.3, 2),
        "backoff": Real(0.01, 1, log=True),
        "shrinkage": Real(1, 100, log=True),
    }

    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    decay: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    backoff: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    shrinkage: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    gap_minutes: Annotated[float, msgspec.Meta(gt=0)] | None = None

    @property
    def aggregate(self) -> Transitions:
        return Transitions(self.window, self.decay, self.gap_minutes)

    def finish(self, state: State, items: Items) -> Recommender:
        """The likeliest followers of each item, in canonical positions."""
        refuse_empty(int(state["visits"].sum()), self.name)
        canonical, _ = items.canonical()
        visits = np.zeros(len(items), np.int64)
        visits[: len(state["visits"])] = state["visits"]
        starts = starts_of(state["cells"], len(items))
        backwards = _turned(state, starts) if self.backoff > 0 else _turned(no_pairs(), np.zeros_like(starts))
        longest = int(np.diff(starts + backwards.indptr).max(initial=0))
        runs = (
            (cells, (sums / FIXED_POINT / (visits[cells >> 32] + self.shrinkage)).astype(np.float32))
            for cells, sums in self._both_ways(state, starts, backwards)
        )
        followers, likeness = kept(runs, items.translation(canonical), longest, self.k)
        return FadingItems(canonical, followers, likeness, "linear", self.decay, self.window)

    def _both_ways(
        self, state: State, starts: npt.NDArray[np.int64], backwards: Any
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Transitions with their backoff, in runs of cells; from an item to itself there is none."""
        for first, stop in cuts(starts + backwards.indptr):
            its, back = slice(starts[first], starts[stop]), slice(backwards.indptr[first], backwards.indptr[stop])
            lengths = np.diff(backwards.indptr[first : stop + 1])
            after = np.repeat(np.arange(first, stop, dtype=np.int64), lengths)
            both = added_up(
                {name: state[name][its] for name in ("cells", "sums")},
                {
                    "cells": (after << 32) | backwards.indices[back],
                    "sums": np.rint(backwards.data[back] * self.backoff).astype(np.int64),
                },
            )
            told = (both["sums"] > 0) & (both["cells"] >> 32 != both["cells"] & HALF)
            yield both["cells"][told], both["sums"][told]


def _turned(state: State, starts: npt.NDArray[np.int64]) -> Any:
    """A csr_array of the sums by the item after: SciPy's transpose counts, it sorts nothing."""
    from scipy.sparse import csr_array

    items = len(starts) - 1
    narrow = starts.astype(np.int32) if starts[-1] < 2**31 else starts
    after = (state["cells"] & HALF).astype(narrow.dtype)
    return csr_array((state["sums"], after, narrow), shape=(items, items)).T.tocsr()


@dataclass(frozen=True, eq=False)
class FadingItems(NeighbourItems):
    """Every item's followers. What somebody did last counts most, the n-th before n^-decay of it.

    >>> from segue.domain.requests import Histories
    >>> after, shares = np.array([[1], [0]], np.int32), np.array([[0.5], [0.5]], np.float32)
    >>> model = FadingItems(Items(["x", "y"]), after, shares, "linear", decay=1, window=2)
    >>> model.scores(Requests(Histories.of([[0, 1]]))).tolist()
    [[0.5, 0.25]]
    """

    weighting: Any  # "linear": the faded weights as they are
    decay: float
    window: int

    def rows(self, requests: Requests) -> Rows:
        super().rows(requests)  # refuses positions of another vocabulary
        return faded(last_of_histories(requests.histories, None), self.decay, self.window)


Markov.recommender = FadingItems
