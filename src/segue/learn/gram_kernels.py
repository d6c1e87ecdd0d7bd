"""The compiled parts of counting pairs: items that many people have by whole words of bits, the others one by one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, uint32, uint64, void

from segue.engines.compiled import array, compiled
from segue.learn.bits_tile import FULL, GROUP, SLOTS, STATE, add_counts, add_groups

Codes = npt.NDArray[np.int32]
Unsigned = npt.NDArray[np.uint32]  # of which none counts from the end
Offsets = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


@compiled(void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), int32[:, ::1]))
def add_pairs(offsets: Offsets, rows: Offsets, codes: Codes, by_code: Offsets, gram: Codes) -> None:
    """gram[i, j] += 1 for every two codes i <= j of a row; codes ascend within a row.

    `rows` is the row of each pair, `by_code` the order of the pairs by code: one line of the Gram is filled at a time,
    in the nearest cache.
    """
    for at in by_code:
        line = gram[codes[at]]
        for other in range(at, offsets[rows[at] + 1]):
            line[codes[other]] += 1


@compiled(void(array(int32, 1), array(int32, 1), array(float32, 1), int64[::1], int64[::1]))
def count_people(
    users: Codes, items: Codes, weights: npt.NDArray[np.float32], people: Offsets, totals: Offsets
) -> None:
    """people[i] += the people with item i, totals += (people with any, pairs); rows of a person lie together.

    Rows that do not weigh more than 0 are left out.
    """
    last = np.full(len(people), -1, np.int32)
    before = -1
    for row in range(len(users)):
        if not weights[row] > 0:
            continue
        user, item = users[row], items[row]
        if user != before:
            totals[0] += 1
            before = user
        if last[item] != user:
            last[item] = user
            people[item] += 1
            totals[1] += 1


@compiled(int64(array(int64, 1), array(int32, 1), array(int64, 1), int64[::1], int32[::1]))
def people_of_items(order: Offsets, codes: Codes, starts: Offsets, ends: Offsets, people: Codes) -> int:
    """Fill `people` with the rows that have each item, ascending, each once: those of item i end at ends[i].

    Row r is the r-th of `order`, whose codes are codes[starts[order[r]] : starts[order[r] + 1]], in any order and
    repeated or not. `ends` come as where the items begin, with room for repeats. The answer is how many there are.
    """
    begins = ends.copy()
    found = 0
    for row in range(len(order)):
        for at in range(starts[order[row]], starts[order[row] + 1]):
            code = codes[at]
            if ends[code] == begins[code] or people[ends[code] - 1] != row:
                people[ends[code]] = row
                ends[code] += 1
                found += 1
    return found


@compiled(void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), uint64[:, :, ::1]))
def set_bits(begins: Offsets, ends: Offsets, people: Codes, head: Offsets, table: Words) -> None:
    """table[s // SLOTS, row] gets a bit for each item head[s] that the row has, where `add_groups` looks for it."""
    for slot in range(len(head)):
        tile, within = slot // SLOTS, slot % SLOTS
        word = within % 64 // 8
        bit = np.uint64(1) << np.uint64(8 * (within % 8) + within // 64)
        for at in range(begins[head[slot]], ends[head[slot]]):
            table[tile, people[at], word] |= bit


@compiled(void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), int64[::1], uint32[::1], int32[::1]))
def rest_of_rows(
    begins: Offsets, ends: Offsets, people: Codes, slots: Offsets, stops: Offsets, codes: Unsigned, places: Codes
) -> None:
    """The items without a slot of each row, ascending, into `codes`; `stops` come as where the rows begin.

    places[n] is where in `codes` the item of people[n] lies.
    """
    for item in range(len(begins)):
        if slots[item] < 0:
            for at in range(begins[item], ends[item]):
                row = people[at]
                codes[stops[row]] = item
                places[at] = stops[row]
                stops[row] += 1


@compiled(
    void(
        array(int64, 1), array(int64, 1), array(int32, 1), array(int32, 1), array(int64, 1), array(uint32, 1),
        array(int64, 1), int64, int64, int32[:, ::1],
    )
)  # fmt: skip
def add_rest(
    begins: Offsets,
    ends: Offsets,
    people: Codes,
    places: Codes,
    stops: Offsets,
    codes: Unsigned,
    slots: Offsets,
    start: int,
    stop: int,
    gram: Codes,
) -> None:
    """gram[i, j] += the people with i and j, both without a slot, i from `start` to `stop`: line after line."""
    for item in range(start, stop):
        if slots[item] < 0:
            line = gram[item]
            for at in range(begins[item], ends[item]):
                for code in codes[places[at] : stops[people[at]]]:
                    line[code] += 1


@compiled(void(array(uint64, 3), int64, array(int32, 1), int64, int64, int32[::1], uint64[::1], int32[::1]))
def count_tile(
    table: Words, tile: int, people: Codes, begin: int, end: int, last: Codes, state: Words, counts: Codes
) -> None:
    """counts[s] = how many of people[begin:end] have the item of slot s of the tile.

    The last line of the table is empty: it fills up the last group, int32[GROUP].
    """
    counts[:] = 0
    while begin < end:
        groups = min((end - begin) // GROUP, FULL)
        state[:] = 0
        add_groups(table, tile, people, begin, groups, state)  # type: ignore[call-arg]  # numba gives the first itself
        begin += groups * GROUP
        if 0 < end - begin < GROUP:
            last[:] = table.shape[1] - 1
            last[: end - begin] = people[begin:end]
            add_groups(table, tile, last, 0, 1, state)
            begin = end
        add_counts(state, counts)


@compiled(
    void(
        array(int64, 1), array(int64, 1), array(int32, 1), array(uint64, 3), array(int64, 1), array(int64, 1),
        int64, int64, int32[:, ::1],
    )
)  # fmt: skip
def add_head(
    begins: Offsets,
    ends: Offsets,
    people: Codes,
    table: Words,
    head: Offsets,
    slots: Offsets,
    start: int,
    stop: int,
    gram: Codes,
) -> None:
    """gram[i, j] += the people with i and j, j with a slot, i from `start` to `stop`; of two with a slot, once."""
    counts, state, last = np.empty(SLOTS, np.int32), np.empty(STATE, np.uint64), np.empty(GROUP, np.int32)
    for tile in range(len(table)):
        first, end = tile * SLOTS, min(len(head), (tile + 1) * SLOTS)
        for item in range(start, stop):
            if slots[item] >= end:
                continue
            count_tile(table, tile, people, begins[item], ends[item], last, state, counts)
            for slot in range(max(slots[item], first), end):
                other = head[slot]
                if other < item:
                    gram[other, item] += counts[slot - first]
                else:
                    gram[item, other] += counts[slot - first]
