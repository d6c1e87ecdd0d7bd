"""The compiled sums over scattered lines of factors, tile by tile of their columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, void

from segue.engines.compiled import array, compiled
from segue.learn.line_tile import LANES, WIDE, add_tile, multiply_tile

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

WIDTH = LANES * WIDE


@compiled(void(array(int32, 1), float32[::1], array(float32, 2), float32[::1]), fastmath=True)
def add_lines(codes: Codes, weights: Floats, lines: Floats, sums: Floats) -> None:
    """sums += the weighted lines."""
    size: int = len(sums)
    wide, whole = size - size % WIDTH, size - size % LANES
    for column in range(0, wide, WIDTH):
        add_tile(codes, weights, lines, column, sums, WIDE)  # type: ignore[call-arg]  # numba gives the first
    for column in range(wide, whole, LANES):
        add_tile(codes, weights, lines, column, sums, 1)  # type: ignore[call-arg]
    if whole < size:
        for at in range(len(codes)):
            for c in range(whole, size):
                sums[c] += weights[at] * lines[codes[at], c]


@compiled(void(array(int32, 1), array(float32, 2), float32[::1], float32[::1]), fastmath=True)
def lines_times(codes: Codes, lines: Floats, direction: Floats, products: Floats) -> None:
    """products[at] = line · direction."""
    size: int = len(direction)
    wide, whole = size - size % WIDTH, size - size % LANES
    products[: len(codes)] = 0
    for column in range(0, wide, WIDTH):
        multiply_tile(codes, lines, column, direction, products, WIDE)  # type: ignore[call-arg]
    for column in range(wide, whole, LANES):
        multiply_tile(codes, lines, column, direction, products, 1)  # type: ignore[call-arg]
    if whole < size:
        for at in range(len(codes)):
            for c in range(whole, size):
                products[at] += lines[codes[at], c] * direction[c]
