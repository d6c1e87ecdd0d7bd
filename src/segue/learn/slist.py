"""SLIST: a linear model from what somebody did, fading, to what they do next, with a closed form."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.gram import Chosen, ItemCounts, choose
from segue.learn.kernels import worthwhile
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.ranges import Choice, Range, Real
from segue.learn.rows import Rows
from segue.learn.scored import Parts, ScoredByParts, left_out
from segue.learn.sequences import COLUMNS, Sequences, faded, fading, last_of_histories, sequences_of_batch
from segue.learn.symmetric import Symmetric

FIXED_POINT = 2.0**16  # of what a pair of events counts for: sums are exact whatever the order of adding
BLOCK_BYTES = 2**30  # of sums at a time in all threads, so that memory is bounded however many items there are
MOST_BYTES = 2**28  # of these in one thread
TINY = 300_000  # pairs of events; below, NumPy need not wait for a kernel

State = dict[str, npt.NDArray[np.int64]]


class Pasts:
    """The aggregate: sums over every event, a target Y, of the past before it, S, which fades in one or more ways.

    after    int64[fades, stop - start, chosen]     of Y'S: targets `start` to `stop`, and what was before
    beside   int64[fades**2, stop - start, chosen]  of S'S: two events of one past, the line is that of the later
    squares  int64[fades**2, chosen]                of S'S: an event with itself

    All in fixed point. Of fades a and b, at a * fades + b, S_a'S_b is beside_ab + beside_ba' + diag(squares_ab).

    >>> from segue.engines.local import LocalEngine, Table
    >>> dataset = Table.of(["ann"] * 3, ["x", "y", "z"])
    >>> chosen = choose(LocalEngine().fold(ItemCounts(), dataset), dataset.items, dataset.items, 1, 10)
    >>> state = LocalEngine().fold(Pasts(chosen, fading(1, 10)[None], None, 0, 3), dataset)
    >>> (state["after"] / FIXED_POINT).tolist()  # y after x; z after x, two steps, and y
    [[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 1.0, 0.0]]]
    >>> (state["squares"] / FIXED_POINT).tolist()  # x: once the last before, once the one before that
    [[1.25, 1.0, 0.0]]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(
        self, chosen: Chosen, fades: npt.NDArray[np.float64], gap_minutes: float | None, start: int, stop: int
    ) -> None:
        self.chosen = chosen
        self.gap_minutes = gap_minutes
        self.start = start
        self.stop = stop
        self.ahead, self.along = _worth(fades)

    def init(self) -> State:
        block, items = self.stop - self.start, len(self.chosen)
        return {
            "after": np.zeros((len(self.ahead), block, items), np.int64),
            "beside": np.zeros((len(self.along), block, items), np.int64),
            "squares": np.zeros((len(self.along), items), np.int64),
        }

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        sequences = _chosen(sequences_of_batch(batch, self.gap_minutes), self.chosen.of_code)
        codes, numbers, window = sequences.codes, sequences.numbers(), self.ahead.shape[1] - 1
        to_come = np.minimum(sequences.offsets[1:][numbers] - 1 - np.arange(len(codes)), window)
        cells: Any = (slice(None), codes)
        np.add.at(state["squares"], cells, self.along[:, to_come, 0])
        if worthwhile("slist_kernels", len(codes) * window, TINY):
            from segue.learn.slist_kernels import add_pasts

            by_code, sums = np.argsort(codes, kind="stable"), (state["after"], state["beside"])
            add_pasts(sequences.offsets, numbers, codes, by_code, self.ahead, self.along, self.start, *sums)
            return state
        for lag, earlier, later in sequences.pairs(window):
            inside = (codes[later] >= self.start) & (codes[later] < self.stop)
            cells = (slice(None), codes[later[inside]] - self.start, codes[earlier[inside]])
            np.add.at(state["after"], cells, self.ahead[:, lag, None])
            np.add.at(state["beside"], cells, self.along[:, to_come[later[inside]], lag])
        return state

    def merge(self, left: State, right: State) -> State:
        for name, sums in right.items():
            left[name] += sums
        return left

    def subtract(self, state: State, part: State) -> State:
        return {name: state[name] - part[name] for name in state}


