"""What is looked at together: pairs of items near each other in what people did, the nearest pairs counting most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import MissingColumn
from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.requests import NO_TIME, Requests
from segue.engines.engine import Key
from segue.learn.growing import State, growing
from segue.learn.learner import Counted, refuse_empty
from segue.learn.markov import FadingItems
from segue.learn.pair_sums import (
    HALF,
    Run,
    gathered,
    kept,
    no_pairs,
    pairs_together,
    pairs_without,
    refuse_too_many,
    runs_of,
    starts_of,
)
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.rows import Rows, Weighting, weighed
from segue.learn.sequences import (
    COLUMNS,
    MINUTE_US,
    Sequences,
    beginnings,
    faded,
    fading,
    last_of_histories,
    sequences_of_batch,
)
from segue.learn.similarity import Terms

FIXED_POINT = 2.0**16  # of what a pair counts for: sums are exact whatever the order of adding
LARGEST = 2.0**20  # that the weight of one event counts for at most

Direction = Literal["both", "after"]


@dataclass(frozen=True)
class Nearness:
    """When two events of a person are a pair, and what for: steps^-decay, halved every `half_life_minutes` between."""

    window: int
    gap_minutes: float | None
    direction: Direction
    decay: float
    half_life_minutes: float | None
    weighting: Weighting


class PairCounts:
    """The aggregate: what every two items count for together, from the one in the upper half of the cell to the other.

    cells   int64[n] ascending: code of the item in the upper half, of what goes with it in the lower
    sums    int64[n] in fixed point, never 0
    visits  int64[codes] how often each item was met; as long as the largest code met

    >>> from segue.engines.local import LocalEngine, Table
    >>> nearness = Nearness(2, None, "after", 1.0, None, "none")
    >>> state = LocalEngine().fold(PairCounts(nearness), Table.of(["ann"] * 3, ["x", "y", "z"]))
    >>> (state["sums"] / FIXED_POINT).tolist()  # x y, x z, y z
    [1.0, 0.5, 1.0]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, nearness: Nearness) -> None:
        self.nearness = nearness

    def init(self) -> State:
        return no_pairs()

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        sequences = sequences_of_batch(batch, self.nearness.gap_minutes)
        _refuse_without_time(sequences.times, self.nearness.half_life_minutes)
        part = gathered(_together(sequences, _worth(batch, self.nearness), self.nearness))
        return growing(state, part | {"visits": np.bincount(sequences.codes)}, self.merge)

    def merge(self, left: State, right: State) -> State:
        refuse_too_many(left, right, self.nearness.window)
        return pairs_together(left, right)

    def subtract(self, state: State, part: State) -> State:
        return pairs_without(state, part)


class CoVisitation(Counted, frozen=True):
    """Scores an item by how often it was met near what the person did last.

    window             how many events apart two items are together at most, and how many of the history count
    direction          "both", or "after": only what came after an item goes with it
    normalisation      "count", "share" (of the visits of the item that speaks), "cosine" or "lift" (over what chance
                       brings together)
    decay              what lies n events apart counts n^-decay; so does the n-th last item of the history
    half_life_minutes  a pair counts half for every so many minutes between its events; needs times
    gap_minutes        a longer pause ends a session: items go together, and a history speaks, within one only; needs
                       times, and None makes one session of all that a person did
    weighting          what the weight of the event that goes with another counts for: "none" (1), "log" or "linear"
    shrinkage          in visits: takes weight from what was rarely met; of "count" none
    k                  kept for each item

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> learner = CoVisitation(normalisation="share", shrinkage=0, direction="after", decay=1)
    >>> model = learner.fit(LocalEngine(), Table.of(["ann"] * 3, ["x", "y", "z"]))
    >>> model.scores(Requests(Histories.of([[0]]))).round(2).tolist()
    [[0.0, 1.0, 0.5]]
    """

    name: ClassVar[str] = "covisitation"
    ranges: ClassVar[Mapping[str, Range]] = {
        "window": Whole(2, 50, log=True),
        "direction": Choice(("both", "after")),
        "normalisation": Choice(("share", "cosine", "lift")),
        "decay": Real(0.1, 2),
        "shrinkage": Real(1, 100, log=True),
    }

    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    direction: Direction = "both"
    normalisation: Literal["count", "share", "cosine", "lift"] = "cosine"
    decay: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    half_life_minutes: Annotated[float, msgspec.Meta(gt=0)] | None = None
    gap_minutes: Annotated[float, msgspec.Meta(gt=0)] | None = None
    weighting: Weighting = "none"
    shrinkage: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200

    @property
    def aggregate(self) -> PairCounts:
        said = (self.window, self.gap_minutes, self.direction, self.decay, self.half_life_minutes, self.weighting)
        return PairCounts(Nearness(*said))

    def finish(self, state: State, items: Items) -> Recommender:
        """What goes with each item most, in canonical positions."""
        refuse_empty(int(state["visits"].sum()), self.name)
        canonical, _ = items.canonical()
        visits = np.zeros(len(items))
        visits[: len(state["visits"])] = state["visits"]
        longest = int(np.diff(starts_of(state["cells"], len(items))).max(initial=0))
        near, worth = kept(self._runs(state, visits), items.translation(canonical), longest, self.k)
        return VisitedTogether(canonical, near, worth, "linear", self.decay, self.window, self.gap_minutes)

    def _runs(self, state: State, visits: npt.NDArray[np.float64]) -> Iterator[Run]:
        """What every two items are worth to each other, in runs of cells."""
        terms = self._terms(visits)
        for run in runs_of(state, len(visits)):
            counts = run["sums"] / FIXED_POINT
            if self.normalisation != "count":
                counts = terms.likeness(counts, run["cells"] >> 32, run["cells"] & HALF)
            yield run["cells"], counts.astype(np.float32)

    def _terms(self, visits: npt.NDArray[np.float64]) -> Terms:
        nothing, met = np.zeros(len(visits)), np.maximum(visits, 1)
        own = nothing + self.shrinkage
        if self.normalisation == "share":
            return Terms(0.0, own + met, nothing, nothing, nothing)
        if self.normalisation == "cosine":
            return Terms(0.0, own, nothing, np.sqrt(met), np.sqrt(met))
        return Terms(0.0, own, nothing, met / met.sum(), met)


