"""The compiled parts of SLIM: counting the people that items have in common, sparsely, and coordinate descent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.ascending_kernels import first_from

Codes = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MEAN = 64  # people of a candidate: below, to go through them is faster than to look up what was counted

SIDES = (array(int64, 1), array(int32, 1), array(int64, 1), array(int32, 1))
COMMON = (array(int64, 1), array(int32, 1), array(int64, 1), array(int32, 1), array(int32, 1))


@compiled(int64(int64, int64, *SIDES, int32[::1], int32[::1]))
def add_common(
    item: int,
    few: int,
    item_offsets: Offsets,
    people: Codes,
    offsets: Offsets,
    codes: Codes,
    sums: Codes,
    touched: Codes,
) -> int:
    """sums[j] = people of the item that have j, of every j after it; how many j were met. Codes ascend within a row.

    Of an item that at most `few` people have none; rows hold no such items.
    """
    met = 0
    if item_offsets[item + 1] - item_offsets[item] <= few:
        return met
    for at in range(item_offsets[item], item_offsets[item + 1]):
        first = offsets[people[at]]
        for other in range(offsets[people[at] + 1] - 1, first - 1, -1):
            code = codes[other]
            if code <= item:
                break
            before = sums[code]
            touched[met] = code
            met += before == 0
            sums[code] = before + 1
    return met


@compiled(void(int64, *SIDES, int64[::1]))
def count_others(
    few: int, item_offsets: Offsets, people: Codes, offsets: Offsets, codes: Codes, counts: Offsets
) -> None:
    """counts[i] = how many items after i anybody has together with it, of those that more than `few` have."""
    items = len(item_offsets) - 1
    sums, touched = np.zeros(items, np.int32), np.empty(items + 1, np.int32)
    for item in range(items):
        met = add_common(item, few, item_offsets, people, offsets, codes, sums, touched)
        counts[item] = met
        for at in range(met):
            sums[touched[at]] = 0


@compiled(void(int64, *SIDES, array(int64, 1), int32[::1], int32[::1]))
def count_common(
    few: int,
    item_offsets: Offsets,
    people: Codes,
    offsets: Offsets,
    codes: Codes,
    starts: Offsets,
    others: Codes,
    counts: Codes,
) -> None:
    """Fill the sparse upper triangle: the others of each item, ascending, and how many people have both."""
    items = len(item_offsets) - 1
    sums, touched = np.zeros(items, np.int32), np.empty(items + 1, np.int32)
    for item in range(items):
        met = add_common(item, few, item_offsets, people, offsets, codes, sums, touched)
        line = others[starts[item] : starts[item + 1]]
        line[:] = np.sort(touched[:met])
        for at in range(met):
            counts[starts[item] + at] = sums[line[at]]
            sums[line[at]] = 0


@compiled(int64(array(int32, 1), array(int32, 1)))
def shared(fewer: Codes, more: Codes) -> int:
    """How many codes are in both of two ascending runs, by halving what is left of the longer."""
    found, start = 0, 0
    for code in fewer:
        stop = len(more)
        reach = 1
        while start + reach < stop and more[start + reach] < code:
            reach *= 2
        start = first_from(more, code, start, min(stop, start + reach + 1))
        if start == len(more):
            break
        found += more[start] == code
    return found


@compiled(int64(int64, int64, int64, *COMMON))
def both(
    first: int,
    second: int,
    few: int,
    item_offsets: Offsets,
    people: Codes,
    starts: Offsets,
    others: Codes,
    counts: Codes,
) -> int:
    """How many people have both items: by their people where few have one of them, else as they were counted."""
    if first == second:
        return int(item_offsets[first + 1] - item_offsets[first])
    one = people[item_offsets[first] : item_offsets[first + 1]]
    two = people[item_offsets[second] : item_offsets[second + 1]]
    if min(len(one), len(two)) <= few:
        return int(shared(one, two) if len(one) <= len(two) else shared(two, one))
    low, high = min(first, second), max(first, second)
    at = first_from(others, high, starts[low], starts[low + 1])
    return int(counts[at]) if at < starts[low + 1] and others[at] == high else 0


@compiled(
    void(
        int64, array(int32, 1), array(int64, 1), array(int32, 1), int32[::1], int32[::1], int32[::1],
        float64[:, ::1], float64[::1],
    )
)  # fmt: skip
def gram_by_people(
    item: int,
    candidates: Codes,
    item_offsets: Offsets,
    people: Codes,
    latest: Codes,
    before: Codes,
    owners: Codes,
    gram: Floats,
    left: Floats,
) -> None:
    """How many people have both of every two candidates, and of the item and each: person by person.

    Each person has a chain of the candidates that they have: the `latest` entry of it, -1 where there is none, and of
    each entry the one `before` and whose it is. It is as long as all candidates have people.
    """
    size, held = len(candidates), 0
    gram[:size, :size] = 0
    left[:size] = 0
    for at in range(size):
        code = candidates[at]
        for entry in range(item_offsets[code], item_offsets[code + 1]):
            person = people[entry]
            other = latest[person]
            while other >= 0:
                gram[at, owners[other]] += 1
                other = before[other]
            before[held], owners[held] = latest[person], at
            latest[person] = held
            held += 1
        gram[at, at] = item_offsets[code + 1] - item_offsets[code]
    for entry in range(item_offsets[item], item_offsets[item + 1]):
        other = latest[people[entry]]
        while other >= 0:
            left[owners[other]] += 1
            other = before[other]
    for at in range(size):
        for entry in range(item_offsets[candidates[at]], item_offsets[candidates[at] + 1]):
            latest[people[entry]] = -1
        for to in range(at):
            gram[to, at] = gram[at, to]


@compiled(void(float64[:, :], float64[::1], float64[::1], float64, float64, float64, int64, float64))
def descend(
    gram: Floats, left: Floats, found: Floats, l2: float, l1: float, least: float, sweeps: int, enough: float
) -> None:
    """Coordinate descent from 0: `left` is X'x - X'X found throughout."""
    for _ in range(sweeps):
        largest = 0.0
        for at in range(len(found)):
            pull = left[at] + gram[at, at] * found[at]
            kept = max(abs(pull) - l1, 0.0)
            wanted = max(np.copysign(kept, pull) / (gram[at, at] + l2), least)
            change = wanted - found[at]
            if change != 0:
                for other in range(len(found)):
                    left[other] -= gram[at, other] * change
                found[at] = wanted
                largest = max(largest, abs(change))
        if largest < enough:
            break


@compiled(
    void(
        array(int32, 1), array(int32, 2), int64, int64, *COMMON,
        float64, float64, float64, int64, float64, float32[:, ::1],
    )
)  # fmt: skip
def solve_items(
    items: Codes,
    near: Codes,
    persons: int,
    few: int,
    item_offsets: Offsets,
    people: Codes,
    starts: Offsets,
    others: Codes,
    counts: Codes,
    l2: float,
    l1: float,
    least: float,
    sweeps: int,
    enough: float,
    weights: npt.NDArray[np.float32],
) -> None:
    """weights[n] = the elastic net of items[n] from its candidates near[items[n]], -1 where there are fewer.

    There are so many `persons`. From `few` to `counts` they are the sparse Gram, see `Common`.
    """
    width = near.shape[1]
    gram, left, found = np.empty((width, width), np.float64), np.empty(width), np.empty(width)
    latest = np.full(persons, -1, np.int32)
    before, owners = np.empty(MEAN * width, np.int32), np.empty(MEAN * width, np.int32)
    for line in range(len(items)):
        item = items[line]
        size, events = 0, 0
        while size < width and near[item, size] >= 0:
            events += item_offsets[near[item, size] + 1] - item_offsets[near[item, size]]
            found[size] = 0
            size += 1
        if events <= MEAN * size:
            gram_by_people(item, near[item, :size], item_offsets, people, latest, before, owners, gram, left)
        else:
            for at in range(size):
                left[at] = both(item, near[item, at], few, item_offsets, people, starts, others, counts)
                for to in range(at + 1):
                    one, two = near[item, at], near[item, to]
                    gram[at, to] = both(one, two, few, item_offsets, people, starts, others, counts)
                    gram[to, at] = gram[at, to]
        descend(gram[:size, :size], left[:size], found[:size], l2, l1, least, sweeps, enough)
        for at in range(size):
            weights[line, at] = found[at]
