"""The compiled solver of ALS: conjugate gradients on whitened rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import float32, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.whitened import FLOAT32_ACCURACY

ACCURACY = np.float32(FLOAT32_ACCURACY)


@compiled(
    void(array(int32, 1), array(float32, 1), array(float32, 2), float32[::1], float32[::1]),
    fastmath=True,
)
def add_image(
    codes: npt.NDArray[np.int32],
    confidence: npt.NDArray[np.float32],
    white: npt.NDArray[np.float32],
    direction: npt.NDArray[np.float32],
    image: npt.NDArray[np.float32],
) -> None:
    """image += B'a(B direction) of one row. Four lines of B at a time: image is loaded and stored once for them."""
    size = len(direction)
    fours = len(codes) - len(codes) % 4
    for at in range(0, fours, 4):
        line0, line1, line2, line3 = white[codes[at]], white[codes[at + 1]], white[codes[at + 2]], white[codes[at + 3]]
        dot0 = dot1 = dot2 = dot3 = np.float32(0)
        for c in range(size):
            along = direction[c]
            dot0 += line0[c] * along
            dot1 += line1[c] * along
            dot2 += line2[c] * along
            dot3 += line3[c] * along
        dot0 *= confidence[at]
        dot1 *= confidence[at + 1]
        dot2 *= confidence[at + 2]
        dot3 *= confidence[at + 3]
        for c in range(size):
            image[c] += dot0 * line0[c] + dot1 * line1[c] + dot2 * line2[c] + dot3 * line3[c]
    for at in range(fours, len(codes)):
        line = white[codes[at]]
        dot = np.float32(0)
        for c in range(size):
            dot += line[c] * direction[c]
        dot *= confidence[at]
        for c in range(size):
            image[c] += dot * line[c]


@compiled(
    void(array(int64, 1), array(int32, 1), array(float32, 1), array(float32, 2), int64, float32, float32[:, ::1]),
    fastmath=True,
)
def conjugate_gradients(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    confidence: npt.NDArray[np.float32],
    white: npt.NDArray[np.float32],
    steps: int,
    tolerance: np.float32,
    solutions: npt.NDArray[np.float32],
) -> None:
    """solutions[r] of (I + B'aB) z = B'(1 + a), from 0, for each row; see `whitened.solve`."""
    size = white.shape[1]
    residual = np.empty(size, np.float32)
    direction = np.empty(size, np.float32)
    image = np.empty(size, np.float32)
    one = np.float32(1)
    part = tolerance * tolerance
    if part < ACCURACY:
        part = ACCURACY
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        solution = solutions[row]
        solution[:] = 0
        residual[:] = 0
        for at in range(begin, end):
            line, weight = white[codes[at]], one + confidence[at]
            for c in range(size):
                residual[c] += weight * line[c]
        norm = np.float32(0)
        for c in range(size):
            direction[c] = residual[c]
            norm += residual[c] * residual[c]
        enough = norm * part
        for _ in range(steps):
            if norm <= enough:
                break
            for c in range(size):
                image[c] = direction[c]
            add_image(codes[begin:end], confidence[begin:end], white, direction, image)
            along = np.float32(0)
            for c in range(size):
                along += direction[c] * image[c]
            step = norm / along
            before = norm
            norm = np.float32(0)
            for c in range(size):
                solution[c] += step * direction[c]
                residual[c] -= step * image[c]
                norm += residual[c] * residual[c]
            ratio = norm / before
            for c in range(size):
                direction[c] = residual[c] + ratio * direction[c]
