"""The compiled parts of sums over pairs of items: two states in one, and the best of each item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.top_kernels import offer, sort_best_first

Cells = npt.NDArray[np.int64]

HALF = 0xFFFFFFFF


@compiled(int64(array(int64, 1), array(int64, 1), array(int64, 1), array(int64, 1), int64[::1], int64[::1]))
def add_sums(cells: Cells, sums: Cells, others: Cells, more: Cells, to_cells: Cells, to_sums: Cells) -> int:
    """Two runs of ascending cells with their sums in one; how many cells there are then."""
    at, other, held = 0, 0, 0
    while at < len(cells) or other < len(others):
        if other == len(others) or (at < len(cells) and cells[at] <= others[other]):
            to_cells[held], to_sums[held] = cells[at], sums[at]
            if other < len(others) and cells[at] == others[other]:
                to_sums[held] += more[other]
                other += 1
            at += 1
        else:
            to_cells[held], to_sums[held] = others[other], more[other]
            other += 1
        held += 1
    return held


@compiled(void(array(int64, 1), array(float32, 1), array(int32, 1), int32[:, ::1], float32[:, ::1]))
def keep_best(
    cells: Cells,
    values: npt.NDArray[np.float32],
    position: npt.NDArray[np.int32],
    near: npt.NDArray[np.int32],
    worth: npt.NDArray[np.float32],
) -> None:
    """Fill the lines of the items in the upper halves of the cells, which ascend, with the best of the lower halves."""
    at = 0
    while at < len(cells):
        item, size = cells[at] >> 32, 0
        line = position[item]
        heap, held = worth[line], near[line]
        while at < len(cells) and cells[at] >> 32 == item:
            size = offer(heap, held, size, values[at], position[cells[at] & HALF])
            at += 1
        sort_best_first(heap, held, size)
