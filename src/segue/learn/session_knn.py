"""Session neighbours: what others did in sessions that were like this one, by VSKNN or by STAN."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.errors import MissingColumn
from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Recommender
from segue.domain.requests import NO_TIME, Requests
from segue.learn.growing import State
from segue.learn.kernels import worthwhile
from segue.learn.learner import Counted, refuse_empty
from segue.learn.past_sessions import Sessions, past_sessions
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.rows import Rows
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.sequences import Sequences, ages, faded, fading, last_of_histories

DAY_US = 86_400_000_000
TINY = 200_000  # items of sessions to look at; below, NumPy need not wait for a kernel

Near = tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]


class SessionKNN(Counted, frozen=True):
    """Scores an item by the past sessions that have it, as far as they are like the one that goes on now.

    method          "vsknn": a session counts for what it shares, the newest of it above all; "stan": also for being
                    short, and items near the place of what is shared count more
    k               neighbours of a session
    sample          of how many of the newest sessions that share anything the neighbours are chosen
    window          how many events of the session that goes on are looked at
    decay           how soon they fade: the n-th event back counts n^-decay
    reach           of "stan", in places: what lies that far from the shared item counts 1/e
    idf             how much more rare items count: times 1 + idf log(sessions / sessions with the item)
    half_life_days  after which a session counts half; None: all the same. Needs times
    gap_minutes     a longer pause ends a session; None: a person's whole history is one session
    longest         how many distinct items of a session are kept, its last ones
    max_sessions    how many sessions are kept, the newest; without times those that a hash draws

    Ludewig and Jannach, "Evaluation of Session-based Recommendation Algorithms", 2018, section 3.2 (V-SKNN, with its
    weights n^-decay where the paper's are linear); Garg et al., "Sequence and Time Aware Neighborhood for
    Session-based Recommendations", 2019, equations 1 to 4 (STAN, the current session fading by a power).

    A score is a sum over neighbours, and each one's likeness a sum over what is shared, so the parts of the items of
    the history sum to the score; but another history would have other neighbours, so leaving an item out takes more
    or less away than its part. The model holds sessions: items without people, or any id of them. A long or rare one
    can still tell whose it was to who knows part of it; `longest`, `max_sessions` and `gap_minutes` bound that.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> table = Table.of(["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"])
    >>> model = SessionKNN(method="vsknn", idf=0).fit(LocalEngine(), table)
    >>> model.scores(Requests(Histories.of([[0]]))).tolist()
    [[3.0, 2.0, 1.0]]
    """

    name: ClassVar[str] = "session_knn"
    ranges: ClassVar[Mapping[str, Range]] = {
        "method": Choice(("stan", "vsknn")),
        "k": Whole(50, 2000, log=True),
        "decay": Real(0.3, 2),
        "reach": Real(1, 100, log=True),
        "idf": Real(0, 1),
    }

    method: Literal["vsknn", "stan"] = "stan"
    k: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 500
    sample: Annotated[int, msgspec.Meta(ge=1)] = 5000
    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 30
    decay: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    reach: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    idf: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    half_life_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    gap_minutes: Annotated[float, msgspec.Meta(gt=0)] | None = None
    longest: Annotated[int, msgspec.Meta(ge=2, le=10_000)] = 200
    max_sessions: Annotated[int, msgspec.Meta(ge=1)] = 500_000

    @property
    def aggregate(self) -> Sessions:
        return Sessions(self.gap_minutes, self.longest)

    def finish(self, state: State, items: Items) -> Recommender:
        """The newest sessions, and by item which of them have it."""
        refuse_empty(int(state["events"][0]), self.name)
        if self.half_life_days is not None and (state["times"] == NO_TIME).any():
            raise MissingColumn(
                "half_life_days needs the time of every event, and these data have events without",
                where="learner session_knn",
                mend="leave half_life_days out, or say in [events.columns] which column is the time",
            )
        canonical, _ = items.canonical()
        past = past_sessions(state, items, canonical, self.max_sessions)
        how = (self.method, self.k, self.sample, self.window, self.decay, self.reach, self.idf, self.half_life_days)
        return PastNeighbours(
            canonical, past.offsets, past.codes, past.times, past.starts, past.holders, *how, self.gap_minutes
        )


@dataclass(frozen=True, eq=False)
class PastNeighbours(ScoredByParts):
    """Past sessions, and which of them have an item: see `PastSessions` for the arrays, `SessionKNN` for the rest.

    >>> from segue.engines.local import LocalEngine, Table
    >>> model = SessionKNN().fit(LocalEngine(), Table.of(["ann", "ann", "bob"], ["x", "y", "x"]))
    >>> model.codes.tolist(), model.holders.tolist()  # a session of one item says nothing
    ([0, 1], [0, 0])
    """

    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    holders: npt.NDArray[np.int32]
    method: Literal["vsknn", "stan"]
    k: int
    sample: int
    window: int
    decay: float
    reach: float
    idf: float
    half_life_days: float | None
    gap_minutes: float | None

    def rows(self, requests: Requests) -> Rows:
        """The session that goes on, in distinct items weighed by age."""
        super().rows(requests)  # refuses positions of another vocabulary
        return faded(self._going_on(requests), self.decay, self.window)

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:
        scores = np.zeros((len(rows), len(self.items)), np.float32)
        newest, near = ages(self._going_on(requests), self.window), self._near(rows, requests)
        looked_at = int((near[0] != UNKNOWN).sum()) * len(self.codes) // max(len(self.offsets) - 1, 1)
        if worthwhile("session_knn_kernels", looked_at, TINY):
            from segue.learn.session_knn_kernels import add_sessions

            index = (self.offsets, self.codes, *self._worths)
            add_sessions(rows.offsets, rows.codes, newest, *near, *index, scores)
            return scores
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            _, events, values = self._told(rows.codes[start:stop], newest[start:stop], near[0][row], near[1][row])
            sums = np.bincount(self.codes[events], values, minlength=len(self.items))
            scores[row] = sums * self._worths[2]
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        rows = self.rows(requests)
        near, likeness = (found[0] for found in self._near(rows, requests))
        newest = ages(self._going_on(requests), self.window)
        ranks, events, values = self._told(rows.codes, newest, near, likeness)
        place = np.full(len(self.items), UNKNOWN)
        place[rows.codes] = np.arange(len(rows.codes))
        shared = np.zeros((len(near), len(rows.codes)))
        ours = place[self.codes[events]] != UNKNOWN
        shared[ranks[ours], place[self.codes[events[ours]]]] = rows.weights[place[self.codes[events[ours]]]]
        shared /= np.maximum(shared.sum(axis=1, keepdims=True), 1e-300)
        asked, again = np.unique(items, return_inverse=True)
        column = np.full(len(self.items), UNKNOWN)
        column[asked] = np.arange(len(asked))
        wanted = column[self.codes[events]] != UNKNOWN
        given = np.zeros((len(near), len(asked)))
        given[ranks[wanted], column[self.codes[events[wanted]]]] = values[wanted]
        return rows.codes, (shared.T @ given * self._worths[2][asked])[:, again]

    def _going_on(self, requests: Requests) -> Sequences:
        return last_of_histories(requests.histories, self.gap_minutes)

    def _near(self, rows: Rows, requests: Requests) -> Near:
        """int32[rows, k] neighbours, the likest first, -1 where there are fewer, and float64[rows, k] how like."""
        sessions = len(self.offsets) - 1
        k, factors = min(self.k, sessions, self.sample), self._factors(requests.now)
        near, likeness = np.full((len(rows), k), UNKNOWN, np.int32), np.zeros((len(rows), k))
        holding = int((self.starts[rows.codes + 1] - self.starts[rows.codes]).sum())
        if worthwhile("session_knn_kernels", holding, TINY):
            from segue.learn.session_knn_kernels import nearest_sessions

            index = (self.starts, self.holders, factors)
            nearest_sessions(rows.offsets, rows.codes, rows.weights, *index, self.sample, near, likeness)
            return near, likeness
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            lists = [self.holders[self.starts[code] : self.starts[code + 1]] for code in rows.codes[start:stop]]
            found = np.concatenate(lists) if lists else np.empty(0, np.int32)
            sums = np.bincount(found, np.repeat(rows.weights[start:stop], list(map(len, lists))), minlength=sessions)
            newest = np.unique(found)[::-1][: self.sample]
            alike = sums[newest] * factors[newest]
            order = np.argsort(-alike, kind="stable")[:k]
            near[row, : len(order)], likeness[row, : len(order)] = newest[order], alike[order]
        return near, likeness

    def _told(
        self,
        codes: npt.NDArray[np.int32],
        newest: npt.NDArray[np.int64],
        near: npt.NDArray[np.int32],
        likeness: npt.NDArray[np.float64],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The events of one row's neighbours: the rank of each's session, its place in `codes`, what it counts."""
        near = near[near != UNKNOWN]
        lengths = self.offsets[near + 1] - self.offsets[near]
        begins = np.cumsum(lengths) - lengths
        ranks = np.repeat(np.arange(len(near)), lengths)
        events = np.arange(len(ranks)) + (self.offsets[near] - begins)[ranks]
        if not len(events):
            return ranks, events, np.zeros(0)
        by_age, by_distance, _ = self._worths
        age_of = np.full(len(self.items), self.window, np.int64)
        age_of[codes] = newest
        age = age_of[self.codes[events]]
        youngest = np.minimum.reduceat(age, begins)
        at_anchor = np.flatnonzero(age == youngest[ranks])
        anchor = at_anchor[np.searchsorted(ranks[at_anchor], np.arange(len(near)))]
        worth = likeness[: len(near)] * by_age[youngest]
        return ranks, events, worth[ranks] * by_distance[np.abs(np.arange(len(ranks)) - anchor[ranks])]

    @cached_property
    def _worths(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What the age of what is shared, the distance from it, and an item itself are worth."""
        places = np.arange(int(np.diff(self.offsets).max(initial=1)))
        holders = np.maximum(np.diff(self.starts), 1)
        by_item = 1 + self.idf * np.log(max(len(self.times), 1) / holders)
        if self.method == "vsknn":
            return fading(self.decay, self.window), np.ones(len(places)), by_item
        return np.ones(self.window), np.exp(-places / self.reach), by_item

    def _factors(self, now: int | None) -> npt.NDArray[np.float64]:
        """float64[sessions]: what a session counts for by itself."""
        factors: npt.NDArray[np.float64] = np.diff(self.offsets) ** (-0.5 if self.method == "stan" else 0.0)
        if self.half_life_days is None or not len(self.times):
            return factors
        moment = int(self.times[-1]) if now is None else now
        return factors * np.exp2(-np.maximum(moment - self.times, 0) / (DAY_US * self.half_life_days))


SessionKNN.recommender = PastNeighbours
