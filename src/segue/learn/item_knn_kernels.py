"""The compiled parts of item neighbours: the likest of each item, and scoring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, float64, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.ascending_kernels import first_from
from segue.learn.product_kernels import Mask, is_let
from segue.learn.top_kernels import offer, sort_best_first

Codes = npt.NDArray[np.int32]
Offsets = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SLACK = 1 - 1e-6  # of the bar that spares a division: float32 rounding of what passes it is told by the division


@compiled(boolean(int64, int64, array(boolean, 2), array(boolean, 2), array(int64, 1), array(int32, 1)))
def is_left(row: int, item: int, allow: Mask, deny: Mask, offsets: Offsets, seen: Codes) -> bool:
    """Whether the masks let the item to the row, and it is not among those that the row has seen, ascending."""
    if not is_let(row, item, allow, deny):
        return False
    at, end = first_from(seen, item, offsets[row], offsets[row + 1]), offsets[row + 1]
    return bool(at == end or seen[at] != item)


@compiled(
    int64(
        int64, array(int64, 1), array(int32, 1), array(int32, 1),
        array(int64, 1), array(int32, 1), array(int32, 1), int64[::1], int32[::1],
    )
)  # fmt: skip
def add_products(
    item: int,
    item_offsets: Offsets,
    people: Codes,
    worth: Codes,
    offsets: Offsets,
    codes: Codes,
    values: Codes,
    sums: npt.NDArray[np.int64],
    touched: Codes,
) -> int:
    """sums[j] += value of the item times value of j, over the histories of the item's people; how many j were met."""
    met = 0
    for at in range(item_offsets[item], item_offsets[item + 1]):
        value = np.int64(worth[at])
        for other in range(offsets[people[at]], offsets[people[at] + 1]):
            code = codes[other]
            before = sums[code]
            touched[met] = code
            met += before == 0
            sums[code] = before + value * values[other]
    return met


@compiled(
    int64(
        int64, array(int64, 1), array(int32, 1), array(int64, 1), array(int32, 1), int32[::1], int32[::1]
    )
)  # fmt: skip
def add_ones(
    item: int,
    item_offsets: Offsets,
    people: Codes,
    offsets: Offsets,
    codes: Codes,
    counts: Codes,
    touched: Codes,
) -> int:
    """The same where every value is 1."""
    met = 0
    for at in range(item_offsets[item], item_offsets[item + 1]):
        for other in range(offsets[people[at]], offsets[people[at] + 1]):
            code = codes[other]
            before = counts[code]
            touched[met] = code
            met += before == 0
            counts[code] = before + 1
    return met


@compiled(
    void(
        array(int32, 1), array(int64, 1), array(int32, 1), array(int32, 1), array(int64, 1), array(int32, 1),
        array(int32, 1), float64, float64, array(float64, 2), int32[:, ::1], float32[:, ::1],
    )
)  # fmt: skip
def nearest(
    items: Codes,
    item_offsets: Offsets,
    people: Codes,
    worth: Codes,
    offsets: Offsets,
    codes: Codes,
    values: Codes,
    unit: float,
    share: float,
    terms: Floats,
    positions: Codes,
    likeness: npt.NDArray[np.float32],
) -> None:
    """The likest of each of `items`, itself left out; the rows come filled with -1 and -inf.

    `item_offsets`, `people`, `worth` say who has each item, `offsets`, `codes`, `values` what each person has; no
    `values` means that all are 1. `terms` float64[items, 4] are own, near, left and right of `Terms`.
    """
    count = len(item_offsets) - 1
    flat = len(values) == 0
    sums = np.zeros(0 if flat else count, np.int64)
    counts = np.zeros(count if flat else 0, np.int32)
    touched = np.empty(count + 1, np.int32)
    for line in range(len(items)):
        item = items[line]
        if flat:
            met = add_ones(item, item_offsets, people, offsets, codes, counts, touched)
        else:
            met = add_products(item, item_offsets, people, worth, offsets, codes, values, sums, touched)
        heap, held, size = likeness[line], positions[line], 0
        own, left = terms[item, 0], terms[item, 2]
        bar = 0.0
        for at in range(met):
            code = touched[at]
            if flat:
                total = counts[code] * unit
                counts[code] = 0
            else:
                total = sums[code] * unit
                sums[code] = 0
            if code == item:
                continue
            denominator = share * total + own + terms[code, 1] + left * terms[code, 3]
            if total < bar * denominator:
                continue
            alike = np.float32(total / denominator)
            if alike > 0:
                size = offer(heap, held, size, alike, code)
                if size == len(heap):
                    bar = heap[0] * SLACK
        sort_best_first(heap, held, size)


@compiled(
    void(array(int64, 1), array(int32, 1), array(float64, 1), array(int32, 2), array(float32, 2), float32[:, ::1])
)
def add_neighbours(
    offsets: Offsets,
    codes: Codes,
    worth: Floats,
    neighbours: Codes,
    likeness: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
) -> None:
    """scores[r] = the likeness of every neighbour of the row's items, times their worth, added in float64."""
    sums = np.empty(scores.shape[1], np.float64)
    for row in range(len(offsets) - 1):
        sums[:] = 0
        for at in range(offsets[row], offsets[row + 1]):
            code, weight = codes[at], worth[at]
            for rank in range(neighbours.shape[1]):
                near = neighbours[code, rank]
                if near < 0:
                    break
                sums[near] += likeness[code, rank] * weight
        scores[row] = sums


@compiled(
    void(
        array(int64, 1), array(int32, 1), array(float64, 1), array(int32, 2), array(float32, 2), array(boolean, 2),
        array(boolean, 2), array(int64, 1), array(int32, 1), int64, int32[:, ::1], float32[:, ::1],
    )
)  # fmt: skip
def best_neighbours(
    offsets: Offsets,
    codes: Codes,
    worth: Floats,
    neighbours: Codes,
    likeness: npt.NDArray[np.float32],
    allow: npt.NDArray[np.bool_],
    deny: npt.NDArray[np.bool_],
    seen_offsets: Offsets,
    seen: Codes,
    items: int,
    positions: Codes,
    values: npt.NDArray[np.float32],
) -> None:
    """Fill each row with the best of what `add_neighbours` scores; the rows come filled with -1 and -inf.

    Only items that are some neighbour are looked at. Where they are fewer than k, items of score 0 fill the row.
    """
    sums = np.zeros(items, np.float64)
    touched = np.empty(items + 1, np.int32)
    for row in range(len(offsets) - 1):
        met = 0
        for at in range(offsets[row], offsets[row + 1]):
            code, weight = codes[at], worth[at]
            for rank in range(neighbours.shape[1]):
                near = neighbours[code, rank]
                if near < 0:
                    break
                before = sums[near]
                touched[met] = near
                met += before == 0
                sums[near] = before + likeness[code, rank] * weight
                if before == 0 and sums[near] == 0:
                    met -= 1
        heap, held, size = values[row], positions[row], 0
        for at in range(met):
            near = touched[at]
            score = np.float32(sums[near])
            if not score > 0 or (size == len(heap) and score < heap[0]):
                continue
            if is_left(row, near, allow, deny, seen_offsets, seen):
                size = offer(heap, held, size, score, near)
        if size < len(heap):
            for item in range(items):
                if size == len(heap):
                    break
                if not np.float32(sums[item]) > 0 and is_left(row, item, allow, deny, seen_offsets, seen):
                    size = offer(heap, held, size, np.float32(0), np.int32(item))
        for at in range(met):
            sums[touched[at]] = 0
        sort_best_first(heap, held, size)
