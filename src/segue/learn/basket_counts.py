"""Baskets, as they are counted: how often two items were in one, and how often by their people they would have been."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN
from segue.engines.engine import Key
from segue.learn.gram import Chosen, padded
from segue.learn.kernels import worthwhile
from segue.learn.rows import run_starts
from segue.learn.sequences import Sequences, cut

FIXED_POINT = 2**16  # of expected counts
TINY = 300_000  # pairs of items; below, NumPy need not wait for a kernel

COLUMNS = (columns.USER, columns.ITEM, columns.WEIGHT, columns.TIME)
State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Baskets:
    """The baskets of people: person `p` has `people[p]:people[p + 1]`, basket `b` the distinct codes
    `offsets[b]:offsets[b + 1]`, ascending."""

    people: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]


def baskets_of(sequences: Sequences) -> Baskets:
    """The sequences as baskets; those without an item are left out.

    >>> from segue.domain.requests import Histories
    >>> from segue.learn.sequences import sequences_of_histories
    >>> baskets_of(sequences_of_histories(Histories.of([[2, 1, 2]]), None)).codes.tolist()
    [1, 2]
    """
    cells = np.unique((sequences.numbers() << 32) | sequences.codes)
    numbers = cells >> 32
    starts = run_starts(numbers)
    keys = sequences.keys[numbers[starts]]
    fresh = run_starts(keys)
    return Baskets(
        np.append(fresh, len(starts)).astype(np.int64),
        np.append(starts, len(cells)).astype(np.int64),
        (cells & 0xFFFFFFFF).astype(np.int32),
    )


def baskets_of_batch(batch: pa.RecordBatch, gap_minutes: float | None, places: npt.NDArray[np.int32] | None) -> Baskets:
    """The baskets of a batch of whole people, of the items that have a place; weights of 0 are ignored."""
    keep = np.flatnonzero(batch[columns.WEIGHT].to_numpy() > 0)
    keys, codes, times = (batch[name].to_numpy()[keep] for name in (columns.USER, columns.ITEM, columns.TIME))
    found = cut(keys, codes, times, gap_minutes)
    if places is not None:
        found = Sequences(found.keys, found.offsets, places[found.codes], found.times)
        found = found.where(found.codes != UNKNOWN)
    return baskets_of(found)


class BasketCounts:
    """How many baskets, and how many people, have each item, and how many there are of both.

    baskets  int64[codes]  by item code; as long as the largest code met, so merging pads
    people   int64[codes]
    totals   int64[2]      baskets, people

    >>> from segue.engines.local import LocalEngine, Table
    >>> dataset = Table.of(["ann", "ann", "bob"], ["x", "x", "y"], times=[0, 86_400_000_000, 0])
    >>> LocalEngine().fold(BasketCounts(30), dataset)["baskets"].tolist()
    [2, 1]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, gap_minutes: float | None) -> None:
        self.gap_minutes = gap_minutes

    def init(self) -> State:
        return {"baskets": np.zeros(0, np.int64), "people": np.zeros(0, np.int64), "totals": np.zeros(2, np.int64)}

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        found = baskets_of_batch(batch, self.gap_minutes, None)
        owners = np.searchsorted(found.people, np.arange(len(found.offsets) - 1), side="right")
        had = np.unique((np.repeat(owners, np.diff(found.offsets)) << 32) | found.codes) & 0xFFFFFFFF
        totals = np.array([len(found.offsets) - 1, len(found.people) - 1], np.int64)
        return self.merge(state, {"baskets": np.bincount(found.codes), "people": np.bincount(had), "totals": totals})

    def merge(self, left: State, right: State) -> State:
        length = max(len(left["baskets"]), len(right["baskets"]))
        counts = {name: padded(left[name], length) + padded(right[name], length) for name in ("baskets", "people")}
        return counts | {"totals": left["totals"] + right["totals"]}

    def subtract(self, state: State, part: State) -> State:
        less = self.merge(state, {name: -counts for name, counts in part.items()})
        return less | {name: np.trim_zeros(less[name], "b") for name in ("baskets", "people")}


