"""How often people have two items in common: the counts that EASE and item neighbours are made of, as exact folds."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN, Items
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.memory import available_bytes, zeros_by_lines
from segue.learn.kernels import worthwhile
from segue.learn.rows import Rows, rows_of_batch, run_starts

CountState = dict[str, npt.NDArray[np.int64]]
GramState = dict[str, npt.NDArray[np.int64]]

TINY = 3_000_000  # products; below, SciPy is fast enough that nothing need wait for a compiled kernel
FEW_ROWS = 250_000  # events of a batch; below, NumPy is fast enough for the same reason
BLOCK_PEOPLE = 2**18  # at a time, so that memory is bounded however many people there are
LINES = 256  # of the Gram that a thread takes at a time
HEADS = (512, 1024, 1536, 2048, 3072, 4096)  # how many items may be counted by words of bits
TILE_NS, PAIR_NS = 14.0, 2.3  # what 512 bits of a row and a pair of items cost: see `_head`


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
        if worthwhile("gram_kernels", batch.num_rows, FEW_ROWS):
            return self.merge(state, _counted(batch))
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


def item_gram(engine: Engine, dataset: Dataset, chosen: Chosen) -> npt.NDArray[np.int32]:
    """int32[chosen, chosen]: what `ItemGram` folds, exactly.

    Where there are more pairs of items than of people and items, what people have is brought together, and each
    thread fills lines of one matrix; else each part of the people has a matrix of its own, and they are added, where
    there is room for as many.

    >>> from segue.engines.local import LocalEngine, Table
    >>> dataset = Table.of(["ann", "ann", "bob"], ["x", "y", "x"])
    >>> chosen = choose(LocalEngine().fold(ItemCounts(), dataset), dataset.items, dataset.items, 1, 10)
    >>> item_gram(LocalEngine(), dataset, chosen).tolist()
    [[2, 1], [0, 1]]
    """
    pairs = int(chosen.people.sum())
    room = 4 * len(chosen) ** 2 * len(os.sched_getaffinity(0)) < available_bytes()
    if (pairs > len(chosen) ** 2 and room) or not worthwhile("gram_kernels", pairs * pairs // dataset.users, TINY):
        gram: npt.NDArray[np.int32] = engine.fold(ItemGram(chosen), dataset)["gram"]
        return gram
    mapped = engine.map(ChosenEvents(chosen), engine.prepare(dataset, Key.USER))
    batches = [batch for part in mapped.partitions(1) for batch in part]
    whole = pa.Table.from_batches(batches, schema=mapped.schema)
    users, places = whole[columns.USER].to_numpy(), whole[columns.ITEM].to_numpy()
    starts = np.append(run_starts(users), len(users)).astype(np.int64)
    return gram_of_rows(starts, places, len(chosen))


class ChosenEvents:
    """The map by person: person and place of every event on a chosen item that weighs more than 0."""

    def __init__(self, chosen: Chosen) -> None:
        self.chosen = chosen

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        places = self.chosen.of_code[batch[columns.ITEM].to_numpy()]
        keep = (places != UNKNOWN) & (batch[columns.WEIGHT].to_numpy() > 0)
        users = batch[columns.USER].to_numpy()
        return pa.record_batch({columns.USER: pa.array(users[keep]), columns.ITEM: pa.array(places[keep])})


def gram_of_rows(starts: npt.NDArray[np.int64], codes: npt.NDArray[np.int32], items: int) -> npt.NDArray[np.int32]:
    """int32[items, items]: in how many rows two codes are, the upper triangle; row r is codes[starts[r]:starts[r + 1]].

    Codes may come in any order and again. Those in most rows are told by bits: 64 of them are added at a time, for 16
    rows at once (Harley and Seal); the rest is counted pair by pair.
    """
    gram = np.zeros((items, items), np.int32)
    for start in range(0, len(starts) - 1, BLOCK_PEOPLE):
        _add_block(starts[start : start + BLOCK_PEOPLE + 1], codes, gram)
    return gram


def _add_block(starts: npt.NDArray[np.int64], codes: npt.NDArray[np.int32], gram: npt.NDArray[np.int32]) -> None:
    from segue.learn.bits_tile import SLOTS, WORDS
    from segue.learn.gram_kernels import add_head, add_rest, people_of_items, rest_of_rows, set_bits

    items, rows = len(gram), len(starts) - 1
    its = codes[starts[0] : starts[-1]]
    starts = starts - starts[0]
    begins = np.concatenate([[0], np.cumsum(np.bincount(its, minlength=items))]).astype(np.int64)[:-1]
    ends, people = begins.copy(), np.empty(len(its), np.int32)
    order = np.argsort(-np.diff(starts), kind="stable")  # what is much used lies together
    people_of_items(order, its, starts, ends, people)
    head = _head(ends - begins, starts, its)
    slots = np.full(items, UNKNOWN, np.int64)
    slots[head] = np.arange(len(head))
    table = zeros_by_lines((-(-len(head) // SLOTS), rows + 1, WORDS), np.uint64)
    set_bits(begins, ends, people, head, table)
    stops, rest, places = _room_for_rest(begins, ends, people, slots, rows)
    rest_of_rows(begins, ends, people, slots, stops, rest, places)

    def fill(line: int) -> None:
        stop = min(line + LINES, items)
        add_rest(begins, ends, people, places, stops, rest, slots, line, stop, gram)
        add_head(begins, ends, people, table, head, slots, line, stop, gram)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(fill, range(0, items, LINES)))


def _room_for_rest(
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    people: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int64],
    rows: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """Where the items without a slot of each row begin, and room for them and for where each lies."""
    lengths = np.zeros(rows, np.int64)
    for item in np.flatnonzero(slots == UNKNOWN):
        lengths[people[begins[item] : ends[item]]] += 1
    stops = np.cumsum(lengths) - lengths
    return stops, np.empty(int(lengths.sum()), np.uint32), np.empty(len(people), np.int32)


def _head(
    people: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], codes: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """The items to be told by bits, fewest people first: as many as make the work least, by a sample of the rows.

    A row of bits is fetched and added for every pair of row and item, a pair of items is one addition in memory.
    """
    popular = np.argsort(-people, kind="stable")
    rank = np.empty(len(people), np.int64)
    rank[popular] = np.arange(len(people))
    sampled = np.arange(0, len(starts) - 1, max(1, (len(starts) - 1) // 4096))
    share = len(sampled) / max(len(starts) - 1, 1)
    ranks = [rank[codes[starts[row] : starts[row + 1]]] for row in sampled.tolist()]
    costs = {}
    for size in HEADS:
        left = np.array([(its >= size).sum() for its in ranks])
        costs[size] = PAIR_NS * float((left * left).sum()) / 2 / share + people.sum() * TILE_NS * size / 512
    chosen = popular[: min(costs, key=lambda size: costs[size])]
    return chosen[::-1].copy()


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


def _counted(batch: pa.RecordBatch) -> CountState:
    from segue.learn.gram_kernels import count_people

    users, items, weights = (batch[name].to_numpy() for name in (columns.USER, columns.ITEM, columns.WEIGHT))
    people, totals = np.zeros(int(items.max(initial=-1)) + 1, np.int64), np.zeros(2, np.int64)
    count_people(users, items, weights, people, totals)
    return {"people": np.trim_zeros(people, "b"), "totals": totals}


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