@dataclass(frozen=True, eq=False)
class VisitedTogether(FadingItems):
    """What goes with each item. Of a history its last session counts, the last event most, the n-th before n^-decay.

    >>> from segue.domain.requests import Histories
    >>> near, worth = np.array([[1], [0]], np.int32), np.array([[0.5], [0.5]], np.float32)
    >>> model = VisitedTogether(Items(["x", "y"]), near, worth, "linear", decay=1, window=2, gap_minutes=None)
    >>> model.scores(Requests(Histories.of([[0, 1]]))).tolist()
    [[0.5, 0.25]]
    """

    gap_minutes: float | None

    def rows(self, requests: Requests) -> Rows:
        super().rows(requests)  # refuses positions of another vocabulary
        return faded(last_of_histories(requests.histories, self.gap_minutes), self.decay, self.window)


CoVisitation.recommender = VisitedTogether


def _together(
    sequences: Sequences, worth: npt.NDArray[np.float64], near: Nearness
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """The cells of all pairs so many events apart, and what each counts for."""
    codes, steps = sequences.codes.astype(np.int64), fading(near.decay, near.window)
    for lag, before, after in sequences.pairs(near.window):
        other = codes[before] != codes[after]
        earlier, later = before[other], after[other]
        counts = steps[lag - 1] * _halved(sequences.times[later] - sequences.times[earlier], near)
        ways = [(earlier, later)] if near.direction == "after" else [(earlier, later), (later, earlier)]
        for first, second in ways:
            sums = np.maximum(np.rint(counts * worth[second] * FIXED_POINT), 1).astype(np.int64)
            yield (codes[first] << 32) | codes[second], sums


def _worth(batch: pa.RecordBatch, near: Nearness) -> npt.NDArray[np.float64]:
    """float64[events] of the sequences of the batch: what each counts for, direct repeats together."""
    weights = batch[columns.WEIGHT].to_numpy()
    keep = np.flatnonzero(weights > 0)
    keys, codes, times = (batch[name].to_numpy()[keep] for name in (columns.USER, columns.ITEM, columns.TIME))
    _, fresh = beginnings(keys, codes, times, near.gap_minutes)
    starts = np.flatnonzero(fresh)
    sums = np.add.reduceat(weights[keep].astype(np.float64), starts) if len(starts) else np.zeros(0)
    return np.minimum(weighed(sums, near.weighting), LARGEST)


def _halved(between: npt.NDArray[np.int64], near: Nearness) -> npt.NDArray[np.float64]:
    if near.half_life_minutes is None:
        return np.ones(len(between))
    return np.exp2(-between / (near.half_life_minutes * MINUTE_US))


def _refuse_without_time(times: npt.NDArray[np.int64], half_life_minutes: float | None) -> None:
    if half_life_minutes is not None and (times == NO_TIME).any():
        raise MissingColumn(
            "half_life_minutes needs the time of every event, and these data have events without",
            where="learner covisitation",
            mend="leave half_life_minutes out, or say in [events.columns] which column is the time",
        )


__all__ = ["CoVisitation", "Nearness", "PairCounts", "VisitedTogether"]
