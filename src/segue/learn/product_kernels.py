"""The compiled search of products: what passes the bar in a tile of scores is taken while it is in a near cache."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, float64, int32, int64, uint64, void

from segue.engines.compiled import array, compiled
from segue.learn.product_tile import ROWS, WIDTH, first_bit, multiply_tile

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.int64]

ROUNDING = 1e-3  # more than the sums of any number of factors that a model has are off
SURE = 1e-30  # of a bar below this, what is rounded may be more than that
LARGEST = 2**31 - 1
ZERO_BELOW = -(2**31)  # the bits of -0.0


@compiled(boolean(int64, int64, array(boolean, 2), array(boolean, 2)))
def is_let(row: int, item: int, allow: Mask, deny: Mask) -> bool:
    """Whether the masks let the item to the row: they have a line for each row, one for all, or none."""
    if len(allow) and not allow[row if len(allow) > 1 else 0, item]:
        return False
    return not (len(deny) and deny[row if len(deny) > 1 else 0, item])


@compiled(int64(int64, int32))
def key_of(bits: int, item: int) -> int:
    """A number that is the larger the better: by the score of these bits, of equal scores by the first position."""
    if bits == ZERO_BELOW:
        bits = 0
    elif bits < 0:  # the more negative a float, the larger its bits
        bits ^= LARGEST
    return (bits << 32) + (LARGEST - item)


@compiled(int32(int64))
def bits_of(key: int) -> int:
    """The bits of the score that the key was made of."""
    high = key >> 32
    return high ^ LARGEST if high < 0 else high


@compiled(int64(int64, int64, int64))
def middle_of(one: int, two: int, three: int) -> int:
    """The one that is neither the least nor the largest."""
    return max(min(one, two), min(max(one, two), three))


@compiled(void(int64[::1], int64, int64))
def bring_forward(keys: Keys, count: int, k: int) -> None:
    """Reorder `count` keys so that the k largest are in front and the least of these is the last of them (Hoare's
    FIND)."""
    low, high, wanted = 0, count - 1, k - 1
    while low < high:
        pivot = middle_of(keys[low], keys[(low + high) // 2], keys[high])
        left, right = low, high
        while left <= right:
            while keys[left] > pivot:
                left += 1
            while keys[right] < pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            return


@compiled(
    void(
        uint64, int64, float32[::1], int32[::1], array(boolean, 2), array(boolean, 2), array(int64, 1),
        array(int32, 1), int64[::1], int64[::1], float32[::1], int32[::1], int64[:, ::1], int32[::1], int64,
    )
)  # fmt: skip
def take_best(
    reach: int,
    row: int,
    scores: Floats,
    bits: npt.NDArray[np.int32],
    allow: Mask,
    deny: Mask,
    offsets: npt.NDArray[np.int64],
    seen: npt.NDArray[np.int32],
    passed: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    bars: Floats,
    bar_bits: npt.NDArray[np.int32],
    keys: Keys,
    order: npt.NDArray[np.int32],
    start: int,
) -> None:
    """Take those scores of a row that reach its bar, by the bits of `reach`, among its keys; the items are of `order`.

    A row holds twice as many as are asked for; when it is full the better half stays, and its worst is the bar. Items
    come in any order, so one that equals the bar may be before what is held. `passed` are the seen that lie behind.
    """
    room, masked, size = keys.shape[1], len(allow) + len(deny) > 0, sizes[row]
    at_seen, end = passed[row], offsets[row + 1]
    while reach:
        at: int = first_bit(reach)  # type: ignore[call-arg]  # numba gives the first itself
        reach &= reach - np.uint64(1)
        if not scores[at] >= bars[row] or scores[at] == -np.inf:
            continue
        while at_seen < end and seen[at_seen] < start + at:
            at_seen += 1
        if at_seen < end and seen[at_seen] == start + at:
            continue
        if masked and not is_let(row, order[start + at], allow, deny):
            continue
        keys[row, size] = key_of(np.int64(bits[at]), order[start + at])
        size += 1
        if size == room:
            size = room // 2
            bring_forward(keys[row], room, size)
            bar_bits[row] = bits_of(keys[row, size - 1])
    passed[row], sizes[row] = at_seen, size


@compiled(void(int64[::1], int64, int32[::1], float32[::1]))
def write_best(keys: Keys, count: int, positions: npt.NDArray[np.int32], values: Floats) -> None:
    """The best of a row's keys, best first, as positions and scores."""
    if count > len(positions):
        bring_forward(keys, count, len(positions))
        count = len(positions)
    best, bits = np.sort(keys[:count]), values.view(np.int32)
    for place in range(count):
        key = best[count - 1 - place]
        positions[place], bits[place] = LARGEST - (key & 0xFFFFFFFF), bits_of(key)


