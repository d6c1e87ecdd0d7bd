"""The compiled part of sorting a bucket: rows are counted into place by key, then each key's few rows are merged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, int8, int32, int64, void

from segue.engines.compiled import array, compiled

RUN = 12  # rows that are sorted by insertion before runs are merged

_COLUMNS = (array(int64, 1), array(int64, 1), array(int32, 1), array(int8, 1), array(float32, 1))


@compiled(boolean(int64, int64, *_COLUMNS))
def _before(
    left: int,
    right: int,
    times: npt.NDArray[np.int64],
    orders: npt.NDArray[np.int64],
    others: npt.NDArray[np.int32],
    types: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float32],
) -> bool:
    """Whether a row is smaller than another."""
    if times[left] != times[right]:
        return bool(times[left] < times[right])
    if orders[left] != orders[right]:
        return bool(orders[left] < orders[right])
    if others[left] != others[right]:
        return bool(others[left] < others[right])
    if types[left] != types[right]:
        return bool(types[left] < types[right])
    return bool(weights[left] < weights[right])


@compiled(void(array(int32, 1), int64[::1], int64[::1]))
def _count_into_place(keys: npt.NDArray[np.int32], cursors: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> None:
    for row in range(len(keys)):
        rows[cursors[keys[row]]] = row
        cursors[keys[row]] += 1


@compiled(void(int64[::1], int64[::1], int64, int64, *_COLUMNS))
def _sort_one(
    rows: npt.NDArray[np.int64],
    spare: npt.NDArray[np.int64],
    start: int,
    stop: int,
    times: npt.NDArray[np.int64],
    orders: npt.NDArray[np.int64],
    others: npt.NDArray[np.int32],
    types: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float32],
) -> None:
    """Sort `rows[start:stop]`, stable: runs by insertion, then runs merged two by two."""
    for low in range(start, stop, RUN):
        for place in range(low + 1, min(low + RUN, stop)):
            row, at = rows[place], place
            while at > low and _before(row, rows[at - 1], times, orders, others, types, weights):
                rows[at] = rows[at - 1]
                at -= 1
            rows[at] = row
    width = RUN
    while width < stop - start:
        for low in range(start, stop - width, 2 * width):
            middle, high = low + width, min(low + 2 * width, stop)
            if not _before(rows[middle], rows[middle - 1], times, orders, others, types, weights):
                continue
            spare[low:middle] = rows[low:middle]
            left, right, place = low, middle, low
            while left < middle:
                if right < high and _before(rows[right], spare[left], times, orders, others, types, weights):
                    rows[place] = rows[right]
                    right += 1
                else:
                    rows[place] = spare[left]
                    left += 1
                place += 1
        width *= 2


@compiled(void(array(int32, 1), array(int64, 1), int64[::1], *_COLUMNS))
def sorted_rows(
    keys: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    times: npt.NDArray[np.int64],
    orders: npt.NDArray[np.int64],
    others: npt.NDArray[np.int32],
    types: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float32],
) -> None:
    """The order of rows by key, time, order, other, type and weight.

    keys     int32[rows] from 0; `offsets` int64[keys + 1] where the rows of each go
    rows     int64[rows] out: the positions of the rows in their order
    """
    _count_into_place(keys, offsets[:-1].copy(), rows)
    spare = np.empty(len(rows), np.int64)
    for key in range(len(offsets) - 1):
        if offsets[key + 1] - offsets[key] > 1:
            _sort_one(rows, spare, offsets[key], offsets[key + 1], times, orders, others, types, weights)
