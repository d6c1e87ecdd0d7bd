"""The compiled parts of counting pairs: items that many people have by whole words of bits, the others one by one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, uint8, uint64, void

from segue.engines.compiled import array, compiled

Codes = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

WORDS = 64  # of 64 items at most: a line of the workspace
GROUP = 16  # people added at a time
LOW = np.uint64(0x0101010101010101)  # the lowest bit of each byte
FULL = 255  # that a byte holds


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


@compiled(void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), uint64[:, ::1]))
def set_bits(begins: Offsets, ends: Offsets, people: Codes, head: Offsets, table: Words) -> None:
    """table[row, s // 64] gets a bit for each item head[s] that the row has, where `add_line` looks for it."""
    for slot in range(len(head)):
        bit = np.uint64(1) << np.uint64(8 * (slot % 8) + slot // 8 % 8)
        for at in range(begins[head[slot]], ends[head[slot]]):
            table[people[at], slot // 64] |= bit


@compiled(void(array(int64, 1), array(int64, 1), array(int32, 1), array(int64, 1), int64[::1], int32[::1], int32[::1]))
def rest_of_rows(
    begins: Offsets, ends: Offsets, people: Codes, slots: Offsets, stops: Offsets, codes: Codes, places: Codes
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
        array(int64, 1), array(int64, 1), array(int32, 1), array(int32, 1), array(int64, 1), array(int32, 1),
        array(int64, 1), int64, int64, int32[:, ::1],
    )
)  # fmt: skip
def add_rest(
    begins: Offsets,
    ends: Offsets,
    people: Codes,
    places: Codes,
    stops: Offsets,
    codes: Codes,
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
                for other in range(places[at], stops[people[at]]):
                    line[codes[other]] += 1


@compiled(void(uint64[::1], int64, int64))
def add_group(lines: Words, first: int, words: int) -> None:
    """Add 16 lines of bits into four lines of binary digits; what carries out of them (16s) goes into the fifth.

    Harley and Seal's tree of carry-save adders. Line k of `lines` is lines[64 k : 64 k + words], the 16 follow the 5.
    """
    for w in range(first, words):
        one, two, four, eight = lines[w], lines[WORDS + w], lines[2 * WORDS + w], lines[3 * WORDS + w]
        a, b = lines[5 * WORDS + w], lines[6 * WORDS + w]
        half = one ^ a
        two_a, one = (one & a) | (half & b), half ^ b
        a, b = lines[7 * WORDS + w], lines[8 * WORDS + w]
        half = one ^ a
        two_b, one = (one & a) | (half & b), half ^ b
        half = two ^ two_a
        four_a, two = (two & two_a) | (half & two_b), half ^ two_b
        a, b = lines[9 * WORDS + w], lines[10 * WORDS + w]
        half = one ^ a
        two_a, one = (one & a) | (half & b), half ^ b
        a, b = lines[11 * WORDS + w], lines[12 * WORDS + w]
        half = one ^ a
        two_b, one = (one & a) | (half & b), half ^ b
        half = two ^ two_a
        four_b, two = (two & two_a) | (half & two_b), half ^ two_b
        half = four ^ four_a
        eight_a, four = (four & four_a) | (half & four_b), half ^ four_b
        a, b = lines[13 * WORDS + w], lines[14 * WORDS + w]
        half = one ^ a
        two_a, one = (one & a) | (half & b), half ^ b
        a, b = lines[15 * WORDS + w], lines[16 * WORDS + w]
        half = one ^ a
        two_b, one = (one & a) | (half & b), half ^ b
        half = two ^ two_a
        four_a, two = (two & two_a) | (half & two_b), half ^ two_b
        a, b = lines[17 * WORDS + w], lines[18 * WORDS + w]
        half = one ^ a
        two_a, one = (one & a) | (half & b), half ^ b
        a, b = lines[19 * WORDS + w], lines[20 * WORDS + w]
        half = one ^ a
        two_b, one = (one & a) | (half & b), half ^ b
        half = two ^ two_a
        four_b, two = (two & two_a) | (half & two_b), half ^ two_b
        half = four ^ four_a
        eight_b, four = (four & four_a) | (half & four_b), half ^ four_b
        half = eight ^ eight_a
        lines[4 * WORDS + w] = (eight & eight_a) | (half & eight_b)
        lines[3 * WORDS + w] = half ^ eight_b
        lines[2 * WORDS + w], lines[WORDS + w], lines[w] = four, two, one


@compiled(void(uint64[::1], int64, int64, int64, int64, uint64[::1]))
def spread(lines: Words, line: int, first: int, words: int, shift: int, bytes_of: Words) -> None:
    """Add a line of bits, times 2**shift, into bytes: bit b of each byte of word w into bytes_of[64 b + w]."""
    for bit in range(8):
        for w in range(first, words):
            one = (lines[line * WORDS + w] >> np.uint64(bit)) & LOW
            bytes_of[bit * WORDS + w] += one << np.uint64(shift)


@compiled(void(uint8[::1], int64, int64, int64, int32[::1]))
def add_bytes(flat: npt.NDArray[np.uint8], first: int, words: int, times: int, counts: Codes) -> None:
    """Add the bytes that `spread` filled, so many times, to the counts of the slots, and leave them 0."""
    for w in range(first, words):
        for bit in range(8):
            start = (bit * WORDS + w) * 8
            for byte in range(8):
                counts[w * 64 + bit * 8 + byte] += np.int32(flat[start + byte]) * times
                flat[start + byte] = 0


@compiled(
    void(
        array(uint64, 2), array(int32, 1), int64, int64, int64, uint64[::1], uint64[::1], uint8[::1], int32[::1]
    )
)  # fmt: skip
def add_line(
    table: Words,
    people: Codes,
    begin: int,
    end: int,
    first: int,
    lines: Words,
    bytes_of: Words,
    flat: npt.NDArray[np.uint8],
    counts: Codes,
) -> None:
    """counts[s] += how many of people[begin:end] have the item of slot s, of all slots from word `first` on.

    `lines` uint64[21 * 64], `bytes_of` uint64[8 * 64] and `flat`, its bytes, are room to work in.
    """
    words = table.shape[1]
    lines[: 5 * WORDS] = 0
    bytes_of[:] = 0
    carried = 0
    for start in range(begin, end, GROUP):
        there = min(GROUP, end - start)
        for n in range(there):
            row = table[people[start + n]]
            for w in range(first, words):
                lines[(5 + n) * WORDS + w] = row[w]
        for n in range(there, GROUP):
            for w in range(first, words):
                lines[(5 + n) * WORDS + w] = 0
        add_group(lines, first, words)
        spread(lines, 4, first, words, 0, bytes_of)
        carried += 1
        if carried == FULL:
            add_bytes(flat, first, words, GROUP, counts)
            carried = 0
    if carried > 0:
        add_bytes(flat, first, words, GROUP, counts)
    for digit in range(4):
        spread(lines, digit, first, words, digit, bytes_of)
    add_bytes(flat, first, words, 1, counts)


@compiled(
    void(
        array(int64, 1), array(int64, 1), array(int32, 1), array(uint64, 2), array(int64, 1), array(int64, 1),
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
    counts = np.empty(table.shape[1] * 64, np.int32)
    lines, bytes_of = np.empty(21 * WORDS, np.uint64), np.empty(8 * WORDS, np.uint64)
    flat = bytes_of.view(np.uint8)
    for item in range(start, stop):
        least = max(slots[item], 0)
        counts[:] = 0
        add_line(table, people, begins[item], ends[item], least // 64, lines, bytes_of, flat, counts)
        for slot in range(least, len(head)):
            other = head[slot]
            if other < item:
                gram[other, item] += counts[slot]
            else:
                gram[item, other] += counts[slot]