@compiled(float64[::1](float32[:, ::1], int64))
def needed_lengths(queries: Floats, rows: int) -> npt.NDArray[np.float64]:
    """float64[rows]: how long an item is at least whose product with the row is 1, less what rounding may add."""
    found = np.empty(rows, np.float64)
    for row in range(rows):
        square = 0.0
        for factor in range(queries.shape[1]):
            square += np.float64(queries[row, factor]) ** 2
        found[row] = (1 - ROUNDING) / np.sqrt(square) if square > 0 else 0.0
    return found


@compiled(
    void(
        float32[:, ::1], array(float32, 2), int32[::1], float32[::1], array(boolean, 2), array(boolean, 2),
        array(int64, 1), array(int32, 1), int32[:, ::1], float32[:, ::1],
    )
)  # fmt: skip
def best_products(
    queries: Floats,
    items: Floats,
    order: npt.NDArray[np.int32],
    lengths: Floats,
    allow: Mask,
    deny: Mask,
    offsets: npt.NDArray[np.int64],
    seen: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
    values: Floats,
) -> None:
    """Fill each row with the best of queries times items; the rows come filled with -1 and -inf.

    queries  float32[rows filled up to fours, factors]
    items    float32[items, factors]
    order    the items, longest first, and their lengths: no product is above those of the two lengths, so a row whose
             bar is above that is done (Cauchy and Schwarz; Teflioudi, Gemulla, "Exact and Approximate Maximum Inner
             Product Search with LEMP", 2016)
    seen     where in `order` the items are that are out, ascending in each row `offsets[r]:offsets[r + 1]`
    """
    rows, factors = len(positions), items.shape[1]
    block = np.zeros((factors, WIDTH), np.float32)
    scores = np.empty((ROWS, WIDTH), np.float32)
    bits, passed, reach = scores.view(np.int32), offsets[:-1].copy(), np.empty(ROWS, np.uint64)
    keys, sizes = np.empty((rows, 2 * positions.shape[1]), np.int64), np.zeros(rows, np.int64)
    bars = np.full(len(queries), np.inf, np.float32)
    bars[:rows] = -np.inf
    bar_bits = bars.view(np.int32)
    least = needed_lengths(queries, rows)  # of what cannot be left out, times the bar
    for start in range(0, len(items), WIDTH):
        width = min(WIDTH, len(items) - start)
        within = ~np.uint64(0) >> np.uint64(WIDTH - width)
        for item in range(width):
            for factor in range(factors):
                block[factor, item] = items[order[start + item], factor]
        going_on = False
        for row in range(0, rows, ROWS):
            count = min(ROWS, rows - row)
            done = True
            for line in range(row, row + count):
                done &= SURE < bars[line] < np.inf and lengths[start] < bars[line] * least[line]
            if done:
                continue
            going_on = True
            multiply_tile(queries, row, block, scores, bars, reach)  # type: ignore[call-arg]  # numba gives the first
            for line in range(count):
                if reach[line] & within:
                    take_best(
                        reach[line] & within, row + line, scores[line], bits[line], allow, deny, offsets, seen,
                        passed, sizes, bars, bar_bits, keys, order, start,
                    )  # fmt: skip
        if not going_on:
            break
    for row in range(rows):
        write_best(keys[row], sizes[row], positions[row], values[row])
