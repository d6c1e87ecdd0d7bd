"""Least squares of many rows against shared factors: whiten once, then each row is a small, well-conditioned system.

A row of confidences 1 + a over the lines Y_u of Y solves (Y'Y + (r + e) I + Y_u' a Y_u) x = Y_u' (1 + a), where r is
the least ridge and e >= 0 what the row has beyond it. With Y'Y = Q S Q' and B = Y Q (S + r)^-1/2 this is
(I + e (S + r)^-1 + B_u' a B_u) z = B_u' (1 + a): diagonal but for few lines of B, so few steps of conjugate gradients
solve it, and nothing of size f x f is made for a row. Scores Y x are B z.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

BLOCK = 2048  # rows of factors in float64 at a time: a near cache holds them
FLOAT32_ACCURACY = 1e-13  # of squared residuals: below this part of the first, a step has nothing to go by
ALONE = 4 * 65_536  # multiplications of a product that BLAS makes in its caller's thread; waking others may cost more
FEWEST = 16  # lines that are worth a product of their own
ALL = 2**62  # lines: as many as there are
TINY = 2_000_000  # numbers gathered in one step; below, NumPy is fast enough that nothing waits for a kernel


@dataclass(frozen=True)
class Whitened:
    """Factors whose Gram and least ridge are one.

    lines    float32[rows, f]  B
    inverse  float32[f]        (S + r)^-1: what e weighs on each axis
    back     float32[f, f]     by which solutions z' (as rows) go back to x' = z' back
    """

    lines: Floats
    inverse: Floats
    back: Floats


def whitened(factors: Floats, ridge: float) -> Whitened:
    """float32[rows, f] whitened with their own Gram, which is summed and decomposed in float64.

    >>> white = whitened(np.array([[3.0], [4.0]], np.float32), 75.0)
    >>> white.lines.round(3).tolist(), white.inverse.tolist()
    ([[0.30000001192092896], [0.4000000059604645]], [0.009999999776482582])
    """
    size = factors.shape[1]
    gram = np.zeros((size, size))
    step = min(BLOCK, lines_alone(size**2))
    for start in range(0, len(factors), step):
        block = factors[start : start + step].astype(np.float64)
        gram += block.T @ block
    spectrum, axes = np.linalg.eigh(gram)
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # eigenvectors have no sign of their own
    inverse = 1 / (np.maximum(spectrum, 0) + ridge)
    axes *= np.sqrt(inverse)
    lines = np.empty_like(factors)
    for start in range(0, len(factors), step):
        lines[start : start + step] = factors[start : start + step].astype(np.float64) @ axes
    back = np.ascontiguousarray(axes.T, np.float32)
    return Whitened(lines, inverse.astype(np.float32), back)


@dataclass(frozen=True)
class Systems:
    """What is solved for many rows: ragged codes of lines with a of each, and e of each row.

    offsets     int64[rows + 1]
    codes       int32[pairs]
    confidence  float32[pairs]  a: beyond the 1 that every line has
    excess      float32[rows]   e: of the row's ridge beyond the least
    """

    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    confidence: Floats
    excess: Floats

    def __len__(self) -> int:
        return len(self.excess)


@dataclass(frozen=True)
class Ridge:
    """How much a row is drawn to 0: `least` for one that has nothing.

    One of confidence 1 for each of `others` lines and a beyond it has least * ((others + sum of a) / others)^scaling.

    >>> Ridge(10.0, 1.0, 4).excess(np.array([0, 2, 2]), np.array([1, 3], np.float32)).tolist()
    [10.0, 0.0]
    """

    least: float
    scaling: float
    others: int

    def excess(self, offsets: npt.NDArray[np.int64], confidence: npt.NDArray[np.floating]) -> Floats:
        """float32[rows]: what each row has beyond the least."""
        sums, some = np.zeros(len(offsets) - 1), np.flatnonzero(np.diff(offsets))
        if self.scaling and len(some):
            sums[some] = np.add.reduceat(confidence, offsets[some], dtype=np.float64)
        grown = (1 + sums / self.others) ** self.scaling - 1
        return (self.least * grown).astype(np.float32)


class Solver(Protocol):
    """z float32[rows, f] of many rows."""

    def __call__(self, systems: Systems, white: Whitened) -> Floats: ...


@dataclass(frozen=True)
class Gradients:
    """Conjugate gradients from 0. A row stops after `steps`, or where |residual| <= tolerance that of 0|.

    `plainly`: in NumPy, row by row; otherwise by the kernel. The two differ in the last bits, so it is chosen once for
    a dataset, never for a part of it: see `worthwhile`.
    """

    steps: int
    tolerance: float
    plainly: bool

    def __call__(self, systems: Systems, white: Whitened) -> Floats:
        found = np.zeros((len(systems), white.lines.shape[1]), np.float32)
        if not self.plainly:
            from segue.learn.als_kernels import conjugate_gradients

            arrays = systems.offsets, systems.codes, systems.confidence, systems.excess, white.lines, white.inverse
            conjugate_gradients(*arrays, self.steps, self.tolerance, found)
            return found
        for row, (start, stop) in enumerate(itertools.pairwise(systems.offsets.tolist())):
            scale = 1 / np.sqrt(1 + systems.excess[row] * white.inverse)
            some = white.lines[systems.codes[start:stop]] * scale
            found[row] = scale * self._row(some, systems.confidence[start:stop])
        return found

    def _row(self, some: Floats, extra: Floats) -> Floats:
        solution = np.zeros(some.shape[1], np.float32)
        residual = (1 + extra) @ some
        direction = residual.copy()
        size = float(residual @ residual)
        enough = size * max(self.tolerance * self.tolerance, FLOAT32_ACCURACY)
        for _ in range(self.steps):
            if size <= enough:
                break
            image = direction + (extra * (some @ direction)) @ some
            step = size / float(direction @ image)
            solution += np.float32(step) * direction
            residual -= np.float32(step) * image
            before, size = size, float(residual @ residual)
            direction = residual + np.float32(size / before) * direction
        return solution


@dataclass(frozen=True)
class Exact:
    """The system of each row made and solved by Cholesky's decomposition; `plainly` as in `Gradients`.

    A row of fewer pairs than factors has a dual system of the size of its pairs, so nothing of f x f is made for it.
    With C = s B_u (I + e (S + r)^-1)^-1/2 and s = a^1/2 it is (I + C C') w = s^-1 (1 + a), and z comes from C'w.
    """

    plainly: bool

    def __call__(self, systems: Systems, white: Whitened) -> Floats:
        found = np.zeros((len(systems), white.lines.shape[1]), np.float32)
        if not self.plainly:
            from segue.learn.als_kernels import decompositions

            arrays = systems.offsets, systems.codes, systems.confidence, systems.excess, white.lines, white.inverse
            decompositions(*arrays, found)
            return found
        for row, (start, stop) in enumerate(itertools.pairwise(systems.offsets.tolist())):
            lines = white.lines[systems.codes[start:stop]].astype(np.float64)
            extra = systems.confidence[start:stop].astype(np.float64)
            diagonal = 1 + systems.excess[row].astype(np.float64) * white.inverse
            found[row] = np.linalg.solve(system(lines, extra, diagonal), (1 + extra) @ lines)
        return found


def system(
    lines: npt.NDArray[np.float64], extra: npt.NDArray[np.float64], diagonal: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """float64[f, f]: I + e (S + r)^-1 + B_u'a B_u of one row; `diagonal` float64[f] is all but the last."""
    made = np.diag(diagonal)
    step = lines_alone(lines.shape[1] ** 2)
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        made += some.T @ (extra[start : start + step, None] * some)
    return made


def lines_alone(each: int) -> int:
    """How many lines of so many multiplications each BLAS takes without its threads, where that is worth a loop."""
    lines = ALONE // max(each, 1)
    return lines if lines >= FEWEST else ALL


def worthwhile(numbers: int) -> bool:
    """Whether the kernels are used for this many numbers (pairs times factors) in all."""
    return numbers >= TINY
