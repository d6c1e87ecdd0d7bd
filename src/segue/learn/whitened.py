"""Least squares of many rows against shared factors: whiten once, then each row is a small, well-conditioned system.

With A = Y'Y + reg I = L L' and B = Y L^-T, a row of confidences 1 + a over items Y_u solves
(A + Y_u' a Y_u) x = Y_u' (1 + a), which in z = L' x is (I + B_u' a B_u) z = B_u' (1 + a). Scores are Y x = B z.
"""

from __future__ import annotations

import itertools
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

BLOCK = 65_536  # rows of factors in float64 at a time
FLOAT32_ACCURACY = 1e-13  # of squared residuals: below this part of the first, a step has nothing to go by
TINY = 2_000_000  # numbers gathered in one step; below, NumPy is fast enough that nothing waits for a kernel


def whitened(factors: Floats, regularization: float) -> tuple[Floats, Floats]:
    """B float32[rows, f], and L^-1 float32[f, f], by which solutions z' (as rows) go back to x' = z' L^-1."""
    size = factors.shape[1]
    gram = np.eye(size) * regularization
    for start in range(0, len(factors), BLOCK):
        block = factors[start : start + BLOCK].astype(np.float64)
        gram += block.T @ block
    inverse = np.linalg.inv(np.linalg.cholesky(gram))
    white = np.empty_like(factors)
    for start in range(0, len(factors), BLOCK):
        white[start : start + BLOCK] = factors[start : start + BLOCK] @ inverse.T
    return white, inverse.astype(np.float32)


class Solver(Protocol):
    """Least squares of many rows by conjugate gradients from 0: z float32[rows, f].

    `confidence` float32[pairs] is a; a row stops after `steps`, or where |residual| <= tolerance |B'(1 + a)|.
    """

    def __call__(
        self,
        offsets: npt.NDArray[np.int64],
        codes: npt.NDArray[np.int32],
        confidence: Floats,
        white: Floats,
        steps: int,
        tolerance: float,
    ) -> Floats: ...


def solver(numbers: int) -> Solver:
    """The solver for this many numbers (pairs times factors) in all: by NumPy where they are few.

    The two differ in the last bits, so it is chosen once for a dataset, never for a part of it.
    """
    return solve_plainly if numbers < TINY else solve_compiled


def solve_plainly(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    confidence: Floats,
    white: Floats,
    steps: int,
    tolerance: float,
) -> Floats:
    """A `Solver` in NumPy, row by row."""
    solutions = np.zeros((len(offsets) - 1, white.shape[1]), np.float32)
    for row, (start, stop) in enumerate(itertools.pairwise(offsets.tolist())):
        solutions[row] = _solve_row(white[codes[start:stop]], confidence[start:stop], steps, tolerance)
    return solutions


def solve_compiled(
    offsets: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    confidence: Floats,
    white: Floats,
    steps: int,
    tolerance: float,
) -> Floats:
    """A `Solver` by the compiled kernel."""
    from segue.learn.als_kernels import conjugate_gradients

    solutions = np.zeros((len(offsets) - 1, white.shape[1]), np.float32)
    conjugate_gradients(offsets, codes, confidence, white, steps, tolerance, solutions)
    return solutions


def _solve_row(part: Floats, confidence: Floats, steps: int, tolerance: float) -> Floats:
    solution = np.zeros(part.shape[1], np.float32)
    residual = (1 + confidence) @ part
    direction = residual.copy()
    size = float(residual @ residual)
    enough = size * max(tolerance * tolerance, FLOAT32_ACCURACY)
    for _ in range(steps):
        if size <= enough:
            break
        image = direction + (confidence * (part @ direction)) @ part
        step = size / float(direction @ image)
        solution += np.float32(step) * direction
        residual -= np.float32(step) * image
        before, size = size, float(residual @ residual)
        direction = residual + np.float32(size / before) * direction
    return solution