class BasketPairs:
    """The aggregate: of every two chosen items i < j, the upper triangles of

    together   int32[chosen, chosen]  baskets with both
    again      int32[chosen, chosen]  of these, those of people with more than one basket
    both       int32[chosen, chosen]  people who have both, in whichever baskets
    expected   int64[chosen, chosen]  sum over people with B > 1 baskets, a with i and b with j, of a b / B: in how many
                                      baskets both would be if each person's were filled by chance; in fixed point
    exchanged  int32[chosen, chosen]  times that a person's basket had one and not the other, and the next the other
                                      and not the one

    >>> from segue.engines.local import LocalEngine, Table
    >>> from segue.learn.gram import choose
    >>> dataset = Table.of(["ann"] * 3, ["x", "y", "x"], times=[0, 0, 86_400_000_000])
    >>> counts = LocalEngine().fold(BasketCounts(30), dataset)
    >>> chosen = choose({"people": counts["baskets"]}, dataset.items, dataset.items, 1, 10)
    >>> state = LocalEngine().fold(BasketPairs(chosen, 30), dataset)
    >>> int(state["together"][0, 1]), float(state["expected"][0, 1] / FIXED_POINT)
    (1, 1.0)
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = COLUMNS

    def __init__(self, chosen: Chosen, gap_minutes: float | None) -> None:
        self.chosen = chosen
        self.gap_minutes = gap_minutes

    def init(self) -> State:
        square = (len(self.chosen), len(self.chosen))
        narrow = {name: np.zeros(square, np.int32) for name in ("together", "again", "both", "exchanged")}
        return narrow | {"expected": np.zeros(square, np.int64)}

    def update(self, state: State, batch: pa.RecordBatch) -> State:
        found = baskets_of_batch(batch, self.gap_minutes, self.chosen.of_code)
        items = found.offsets[found.people]
        pairs = int((np.diff(items) ** 2).sum())
        if worthwhile("basket_kernels", pairs, TINY):
            from segue.learn.basket_kernels import add_baskets

            sums = [state[name] for name in ("together", "again", "both", "expected", "exchanged")]
            add_baskets(found.people, found.offsets, found.codes, FIXED_POINT, *sums)
            return state
        for first, last in itertools.pairwise(found.people.tolist()):
            _add_person(state, found.codes, found.offsets[first : last + 1])
        return state

    def merge(self, left: State, right: State) -> State:
        for name, counts in right.items():
            left[name] += counts
        return left

    def subtract(self, state: State, part: State) -> State:
        return {name: state[name] - part[name] for name in state}


def _add_person(state: State, codes: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> None:
    """One person's baskets, as a matrix of baskets by the items that the person has."""
    count, part = len(offsets) - 1, codes[offsets[0] : offsets[-1]]
    had, columns_of = np.unique(part, return_inverse=True)
    matrix = np.zeros((count, len(had)), np.int64)
    matrix[np.repeat(np.arange(count), np.diff(offsets)), columns_of] = 1
    cells = np.ix_(had, had)
    together, times = np.triu(matrix.T @ matrix, 1), matrix.sum(axis=0)
    state["together"][cells] += together.astype(np.int32)
    state["both"][cells] += np.triu(np.ones_like(together), 1).astype(np.int32)
    if count > 1:
        state["again"][cells] += together.astype(np.int32)
        state["expected"][cells] += np.triu(np.outer(times, times) * FIXED_POINT // count, 1)
        left, taken = matrix[:-1] * (1 - matrix[1:]), matrix[1:] * (1 - matrix[:-1])
        moved = left.T @ taken
        state["exchanged"][cells] += np.triu(moved + moved.T, 1).astype(np.int32)
