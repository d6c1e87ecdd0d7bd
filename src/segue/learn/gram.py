"""How often people have two items in common: the counts that EASE and item neighbours are made of, as exact folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN, Items
from segue.engines.engine import Key
from segue.learn.kernels import worthwhile
from segue.learn.rows import Rows, rows_of_batch

CountState = dict[str, npt.NDArray[np.int64]]
GramState = dict[str, npt.NDArray[np.int64]]

TINY = 3_000_000  # products; below, SciPy is fast enough that nothing need wait for a compiled kernel


class ItemCounts:
    """How many people have each item, and how many people and pairs there are.

    people  int64[codes]  by item code; as long as the largest code met, so merging pads
    totals  int64[2]      people with an item at all, pairs of person and item

    >>> from segue.engines.local import LocalEngine, Table
    >>> LocalEngine().fold(ItemCounts(), Table.of(["ann", "bob", "bob"], ["x", "x", "y"]))["people"].tolist()
    [2, 1]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = (columns.USER, columns.ITEM, columns.WEIGHT)

    def init(self) -> CountState:
        return {"people": np.zeros(0, np.int64), "totals": np.zeros(2, np.int64)}

    def update(self, state: CountState, batch: pa.RecordBatch) -> CountState:
        rows = rows_of_batch(batch, Key.USER)
        totals = np.array([(np.diff(rows.offsets) > 0).sum(), len(rows.codes)], np.int64)
        return self.merge(state, {"people": np.bincount(rows.codes), "totals": totals})

    def merge(self, left: CountState, right: CountState) -> CountState:
        people = padded(left["people"], len(right["people"])) + padded(right["people"], len(left["people"]))
        return {"people": people, "totals": left["totals"] + right["totals"]}

    def subtract(self, state: CountState, part: CountState) -> CountState:
        people = state["people"] - padded(part["people"], len(state["people"]))
        return {"people": np.trim_zeros(people, "b"), "totals": state["totals"] - part["totals"]}


@dataclass(frozen=True)
class Chosen:
    """The items that a model is about, in canonical order.

    positions  int32[chosen]  canonical positions, ascending
    of_code    int32[codes]   the place of each item code in `positions`, or -1
    people     int64[chosen]  how many people have each

    >>> counts = {"people": np.array([5, 1, 9]), "totals": np.array([9, 15])}
    >>> items = Items(["c", "b", "a"])
    >>> choose(counts, items, items.canonical()[0], min_people=2, max_items=10)
    Chosen(positions=array([0, 2], dtype=int32), of_code=array([ 1, -1,  0], dtype=int32), people=array([9, 5]))
    """

    positions: npt.NDArray[np.int32]
    of_code: npt.NDArray[np.int32]
    people: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)


def choose(counts: CountState, items: Items, canonical: Items, min_people: int, max_items: int) -> Chosen:
    """The `max_items` items that most people have, each at least `min_people`; ties by canonical position.

    Where no item has `min_people`, every item with anybody is taken: a model of very few people is a model still.
    """
    position_of_code = items.translation(canonical)
    people = np.zeros(len(items), np.int64)
    people[position_of_code[: len(counts["people"])]] = counts["people"]
    bar = min_people if (people >= min_people).any() else 1
    enough = np.flatnonzero(people >= bar)
    largest = enough[np.argsort(-people[enough], kind="stable")[:max_items]]
    positions = np.sort(largest)
    place = np.full(len(items), UNKNOWN, np.int32)
    place[positions] = np.arange(len(positions), dtype=np.int32)
    return Chosen(positions.astype(np.int32), place[position_of_code], people[positions])


class ItemGram:
    """How many people have both items, for every pair of the chosen ones: the upper triangle of X'X, X binary.

    gram  int32[chosen, chosen]

    >>> from segue.engines.local import LocalEngine, Table
    >>> dataset = Table.of(["ann", "ann", "bob"], ["x", "y", "x"])
    >>> counts = LocalEngine().fold(ItemCounts(), dataset)
    >>> chosen = choose(counts, dataset.items, dataset.items, min_people=1, max_items=10)
    >>> LocalEngine().fold(ItemGram(chosen), dataset)["gram"].tolist()
    [[2, 1], [0, 1]]
    """

    key: Key | None = Key.USER
    columns: tuple[str, ...] = (columns.USER, columns.ITEM, columns.WEIGHT)

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen

    def init(self) -> dict[str, npt.NDArray[np.int32]]:
        return {"gram": np.zeros((len(self.chosen), len(self.chosen)), np.int32)}

    def update(
        self, state: dict[str, npt.NDArray[np.int32]], batch: pa.RecordBatch
    ) -> dict[str, npt.NDArray[np.int32]]:
        rows = chosen_rows(rows_of_batch(batch, Key.USER), self.chosen)
        lengths = np.diff(rows.offsets)
        if not worthwhile("gram_kernels", int((lengths * lengths).sum()), TINY):
            state["gram"] += _upper_product(rows, len(self.chosen))
        else:
            from segue.learn.gram_kernels import add_pairs

            by_code = np.argsort(rows.codes, kind="stable")
            add_pairs(rows.offsets, rows.row_numbers(), rows.codes, by_code, state["gram"])
        return state

    def merge(
        self, left: dict[str, npt.NDArray[np.int32]], right: dict[str, npt.NDArray[np.int32]]
    ) -> dict[str, npt.NDArray[np.int32]]:
        left["gram"] += right["gram"]
        return left

    def subtract(
        self, state: dict[str, npt.NDArray[np.int32]], part: dict[str, npt.NDArray[np.int32]]
    ) -> dict[str, npt.NDArray[np.int32]]:
        return {"gram": state["gram"] - part["gram"]}


def chosen_rows(rows: Rows, chosen: Chosen) -> Rows:
    """The rows in the places of the chosen items, ascending; other items are left out."""
    places = chosen.of_code[rows.codes]
    numbers = rows.row_numbers()
    keep = places != UNKNOWN
    places, numbers, weights = places[keep], numbers[keep], rows.weights[keep]
    order = np.argsort((numbers << 32) | places, kind="stable")
    offsets = np.searchsorted(numbers, np.arange(len(rows) + 1)).astype(np.int64)
    return Rows(rows.keys, offsets, places[order], weights[order])


def padded(counts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """The counts with zeros behind, at least `length` long."""
    return np.pad(counts, (0, max(0, length - len(counts))))


def _upper_product(rows: Rows, size: int) -> npt.NDArray[np.int32]:
    from scipy.sparse import csr_array

    ones = np.ones(len(rows.codes), np.int32)
    matrix = csr_array((ones, rows.codes, rows.offsets), shape=(len(rows), size))
    product: npt.NDArray[np.int32] = np.triu((matrix.T @ matrix).toarray()).astype(np.int32)
    return product
