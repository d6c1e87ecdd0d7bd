"""The compiled part of counting baskets: what is in one together, and what the same people have in others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int32, int64, void

from segue.engines.compiled import array, compiled


@compiled(
    void(
        array(int64, 1),
        array(int64, 1),
        array(int32, 1),
        int64,
        int32[:, ::1],
        int32[:, ::1],
        int32[:, ::1],
        int64[:, ::1],
        int32[:, ::1],
    )
)
def add_baskets(
    people: npt.NDArray[np.int64],
    baskets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    unit: int,
    together: npt.NDArray[np.int32],
    again: npt.NDArray[np.int32],
    both: npt.NDArray[np.int32],
    expected: npt.NDArray[np.int64],
    exchanged: npt.NDArray[np.int32],
) -> None:
    """Person `p` has the baskets `people[p]:people[p + 1]`, basket `b` the distinct codes `baskets[b]:baskets[b + 1]`,
    ascending. Of what is counted see `BasketPairs`."""
    times = np.zeros(len(together), np.int64)
    have = np.empty(len(together), np.int32)
    for person in range(len(people) - 1):
        first, last = people[person], people[person + 1]
        count = 0
        for basket in range(first, last):
            start, stop = baskets[basket], baskets[basket + 1]
            for at in range(start, stop):
                code = codes[at]
                if times[code] == 0:
                    have[count] = code
                    count += 1
                times[code] += 1
                for other in range(at + 1, stop):
                    together[code, codes[other]] += 1
                    if last - first > 1:
                        again[code, codes[other]] += 1
        had = np.sort(have[:count])
        for one in range(count):
            for other in range(one + 1, count):
                i, j = had[one], had[other]
                both[i, j] += 1
                if last - first > 1:
                    expected[i, j] += (times[i] * times[j] * unit) // (last - first)
        times[had] = 0
        for basket in range(first, last - 1):
            for at in range(baskets[basket], baskets[basket + 1]):
                times[codes[at]] = 1  # in the first of two
            for at in range(baskets[basket + 1], baskets[basket + 2]):
                times[codes[at]] += 2  # in the second
            for at in range(baskets[basket], baskets[basket + 1]):
                if times[codes[at]] == 1:
                    for other in range(baskets[basket + 1], baskets[basket + 2]):
                        if times[codes[other]] == 2:
                            exchanged[min(codes[at], codes[other]), max(codes[at], codes[other])] += 1
            for at in range(baskets[basket], baskets[basket + 2]):
                times[codes[at]] = 0
