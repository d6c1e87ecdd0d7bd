"""Repeats: what somebody will have again, by how often and how lately they had it, and how often people return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Key
from segue.learn.basket_counts import COLUMNS, Baskets, baskets_of, baskets_of_batch
from segue.learn.gram import padded
from segue.learn.learner import Counted, refuse_empty
from segue.learn.ranges import Range, Real
from segue.learn.rows import Rows, run_starts
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.sequences import sequences_of_histories

State = dict[str, npt.NDArray[np.int64]]


class Repeats(Counted, frozen=True):
    """Scores what a person had in earlier baskets; of what they never had it says nothing, and its lists end there.

    Every basket with the item adds n^-decay, the last being n = 1. The sum is multiplied by the item's rate of return
    to the power of alpha: of the baskets that people filled after the first with it, the share that had it again.

    decay        how soon baskets fade: 0 not at all
    alpha        how much the rate of return says; 0 nothing: personal frequency alone
    shrinkage    in baskets: pulls the rates of items that few people had to the mean
    gap_minutes  events of a person at most so far apart are of one basket; None: all of a person's are one

    Personal frequency is the baseline that few models of next baskets beat (Li et al., "A Next Basket Recommendation
    Reality Check", 2023); fading it is the repeated part of TIFU-KNN, Hu et al. 2020.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> day = 86_400_000_000
    >>> times = [0, 0, day, 2 * day, 2 * day]
    >>> model = Repeats(alpha=0).fit(LocalEngine(), Table.of(["ann"] * 5, ["x", "y", "x", "x", "z"], times=times))
    >>> asked = Histories.of([[0, 1, 0]])
    >>> model.scores(Requests(Histories(asked.offsets, asked.items, asked.weights, np.array([0, 0, day]), asked.types)))
    ... # doctest: +NORMALIZE_WHITESPACE
    array([[1.8122524, 0.8122524, 0. ]], dtype=float32)
    """

    name: ClassVar[str] = "repeats"
    ranges: ClassVar[Mapping[str, Range]] = {"decay": Real(0, 2), "alpha": Real(0, 1)}

    decay: Annotated[float, msgspec.Meta(ge=0)] = 0.3
    alpha: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    shrinkage: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    gap_minutes: Annotated[float, msgspec.Meta(ge=0)] | None = 30.0

    @property
    def aggregate(self) -> ReturnCounts:
        return ReturnCounts(self.gap_minutes)

    def finish(self, state: State, items: Items) -> Recommender:
        """The rate of return of every item, by canonical position."""
        refuse_empty(int(state["events"][0]), self.name)
        canonical, _ = items.canonical()
        position = items.translation(canonical)
        returns, chances = np.zeros(len(items)), np.zeros(len(items))
        returns[position[: len(state["returns"])]] = state["returns"]
        chances[position[: len(state["chances"])]] = state["chances"]
        # nobody returned to anything, or could have: all rates are 1, and frequency alone speaks
        mean = returns.sum() / chances.sum() if returns.sum() else 1.0
        rates = ((returns + self.shrinkage * mean) / (chances + self.shrinkage)) ** self.alpha
        return ReturningItems(canonical, rates, self.decay, self.gap_minutes)


class ReturnCounts:
    """The aggregate: how often people had an item again, and how often they could have.

    returns  int64[codes]  baskets with the item, of people who had it in an earlier one
    chances  int64[codes]  baskets of people who had it in an earlier one
    events   int64[1]      pairs of basket and item

    >>> from segue.engines.local import LocalEngine, Table
    >>> day = 86_400_000_000
    >>> state = LocalEngine().fold(ReturnCounts(30), Table.of(["ann"] * 3, ["x", "y", "x"], times=[0, day, 2 * day]))
    >>> state["returns"].tolist(), state["chances"].tolist()
    ([1], [2, 1])
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, gap_minutes: float | None) -> None:
        self.gap_minutes = gap_minutes

    def init(self) -> State:
        nothing = np.zeros(0, np.int64)
        return {"returns": nothing, "chances": nothing, "events": np.zeros(1, np.int64)}

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        found = baskets_of_batch(batch, self.gap_minutes, None)
        owners, ages = _owners_and_ages(found)
        cells, first, times = np.unique((owners << 32) | found.codes, return_index=True, return_counts=True)
        codes = cells & 0xFFFFFFFF
        part = {"returns": _counted(codes, times - 1), "chances": _counted(codes, ages[first])}
        return self.merge(state, part | {"events": np.array([len(found.codes)])})

    def merge(self, left: State, right: State) -> State:
        return {
            name: np.trim_zeros(padded(left[name], len(right[name])) + padded(right[name], len(left[name])), "b")
            for name in ("returns", "chances")
        } | {"events": left["events"] + right["events"]}

    def subtract(self, state: State, part: State) -> State:
        return self.merge(state, {name: -counts for name, counts in part.items()})


@dataclass(frozen=True, eq=False)
class ReturningItems(ScoredByParts):
    """What somebody had scores by itself alone: it is its own reason.

    rates  float64[items]  what a faded basket with the item is worth

    >>> from segue.domain.requests import Histories
    >>> model = ReturningItems(Items(["x", "y"]), np.array([0.5, 0.25]), decay=1, gap_minutes=None)
    >>> model.scores(Requests(Histories.of([[0, 1, 0]]))).tolist()
    [[0.5, 0.25]]
    """

    rates: npt.NDArray[np.float64]
    decay: float
    gap_minutes: float | None

    def rows(self, requests: Requests) -> Rows:
        """What is in the baskets of each history, each time worth n^-decay."""
        super().rows(requests)  # refuses positions of another vocabulary
        sequences = sequences_of_histories(requests.histories, self.gap_minutes)
        found = baskets_of(sequences)
        owners, ages = _owners_and_ages(found)
        asked = np.unique(sequences.keys).astype(np.int64)  # the histories that are not empty
        cells = (asked[owners] << 32) | found.codes
        order = np.argsort(cells, kind="stable")
        starts = run_starts(cells[order])
        worth = np.power(1.0 + ages, -self.decay)[order]
        weights = np.add.reduceat(worth, starts) if len(starts) else np.zeros(0)
        kept = cells[order][starts]
        offsets = np.searchsorted(kept >> 32, np.arange(len(requests) + 1)).astype(np.int64)
        keys = np.arange(len(requests), dtype=np.int32)
        return Rows(keys, offsets, (kept & 0xFFFFFFFF).astype(np.int32), weights)

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        scores = np.zeros((len(rows), len(self.items)), np.float32)
        scores[rows.row_numbers(), rows.codes] = rows.weights * self.rates[rows.codes]
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        rows = self.rows(requests)
        worth = rows.weights * self.rates[rows.codes]
        return rows.codes, np.equal.outer(rows.codes, items) * worth[:, None]


Repeats.recommender = ReturningItems


def _owners_and_ages(baskets: Baskets) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each item of each basket: the number of the person, and how many baskets of theirs came after it."""
    numbers = np.repeat(np.arange(len(baskets.offsets) - 1), np.diff(baskets.offsets))
    owners = np.searchsorted(baskets.people, numbers, side="right") - 1
    return owners, baskets.people[1:][owners] - 1 - numbers


def _counted(codes: npt.NDArray[np.int64], times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    sums = np.zeros(int(codes.max(initial=-1)) + 1, np.int64)
    np.add.at(sums, codes, times)
    return sums
