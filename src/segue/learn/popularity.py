"""Popularity: what people turn to most, with older days counting less where a half life is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import MissingColumn
from segue.domain.items import Items
from segue.domain.recommender import Contribution, Reasons, Recommender
from segue.domain.requests import NO_TIME, Requests
from segue.engines.engine import Key
from segue.learn.growing import State, growing
from segue.learn.learner import Counted, refuse_empty
from segue.learn.rows import Rows, Weighting, weighed
from segue.learn.scored import Scored

DAY_US = 86_400_000_000
NO_DAY = -(2**31)
FIXED_POINT = 2.0**16  # of sums of weights: exact whatever the order of adding
LARGEST = (
    2.0**20
)  # that one event counts for at most, so that 2**27 of them in one cell stay below 2**63 in fixed point


class DailyWeights:
    """The aggregate: how much each item weighed on each UTC day.

    cells  int64[n] ascending: item code in the upper half, day since 1970 in the lower (shifted by 2**31)
    sums   int64[n] weight in fixed point, never 0

    >>> from segue.engines.local import LocalEngine, Table
    >>> state = LocalEngine().fold(DailyWeights("none"), Table.of(["ann", "bob"], ["x", "x"]))
    >>> (state["sums"] / FIXED_POINT).tolist()
    [2.0]
    """

    key: Key | None = None
    columns: tuple[str, ...] = (columns.ITEM, columns.WEIGHT, columns.TIME)

    def __init__(self, weighting: Weighting) -> None:
        self.weighting = weighting

    def init(self) -> State:
        return {"cells": np.empty(0, np.int64), "sums": np.empty(0, np.int64)}

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        times = batch[columns.TIME].to_numpy()
        days = np.where(times == NO_TIME, NO_DAY, times // DAY_US)
        cells = (batch[columns.ITEM].to_numpy().astype(np.int64) << 32) | (days - NO_DAY)
        weights = batch[columns.WEIGHT].to_numpy().astype(np.float64)
        counted = np.minimum(weighed(weights, self.weighting), LARGEST)
        fixed = np.maximum(np.rint(counted * FIXED_POINT), 1) * (weights > 0)
        return growing(state, _summed(self.init(), {"cells": cells, "sums": fixed.astype(np.int64)}), _summed)

    def merge(self, left: State, right: State) -> State:
        return _summed(left, right)

    def subtract(self, state: State, part: State) -> State:
        return _summed(state, {"cells": part["cells"], "sums": -part["sums"]})


class Popularity(Counted, frozen=True):
    """Scores items by the weight of their events, each halved for every `half_life_days` that it is old.

    half_life_days  None: every day counts the same
    weighting       what an event counts for: "none" (1), "log" (log2(1 + weight)) or "linear" (itself, at most 2**20)

    >>> from segue.engines.local import LocalEngine, Table
    >>> model = Popularity().fit(LocalEngine(), Table.of(["ann", "bob", "bob"], ["x", "x", "y"]))
    >>> model.popularity().tolist()
    [2.0, 1.0]
    """

    name: ClassVar[str] = "popularity"

    half_life_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    weighting: Weighting = "log"

    @property
    def aggregate(self) -> DailyWeights:
        return DailyWeights(self.weighting)

    def finish(self, state: State, items: Items) -> Recommender:
        """The cells in canonical order. A `MissingColumn` where a half life is asked of events without times."""
        refuse_empty(len(state["cells"]), self.name)
        canonical, _ = items.canonical()
        cells = cells_of(state, items, canonical)
        if self.half_life_days is not None:
            refuse_without_times(cells.days, self.name, "half_life_days", "leave half_life_days out")
        return PopularItems(canonical, cells.positions, cells.days, cells.weights, self.half_life_days)


class Cells(NamedTuple):
    """What each item weighed on each day, by canonical position and then by day.

    positions  int32[cells]
    days       int32[cells]    since 1970 UTC, NO_DAY where there is no time
    weights    float64[cells]
    """

    positions: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]


def cells_of(state: State, items: Items, canonical: Items) -> Cells:
    """The state of `DailyWeights` in canonical order; `items` is the vocabulary of its codes."""
    codes, days = state["cells"] >> 32, (state["cells"] & 0xFFFFFFFF) + NO_DAY
    positions = items.translation(canonical)[codes] if len(items) else codes.astype(np.int32)
    order = np.lexsort((days, positions))
    weights = state["sums"][order] / FIXED_POINT
    return Cells(positions[order].astype(np.int32), days[order].astype(np.int32), weights)


def refuse_without_times(days: npt.NDArray[np.int32], name: str, asking: str, instead: str) -> None:
    """A `MissingColumn` where an event has no time; `asking` of the learner `name` needs it, `instead` is a way out."""
    if (days == NO_DAY).any():
        raise MissingColumn(
            f"{asking} needs the time of every event, and these data have events without",
            where=f"learner {name}",
            mend=f"{instead}, or say in [events.columns] which column is the time",
        )


@dataclass(frozen=True, eq=False)
class PopularItems(Scored):
    """The same list for everybody, as of `now`: days after it have not happened yet.

    Scores are decayed to the newest day, not to `now`: the order is the same (every score would shrink by one
    factor), and nothing underflows when the log is old.

    positions  int32[cells]    canonical
    days       int32[cells]    since 1970 UTC
    weights    float64[cells]

    >>> positions, days, weights = np.array([0, 1], np.int32), np.array([0, 10], np.int32), np.array([8.0, 3.0])
    >>> PopularItems(Items(["x", "y"]), positions, days, weights, half_life_days=5).popularity().tolist()
    [2.0, 3.0]
    """

    positions: npt.NDArray[np.int32]
    days: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    half_life_days: float | None
    personal: ClassVar[bool] = False

    def popularity(self, now: int | None = None) -> npt.NDArray[np.float32]:
        """float32[items] as of `now` (microseconds since 1970 UTC), or as of the newest event."""
        if now is None or now // DAY_US >= self._newest:
            return self._latest
        return self._as_of(now // DAY_US)

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:
        return np.tile(self.popularity(requests.now), (len(rows), 1))

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        scores = self.popularity(requests.now)[items].tolist()
        return [
            Reasons(item, score, (Contribution(score, label="popularity"),))
            for item, score in zip(items.tolist(), scores, strict=True)
        ]

    @cached_property
    def _newest(self) -> int:
        return int(self.days.max(initial=NO_DAY))

    @cached_property
    def _latest(self) -> npt.NDArray[np.float32]:
        return self._as_of(self._newest)

    def _as_of(self, day: int) -> npt.NDArray[np.float32]:
        happened = self.days <= day
        days, weights = self.days[happened], self.weights[happened]
        if self.half_life_days is not None and len(days):
            weights = weights * np.exp2((days - days.max()) / self.half_life_days)
        return np.bincount(self.positions[happened], weights, minlength=len(self.items)).astype(np.float32)


Popularity.recommender = PopularItems


def _summed(left: State, right: State) -> State:
    cells, inverse = np.unique(np.concatenate([left["cells"], right["cells"]]), return_inverse=True)
    sums = np.zeros(len(cells), np.int64)
    np.add.at(sums, inverse, np.concatenate([left["sums"], right["sums"]]))
    kept = sums != 0
    return {"cells": cells[kept], "sums": sums[kept]}


__all__ = ["Cells", "DailyWeights", "PopularItems", "Popularity", "cells_of", "refuse_without_times"]