class SLIST(Learner, frozen=True):
    """Predicts what somebody turns to next from everything they did, what they did last counting most.

    B = (S'S + reg I)^-1 S'Y: a row of S for every event that follows another, the past before it, faded; in Y the event
    itself. Choi et al., "Session-aware Linear Item-Item Models for Session-based Recommendation", 2021, equation 10
    (SLIT), with one target a row, and with the past read more than once: for each of `decays` the n-th event back
    weighs n^-decay, and has item weights of its own. So what should follow at once, and what goes with somebody's
    taste, are told apart.

    decays          how the past fades, one or more: 0 not at all, 1 to a half, a third, a quarter, 3 almost at once
    window          how many events back are read
    regularization  of the ridge regression, in events; larger is smoother
    max_items       the model is dense, so it takes this many items at most, those that most people have
    min_people      items that fewer people have are left out: about them there is nothing to say
    gap_minutes     pasts do not reach over a longer pause; None: a person's whole history is one sequence

    Items left out score 0.

    >>> from segue.domain.requests import Histories
    >>> from segue.engines.local import LocalEngine, Table
    >>> table = Table.of(["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "y", "z"])
    >>> model = SLIST(decays=(1.0,), regularization=1, min_people=1).fit(LocalEngine(), table)
    >>> model.scores(Requests(Histories.of([[0], [0, 1]]))).round(2).astype(str).tolist()
    [['0.0', '0.67', '0.0'], ['0.0', '0.33', '0.5']]
    """

    name: ClassVar[str] = "slist"
    ranges: ClassVar[Mapping[str, Range]] = {
        "decays": Choice(((2.0, 0.5), (1.5, 0.5), (3.0, 1.0), (1.0,), (0.5,))),
        "regularization": Real(10, 3000, log=True),
    }

    decays: Annotated[tuple[Annotated[float, msgspec.Meta(ge=0)], ...], msgspec.Meta(min_length=1, max_length=4)] = (
        2.0,
        0.5,
    )
    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    regularization: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2
    gap_minutes: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, self.max_items)
        _refuse_beyond_memory(len(chosen), len(self.decays))
        gram, after = self._sums(engine, engine.prepare(dataset, Key.USER), chosen)
        weights = _solved(gram, after, self.regularization)
        return FadingWeights(canonical, chosen.positions, weights, list(self.decays), self.window)

    def _sums(
        self, engine: Engine, dataset: Dataset, chosen: Chosen
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """float32[fades * items, fades * items] S'S and float32[items, fades * items] Y'S, block by block."""
        fades, items = np.stack([fading(decay, self.window) for decay in self.decays]), len(chosen)
        count, wide = len(fades), len(fades) * items
        gram, after = np.zeros((wide, wide), np.float32), np.zeros((items, wide), np.float32)
        for start, stop in _blocks(items, count):
            state = engine.fold(Pasts(chosen, fades, self.gap_minutes, start, stop), dataset)
            for a, b in itertools.product(range(count), repeat=2):
                sums = (state["beside"][a * count + b] / FIXED_POINT).astype(np.float32)
                gram[a * items + start : a * items + stop, b * items : (b + 1) * items] += sums
                gram[b * items : (b + 1) * items, a * items + start : a * items + stop] += sums.T
            after[start:stop] = np.hstack(list(state["after"])) / FIXED_POINT
        for a, b in itertools.product(range(count), repeat=2):
            square = gram[a * items : (a + 1) * items, b * items : (b + 1) * items]
            np.fill_diagonal(square, square.diagonal() + state["squares"][a * count + b] / FIXED_POINT)
        return gram, after


@dataclass(frozen=True, eq=False)
class FadingWeights(ScoredByParts):
    """Scores are sums over the items of the history, faded by age, of their weights; so each item's part is a reason.

    learned  int32[m]              canonical positions of the items that the model knows, ascending
    weights  float32[fades, m, m]  from an item (row) to an item (column), for each of `decays`

    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> weights = np.array([[[0, 0.5], [0.25, 0]]], np.float32)
    >>> model = FadingWeights(Items(["x", "y"]), np.array([0, 1], np.int32), weights, decays=[1.0], window=2)
    >>> model.scores(Requests(Histories.of([[0, 1]]))).tolist()
    [[0.25, 0.25]]
    """

    learned: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    decays: list[float]
    window: int

    @property
    def note(self) -> str:
        """What the square of the items is, and how many have no part in it (`max_items`, `min_people`)."""
        size = " x ".join(f"{length:,}" for length in self.weights.shape)
        return f"dense: {size} weights" + left_out(len(self.learned), len(self.items))

    def rows(self, requests: Requests) -> Rows:
        """What the model knows of each history, in canonical positions."""
        super().rows(requests)  # refuses positions of another vocabulary
        return self._pasts(requests)[0]

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:
        from scipy.sparse import csr_array

        places = np.searchsorted(self.learned, rows.codes)
        sums = np.zeros((len(rows), len(self.learned)), np.float32)
        for past, weights in zip(self._pasts(requests), self.weights, strict=True):
            values = past.weights.astype(np.float32)
            sums += csr_array((values, places, rows.offsets), shape=sums.shape) @ weights
        if len(self.learned) == len(self.items):
            return sums
        scores = np.zeros((len(rows), len(self.items)), np.float32)
        scores[:, self.learned] = sums
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        targets = np.searchsorted(self.learned, items).clip(max=len(self.learned) - 1)
        pasts = self._pasts(requests)
        history = pasts[0].codes
        from_to = np.ix_(np.searchsorted(self.learned, history), targets)
        each = sum(past.weights[:, None] * weights[from_to] for past, weights in zip(pasts, self.weights, strict=True))
        return history, np.where(self.learned[targets] == items, each, 0)

    def _pasts(self, requests: Requests) -> list[Rows]:
        """The same items for each of `decays`, weighed by it."""
        known = np.full(len(self.items), UNKNOWN, np.int32)
        known[self.learned] = self.learned
        sequences = _chosen(last_of_histories(requests.histories, None), known)
        return [faded(sequences, decay, self.window) for decay in self.decays]


SLIST.recommender = FadingWeights


def _worth(fades: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What two events `lag` apart count for, in fixed point: int64[fades, window + 1] as past and target, and
    int64[fades**2, window + 1, window + 1] as parts of one past, by how many events follow the later of them, and lag.

    Two events are in the pasts of all that follow: sum over u < n of a[u] b[u + lag]; n follow, a fades the later.
    """
    count, window = fades.shape
    ahead = np.pad(fades, ((0, 0), (1, 0)))
    along = np.zeros((count * count, window + 1, window + 1))
    for number, (later, earlier) in enumerate(itertools.product(fades, repeat=2)):
        for lag in range(window):
            summed = np.cumsum(later[: window - lag] * earlier[lag:])
            along[number, 1:, lag] = np.append(summed, np.full(lag, summed[-1]))
    return np.rint(ahead * FIXED_POINT).astype(np.int64), np.rint(along * FIXED_POINT).astype(np.int64)


def _chosen(sequences: Sequences, places: npt.NDArray[np.int32]) -> Sequences:
    """The sequences in these places of their codes; other items are left out, as if they had not been met."""
    found = Sequences(sequences.keys, sequences.offsets, places[sequences.codes], sequences.times)
    return found.where(found.codes != UNKNOWN)


def _solved(
    gram: npt.NDArray[np.float32], after: npt.NDArray[np.float32], regularization: float
) -> npt.NDArray[np.float32]:
    """float32[fades, items, items]: from past to target."""
    own = gram.diagonal().copy()
    condition = own.max(initial=0) / regularization
    name = f"S'S + {regularization} I"
    system = Symmetric(gram, own + np.float32(regularization), condition, name, f"learner {SLIST.name}")
    return np.ascontiguousarray(system.solution(after), np.float32).reshape(-1, len(after), len(after))


def _blocks(items: int, fades: int) -> Iterator[tuple[int, int]]:
    in_a_thread = min(MOST_BYTES, BLOCK_BYTES // len(os.sched_getaffinity(0)))
    step = max(1, in_a_thread // (8 * items * (fades + fades**2)))
    for start in range(0, items, step):
        yield start, min(start + step, items)


def _refuse_beyond_memory(items: int, fades: int) -> None:
    """Two sums and the weights, in float32, and the blocks that are counted."""
    each, blocks = 4 * (fades**2 + 2 * fades), 2 * BLOCK_BYTES
    fits = int((max(available_bytes() - blocks, 0) / each) ** 0.5)
    refuse_beyond_memory(
        each * items**2 + blocks,
        f"a dense model of {items:,} items",
        f'set max_items = {max(fits, 1)}, or take learner = "markov"',
    )
