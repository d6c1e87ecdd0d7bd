"""Baskets: what goes with what, what completes a basket, and what is taken instead of what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.errors import UnknownName
from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.basket_counts import FIXED_POINT, BasketCounts, BasketPairs, State
from segue.learn.gram import Chosen, choose
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.ranges import Range, Real, Whole
from segue.learn.rows import Rows
from segue.learn.scored import Parts, ScoredByParts, left_out
from segue.learn.sequences import last_of_histories
from segue.learn.top import best

NORMAL = 1.959964  # of intervals of 95 %
LINES = 256  # of intervals at a time
BYTES_PER_PAIR = 24  # of the counts; each thread counts by itself, and one set of intervals is made of them

Floats = npt.NDArray[np.float64]


class Pair(msgspec.Struct, frozen=True):
    """What two items have to do with each other: `ratio` over what chance would bring, with its 95 % interval.

    `support` is how many baskets had both (`goes_with`), or how often one was taken in place of the other
    (`substitutes`).
    """

    item: str
    support: int
    ratio: float
    low: float
    high: float


class Basket(Learner, frozen=True):
    """Completes the basket that is being filled: the last of the history's, as far as `gap_minutes` tells.

    A score is the sum, over what is in the basket, of log(lower end of the lift's interval), where that is above 0. Two
    items go with each other where that lower end is above 1 and they are not substitutes. They are substitutes where
    the same people have both more often than chance (the people's lift, with its interval), but in one basket less
    often than if each of these people had filled their baskets by chance (upper end of the ratio below 1), and one was
    taken in place of the other from one basket to the next at least `min_baskets` times. Seasons look the same: what
    everybody buys at Easter and at Christmas is never in one basket.

    gap_minutes  events of a person at most so far apart are of one basket, 0: of one moment; None: all of a person's
    min_baskets  a pair that fewer baskets have says nothing
    k            pairs kept for each item, of each kind
    max_items    all pairs are counted, so it takes this many items at most, those in most baskets

    Intervals: of log lift by the delta method (Agresti, "Categorical Data Analysis", 3.1), of counts against what is
    expected by Byar's approximation (Breslow and Day, "Statistical Methods in Cancer Research II", 2.3). They are of
    one pair: of many thousands some are wide of it by chance, and `min_baskets` keeps the worst of them out.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> baskets = [("a", "b")] * 9 + [("c",), ("d",)] * 9
    >>> people = [f"person {number}" for number, basket in enumerate(baskets) for _ in basket]
    >>> model = Basket().fit(LocalEngine(), Table.of(people, [item for basket in baskets for item in basket]))
    >>> model.goes_with("a", 1)[0].ratio
    3.0
    >>> model.scores(Requests(Histories.of([[0]]))).round(2).astype(str).tolist()
    [['0.0', '0.57', '0.0', '0.0']]
    """

    name: ClassVar[str] = "basket"
    ranges: ClassVar[Mapping[str, Range]] = {
        "min_baskets": Whole(2, 50, log=True),
        "gap_minutes": Real(1, 1440, log=True),
    }

    gap_minutes: Annotated[float, msgspec.Meta(ge=0)] | None = 30.0
    min_baskets: Annotated[int, msgspec.Meta(ge=1)] = 5
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 5_000

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(BasketCounts(self.gap_minutes), dataset)
        refuse_empty(int(counts["totals"][0]), self.name)
        canonical, _ = dataset.items.canonical()
        of_baskets = {"people": counts["baskets"], "totals": counts["totals"]}
        chosen = choose(of_baskets, dataset.items, canonical, self.min_baskets, self.max_items)
        _refuse_beyond_memory(len(chosen))
        people = np.zeros(len(canonical), np.int64)
        people[dataset.items.translation(canonical)[: len(counts["people"])]] = counts["people"]
        pairs = engine.fold(BasketPairs(chosen, self.gap_minutes), dataset)
        for name in pairs:
            pairs[name] += pairs[name].T.copy()
        kinds = self._kept(pairs, chosen, people[chosen.positions], counts["totals"])
        return BasketItems(canonical, chosen.positions, *kinds, self.gap_minutes)

    def _kept(
        self, pairs: State, chosen: Chosen, people: npt.NDArray[np.int64], totals: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Of every chosen item the surest companions and substitutes: places [2, items, k], support, and ratios."""
        k = min(self.k, max(len(chosen) - 1, 1))
        near = np.full((2, len(chosen), k), UNKNOWN, np.int32)
        support, ratios = np.zeros((2, len(chosen), k), np.int32), np.zeros((2, len(chosen), k, 3), np.float32)
        for start in range(0, len(chosen), LINES):
            lines = slice(start, min(start + LINES, len(chosen)))
            block = {name: counts[lines] for name, counts in pairs.items()}
            lift = lift_of(block["together"], chosen.people[lines], chosen.people, int(totals[0]))
            shared = lift_of(block["both"], people[lines], people, int(totals[1]))
            kept_apart = ratio_of(block["again"], block["expected"] / FIXED_POINT)
            instead = (shared[1] > 1) & (kept_apart[2] < 1) & (block["exchanged"] >= self.min_baskets)
            along = (lift[1] > 1) & (block["together"] >= self.min_baskets) & ~instead
            told = (
                (along, lift, block["together"], lift[1]),
                (instead, kept_apart, block["exchanged"], -kept_apart[2]),
            )
            for kind, (allowed, ratio, count, order) in enumerate(told):
                places, _ = best(np.where(allowed, order, -np.inf).astype(np.float32), k)
                found, at = places != UNKNOWN, np.maximum(places, 0)
                near[kind, lines] = np.where(found, chosen.positions[at], UNKNOWN)
                support[kind, lines] = np.where(found, np.take_along_axis(count, at, axis=1), 0)
                for part in range(3):
                    ratios[kind, lines, :, part] = np.where(found, np.take_along_axis(ratio[part], at, axis=1), 0)
        return near, support, ratios


@dataclass(frozen=True, eq=False)
class BasketItems(ScoredByParts):
    """Of every item what goes with it (kind 0) and what is taken instead of it (kind 1), the surest first.

    learned  int32[m]             canonical positions of the items that were counted, ascending
    near     int32[2, m, k]       canonical positions, -1 where there are fewer
    support  int32[2, m, k]       see `Pair`
    ratios   float32[2, m, k, 3]  the ratio and the ends of its interval
    """

    learned: npt.NDArray[np.int32]
    near: npt.NDArray[np.int32]
    support: npt.NDArray[np.int32]
    ratios: npt.NDArray[np.float32]
    gap_minutes: float | None

    @property
    def note(self) -> str:
        """How many items were counted in pairs, and how many were not (`max_items`, `min_baskets`)."""
        size, kept = self.near.shape[1:]
        told = f"counted densely, {size:,} x {size:,} pairs; kept sparse, {kept:,} of each item and kind at most"
        return told + left_out(size, len(self.items))

    def goes_with(self, item: str, k: int = 10) -> list[Pair]:
        """What is in one basket with it more often than chance; empty where nothing is sure. Surest first."""
        return self._pairs(0, item, k)

    def substitutes(self, item: str, k: int = 10) -> list[Pair]:
        """What the same people take instead of it; empty where nothing is sure. Surest first."""
        return self._pairs(1, item, k)

    def rows(self, requests: Requests) -> Rows:
        """What is in the basket that is being filled, each item once."""
        super().rows(requests)  # refuses positions of another vocabulary
        last = last_of_histories(requests.histories, self.gap_minutes)
        cells = np.unique((last.numbers() << 32) | last.codes)
        offsets = np.searchsorted(cells >> 32, np.arange(len(last) + 1)).astype(np.int64)
        return Rows(last.keys, offsets, (cells & 0xFFFFFFFF).astype(np.int32), np.ones(len(cells)))

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        from scipy.sparse import csr_array

        baskets = csr_array((rows.weights, rows.codes, rows.offsets), shape=(len(rows), len(self.items)))
        scores: npt.NDArray[np.float32] = (baskets @ self._worth).toarray().astype(np.float32)
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        history = self.rows(requests).codes
        return history, self._worth[history][:, items].toarray()

    @cached_property
    def _worth(self) -> Any:
        """The sparse matrix float64[items, items] of log(lower end of the lift), from an item of the basket on."""
        from scipy.sparse import csr_array

        known = self.near[0] != UNKNOWN
        lengths = np.zeros(len(self.items), np.int64)
        lengths[self.learned] = known.sum(axis=1)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        size = (len(self.items), len(self.items))
        worth = csr_array(
            (np.log(self.ratios[0, :, :, 1][known], dtype=np.float64), self.near[0][known], offsets), shape=size
        )
        worth.sort_indices()
        return worth

    def _pairs(self, kind: int, item: str, k: int) -> list[Pair]:
        position = self.items.position(item)
        if position == UNKNOWN:
            raise UnknownName(f"no item is called '{item}'", mend="items have the ids of the catalog and of the events")
        row = int(np.searchsorted(self.learned, position))
        if row == len(self.learned) or self.learned[row] != position:
            return []  # too rare to have been counted
        near = self.near[kind, row]
        return [
            Pair(self.items[int(other)], int(support), *map(float, ratio))
            for other, support, ratio in zip(
                near[near != UNKNOWN][:k], self.support[kind, row], self.ratios[kind, row], strict=False
            )
        ]


Basket.recommender = BasketItems


def lift_of(
    both: npt.NDArray[np.integer], ours: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64], total: int
) -> tuple[Floats, Floats, Floats]:
    """both total / (ours theirs) of [lines, items], and the ends of its interval; 0, 0 and 0 where nothing is both.

    The variance of log lift is 1/both - 1/ours - 1/theirs + (2 lift - 1) / total, by the delta method from one
    multinomial.

    >>> [float(each.round(2)[0, 0]) for each in lift_of(np.array([[40]]), np.array([100]), np.array([80]), 1000)]
    [5.0, 4.05, 6.17]
    """
    some = np.maximum(both, 1).astype(np.float64)
    lift = both * (total / (ours[:, None].astype(np.float64) * theirs))
    variance = 1 / some - (1 / ours)[:, None] - 1 / theirs + (2 * lift - 1) / total
    wide = np.exp(NORMAL * np.sqrt(np.maximum(variance, 0)))
    return lift, lift / wide, lift * wide


def ratio_of(found: npt.NDArray[np.integer], expected: Floats) -> tuple[Floats, Floats, Floats]:
    """found / expected and the ends of its interval; infinite ends where nothing is expected.

    >>> [float(each.round(2)[0]) for each in ratio_of(np.array([4]), np.array([20.0]))]
    [0.2, 0.05, 0.51]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        some, more = np.maximum(found, 1).astype(np.float64), found + 1.0
        low = np.where(found > 0, some * (1 - 1 / (9 * some) - NORMAL / (3 * np.sqrt(some))) ** 3, 0)
        high = more * (1 - 1 / (9 * more) + NORMAL / (3 * np.sqrt(more))) ** 3
        nothing = expected <= 0
        ratio, least, most = (np.where(nothing, np.inf, count / expected) for count in (found, low, high))
    return ratio, least, most


def _refuse_beyond_memory(items: int) -> None:
    each = (len(os.sched_getaffinity(0)) + 1) * BYTES_PER_PAIR
    fits = int((available_bytes() / each) ** 0.5)
    refuse_beyond_memory(each * items**2, f"counting all pairs of {items:,} items", f"set max_items = {max(fits, 1)}")
