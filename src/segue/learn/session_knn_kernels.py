"""The compiled parts of session neighbours: finding them through the items that they share, and scoring by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, float64, int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(
    void(
        array(int64, 1),
        array(int32, 1),
        array(float64, 1),
        array(int64, 1),
        array(int32, 1),
        array(float64, 1),
        int64,
        int32[:, ::1],
        float64[:, ::1],
    )
)
def nearest_sessions(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    worth: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    holders: npt.NDArray[np.int32],
    factors: npt.NDArray[np.float64],
    sampled: int,
    near: npt.NDArray[np.int32],
    likeness: npt.NDArray[np.float64],
) -> None:
    """near[r], likeness[r]: of the `sampled` newest sessions that share an item with row `r` the likest, ties newest
    first, -1 behind. A session's likeness is its factor times the worth of what it shares."""
    sums = np.zeros(len(factors), np.float64)
    touched = np.empty(len(factors), np.int32)
    for row in range(len(offsets) - 1):
        count = 0
        for at in range(offsets[row], offsets[row + 1]):
            code = codes[at]
            for place in range(starts[code], starts[code + 1]):
                session = holders[place]
                if sums[session] == 0:
                    touched[count] = session
                    count += 1
                sums[session] += worth[at]
        newest = np.sort(touched[:count])[::-1][:sampled]
        alike = np.empty(len(newest), np.float64)
        for at in range(len(newest)):
            alike[at] = sums[newest[at]] * factors[newest[at]]
        order = np.argsort(-alike, kind="mergesort")[: near.shape[1]]
        near[row] = -1
        likeness[row] = 0
        for rank in range(len(order)):
            near[row, rank] = newest[order[rank]]
            likeness[row, rank] = alike[order[rank]]
        sums[touched[:count]] = 0


@compiled(
    void(
        array(int64, 1),
        array(int32, 1),
        array(int64, 1),
        array(int32, 2),
        array(float64, 2),
        array(int64, 1),
        array(int32, 1),
        array(float64, 1),
        array(float64, 1),
        array(float64, 1),
        float32[:, ::1],
    )
)
def add_sessions(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    ages: npt.NDArray[np.int64],
    near: npt.NDArray[np.int32],
    likeness: npt.NDArray[np.float64],
    session_offsets: npt.NDArray[np.int64],
    session_codes: npt.NDArray[np.int32],
    by_age: npt.NDArray[np.float64],
    by_distance: npt.NDArray[np.float64],
    by_item: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float32],
) -> None:
    """scores[r, j] = by_item[j] times the sum, over the sessions near row `r` that have item `j`, of likeness times
    by_age of the newest item of the row that the session has, times by_distance between the places of the two."""
    items = scores.shape[1]
    age_of = np.full(items, len(by_age), np.int64)
    sums = np.empty(items, np.float64)
    for row in range(len(offsets) - 1):
        sums[:] = 0
        for at in range(offsets[row], offsets[row + 1]):
            age_of[codes[at]] = ages[at]
        for rank in range(near.shape[1]):
            session = near[row, rank]
            if session < 0:
                break
            first, last = session_offsets[session], session_offsets[session + 1]
            anchor, youngest = first, len(by_age)
            for place in range(first, last):
                if age_of[session_codes[place]] < youngest:
                    anchor, youngest = place, age_of[session_codes[place]]
            worth = likeness[row, rank] * by_age[youngest]
            for place in range(first, last):
                sums[session_codes[place]] += worth * by_distance[abs(place - anchor)]
        for item in range(items):
            scores[row, item] = sums[item] * by_item[item]
        for at in range(offsets[row], offsets[row + 1]):
            age_of[codes[at]] = len(by_age)
