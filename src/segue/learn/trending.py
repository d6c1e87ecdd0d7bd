"""Trending: what people turn to more than they used to, each item against its own past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.items import Items
from segue.domain.recommender import Contribution, Reasons, Recommender
from segue.domain.requests import Requests
from segue.learn.growing import State
from segue.learn.learner import Counted, refuse_empty
from segue.learn.popularity import DAY_US, NO_DAY, DailyWeights, cells_of, refuse_without_times
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.rows import Rows, Weighting
from segue.learn.scored import Scored

Floats = npt.NDArray[np.float64]
Measure = Literal["ratio", "z"]


class Trending(Counted, frozen=True):
    """Scores items by how far the last days are above what the item's own past would lead one to expect.

    window_days  the last days, the day of `now` among them
    past_days    the days before these that an item is held against, or as many of them as it has been around
    measure      "ratio": log((r + s) / (e + s)); "z": (r - e) / sqrt(e + s)
    shrinkage    s, in events: few events say little, however large their ratio
    weighting    what an event counts for: "none" (1), "log" (log2(1 + weight)) or "linear" (itself, at most 2**20)

    r is what the item weighed in the window. e is expected: its weight by day in the past, times the days of the
    window, times how much all items that have a past rose together, so that a busy week lifts nothing. The ratio is
    the mean of a rate that is Poisson with a Gamma prior of s events at 1. An item without a past has e = 0: what is
    new and met with interest trends. An item that does not rise scores 0 and is not listed. Needs times.

    >>> from segue.engines.local import LocalEngine, Table
    >>> days = [*range(28), *range(28), 27, 27, 27]
    >>> items = ["steady"] * 28 + ["rising"] * 31
    >>> dataset = Table.of(["ann"] * 59, items, times=[day * DAY_US for day in days])
    >>> model = Trending(shrinkage=1).fit(LocalEngine(), dataset)
    >>> model.items.ids, model.rise().round(2)
    (('rising', 'steady'), array([0.15, 0.  ], dtype=float32))
    """

    name: ClassVar[str] = "trending"
    ranges: ClassVar[Mapping[str, Range]] = {
        "window_days": Whole(1, 28, log=True),
        "measure": Choice(("ratio", "z")),
        "shrinkage": Real(1, 100, log=True),
    }

    window_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 7
    past_days: Annotated[int, msgspec.Meta(ge=1, le=36_600)] = 28
    measure: Measure = "ratio"
    shrinkage: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    weighting: Weighting = "none"

    @property
    def aggregate(self) -> DailyWeights:
        return DailyWeights(self.weighting)

    def finish(self, state: State, items: Items) -> Recommender:
        """The cells in canonical order. A `MissingColumn` where an event has no time."""
        refuse_empty(len(state["cells"]), self.name)
        canonical, _ = items.canonical()
        cells = cells_of(state, items, canonical)
        refuse_without_times(cells.days, self.name, "what trends", 'take learner = "popularity"')
        return RisingItems(canonical, *cells, self.window_days, self.past_days, self.measure, self.shrinkage)


@dataclass(frozen=True, eq=False)
class RisingItems(Scored):
    """The same list for everybody, as of `now` or of the newest event, whichever is earlier.

    positions  int32[cells]    canonical
    days       int32[cells]    since 1970 UTC
    weights    float64[cells]

    >>> positions, days = np.array([0, 0, 1], np.int32), np.array([1, 8, 8], np.int32)
    >>> model = RisingItems(Items(["x", "y"]), positions, days, np.array([8.0, 8.0, 1.0]), 1, 7, "z", 3.0)
    >>> model.rise().round(2), model.rise(now=DAY_US).round(2)
    (array([0.  , 0.58], dtype=float32), array([4.62, 0.  ], dtype=float32))
    """

    positions: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    window_days: int
    past_days: int
    measure: Measure
    shrinkage: float
    personal: ClassVar[bool] = False

    def rise(self, now: int | None = None) -> npt.NDArray[np.float32]:
        """float32[items] as of `now` (microseconds since 1970 UTC), or as of the newest event."""
        recent, expected = self.against_past(now)
        if self.measure == "z":
            risen = (recent - expected) / np.sqrt(expected + self.shrinkage)
        else:
            risen = np.log((recent + self.shrinkage) / (expected + self.shrinkage))
        return np.maximum(risen, 0).astype(np.float32)

    def against_past(self, now: int | None = None) -> tuple[Floats, Floats]:
        """float64[items] of what each item weighed in the window, and of what was expected."""
        if now is None or now // DAY_US >= self._newest:
            return self._latest
        return self._as_of(now // DAY_US)

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:
        return np.tile(self.rise(requests.now), (len(rows), 1))

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        """What was there, and what was expected, in words."""
        recent, expected = self.against_past(requests.now)
        scores = self.rise(requests.now)
        found = []
        for item in items.tolist():
            score = float(scores[item])
            label = f"{recent[item]:.3g} in {self.window_days} days, {expected[item]:.3g} expected"
            found.append(Reasons(item, score, (Contribution(score, label=label),)))
        return found

    @cached_property
    def _newest(self) -> int:
        return int(self.days.max(initial=NO_DAY))

    @cached_property
    def _first(self) -> npt.NDArray[np.int64]:
        """int64[items]: the first day of each."""
        first = np.full(len(self.items), np.iinfo(np.int32).max, np.int64)
        np.minimum.at(first, self.positions, self.days)
        return first

    @cached_property
    def _latest(self) -> tuple[Floats, Floats]:
        return self._as_of(self._newest)

    def _as_of(self, day: int) -> tuple[Floats, Floats]:
        start = day - self.window_days + 1
        recent = self._between(start, day + 1)
        past = self._between(start - self.past_days, start)
        around = np.clip(start - self._first, 1, self.past_days)
        expected = past * self.window_days / around
        known = expected > 0
        usual = expected[known].sum()
        return recent, expected * (recent[known].sum() / usual if usual > 0 else 1.0)

    def _between(self, start: int, stop: int) -> Floats:
        """float64[items]: the weight of days from `start` to before `stop`."""
        those = (self.days >= start) & (self.days < stop)
        return np.bincount(self.positions[those], self.weights[those], minlength=len(self.items)).astype(np.float64)


Trending.recommender = RisingItems
