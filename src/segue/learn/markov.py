"""What people turn to next: transitions from item to item over several steps, the nearest steps counting most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Key
from segue.learn.growing import State, growing
from segue.learn.item_knn import NeighbourItems
from segue.learn.learner import Counted, refuse_empty
from segue.learn.ranges import Range, Real, Whole
from segue.learn.rows import Rows
from segue.learn.sequences import COLUMNS, faded, fading, last_of_histories, sequences_of_batch

FIXED_POINT = 2.0**16  # of what a transition counts for

Pairs = dict[str, npt.NDArray[np.int64]]


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
        nothing = np.zeros(0, np.int64)
        return {"cells": nothing, "sums": nothing, "visits": nothing}

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        sequences = sequences_of_batch(batch, self.gap_minutes)
        codes = sequences.codes.astype(np.int64)
        part: Pairs = {"cells": np.zeros(0, np.int64), "sums": np.zeros(0, np.int64), "visits": np.bincount(codes)}
        worth = np.maximum(np.rint(fading(self.decay, self.window) * FIXED_POINT), 1).astype(np.int64)
        for lag, earlier, later in sequences.pairs(self.window):
            cells, counts = np.unique((codes[earlier] << 32) | codes[later], return_counts=True)
            part |= added_up(part, {"cells": cells, "sums": counts * worth[lag - 1]})
        return growing(state, part, pairs_together)

    def merge(self, left: State, right: State) -> State:
        return pairs_together(left, right)

    def subtract(self, state: State, part: State) -> State:
        return pairs_without(state, part)


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
        position = items.translation(canonical)
        before, after = position[state["cells"] >> 32], position[state["cells"] & 0xFFFFFFFF]
        visits = np.zeros(len(items), np.int64)
        visits[position[: len(state["visits"])]] = state["visits"]
        before, after, sums = self._both_ways(before, after, state["sums"])
        shares = (sums / FIXED_POINT / (visits[before] + self.shrinkage)).astype(np.float32)
        followers, likeness = kept(before, after, shares, len(items), self.k)
        return FadingItems(canonical, followers, likeness, "linear", self.decay, self.window)

    def _both_ways(
        self, before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], sums: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Transitions with their backoff, by pair; from an item to itself there is none."""
        moves = before != after
        there = (before[moves].astype(np.int64) << 32) | after[moves]
        back = (after[moves].astype(np.int64) << 32) | before[moves]
        backwards = np.rint(sums[moves] * self.backoff).astype(np.int64)
        order = np.argsort(there, kind="stable"), np.argsort(back, kind="stable")
        both = added_up(
            {"cells": there[order[0]], "sums": sums[moves][order[0]]},
            {"cells": back[order[1]], "sums": backwards[order[1]]},
        )
        told = both["sums"] > 0
        return both["cells"][told] >> 32, both["cells"][told] & 0xFFFFFFFF, both["sums"][told]


def kept(
    before: npt.NDArray[np.int64],
    after: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    items: int,
    k: int,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """int32[items, k] and float32[items, k]: of each item the `k` largest values, ties by position; -1 and 0 behind.

    >>> kept(np.array([0, 0]), np.array([1, 2]), np.array([0.5, 0.7], np.float32), items=3, k=1)[0].tolist()
    [[2], [-1], [-1]]
    """
    order = np.lexsort((after, -values, before))
    before, after, values = before[order], after[order], values[order]
    rank = np.arange(len(before)) - np.searchsorted(before, before)
    wide = min(k, int(rank.max(initial=0)) + 1)
    near, worth = np.full((items, wide), UNKNOWN, np.int32), np.zeros((items, wide), np.float32)
    first = rank < wide
    near[before[first], rank[first]] = after[first]
    worth[before[first], rank[first]] = values[first]
    return near, worth


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


def pairs_together(left: State, right: State) -> Pairs:
    """What `Transitions` and `PairCounts` hold of both together."""
    longest = max(len(left["visits"]), len(right["visits"]))
    visits = [np.pad(part["visits"], (0, longest - len(part["visits"]))) for part in (left, right)]
    return added_up(left, right) | {"visits": visits[0] + visits[1]}


def pairs_without(state: State, part: State) -> Pairs:
    """What is left of the state without a part of it."""
    rest = pairs_together(state, {**part, "sums": -part["sums"], "visits": -part["visits"]})
    stays = rest["sums"] != 0
    return {"cells": rest["cells"][stays], "sums": rest["sums"][stays], "visits": np.trim_zeros(rest["visits"], "b")}


def added_up(left: State, right: State) -> Pairs:
    """The sums of both by cell, ascending; what is new in the smaller is let into the larger."""
    large, small = (left, right) if len(left["cells"]) >= len(right["cells"]) else (right, left)
    places = np.searchsorted(large["cells"], small["cells"])
    inside = places < len(large["cells"])
    met = np.zeros(len(places), np.bool_)
    met[inside] = large["cells"][places[inside]] == small["cells"][inside]
    sums = large["sums"].copy()
    sums[places[met]] += small["sums"][met]
    fresh = places[~met]
    return {
        "cells": np.insert(large["cells"], fresh, small["cells"][~met]),
        "sums": np.insert(sums, fresh, small["sums"][~met]),
    }
