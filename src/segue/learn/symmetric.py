"""Symmetric matrices inverted and solved where they lie: in float32, and in float64 where it must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.domain.errors import DataError
from segue.engines.memory import refuse_beyond_memory

FLOAT32_CONDITION = 1e4  # above, float64 is taken
LAPACK_LINES = 24_000  # OpenBLAS's factorisation of 30,000 writes where it must not (0.3.29 and after, two threads)
SWEPT = 2048  # lines and columns at a time, and
SWEPT_BLOCKS = 4  # of so many lines that are there together
BLOCK = 512  # lines at a time where a triangle is copied into the other

Matrix = npt.NDArray[Any]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Symmetric:
    """A positive definite matrix, and in which words it is refused where rounding makes it another.

    matrix     float32[n, n]  both triangles; what is found may come to lie in the upper one
    diagonal   float[n]       taken in place of the matrix's own
    condition  how much larger its largest eigenvalue may be than its smallest, about
    name       what it is, and `where`

    >>> made = Symmetric(np.array([[0, 1], [1, 0]], np.float32), np.array([2.0, 2.0]), 3.0, "X'X + L", "learner ease")
    >>> made.solution(np.array([[3.0, 0.0]], np.float32)).round(4).tolist()
    [[2.0], [-1.0]]
    """

    matrix: npt.NDArray[np.float32]
    diagonal: Floats
    condition: float
    name: str
    where: str

    def inverse(self) -> Matrix:
        """float[n, n], whole: float32 in the matrix's memory, or float64."""
        found = self._found(_inverse, 0)
        mirror(found)
        return found

    def solution(self, right: npt.NDArray[np.float32]) -> Matrix:
        """float[n, m]: what times the matrix is the transpose of float32[m, n], whose memory it may take."""
        return self._found(lambda upper: _solution(upper, right.astype(upper.dtype, copy=False)), right.nbytes)

    def _found(self, solve: Callable[[Matrix], Matrix | None], beside: int) -> Matrix:
        """What `solve` makes of the upper triangle; the lower one stays, should the upper have to be made again.

        `beside` are the bytes of what `solve` solves for, in float32.
        """
        found = None
        if self.condition < FLOAT32_CONDITION:
            np.fill_diagonal(self.matrix, self.diagonal)
            found = solve(self.matrix)
        if found is None:
            needed = 2 * (self.matrix.nbytes + beside)
            if len(self.matrix) > LAPACK_LINES:  # what is found lies beside it, and so do the blocks that are swept
                needed += 2 * beside + SWEPT_BLOCKS * 8 * SWEPT * len(self.matrix)
            refuse_beyond_memory(needed, f"{self.name} in float64", "raise `regularization`")
            again = _upper_of_lower(self.matrix)
            np.fill_diagonal(again, self.diagonal)
            found = solve(again)
        if found is None:
            raise DataError(f"{self.name} cannot be inverted", where=self.where, mend="raise `regularization`")
        return found


def mirror(upper: Matrix) -> None:
    """Copy the upper triangle of a square matrix into its lower one, block by block."""
    for start in range(0, len(upper), BLOCK):
        stop = min(start + BLOCK, len(upper))
        square = upper[start:stop, start:stop]
        square[:] = np.triu(square) + np.triu(square, 1).T
        for right in range(stop, len(upper), BLOCK):
            upper[right : right + BLOCK, start:stop] = upper[start:stop, right : right + BLOCK].T


def _upper_of_lower(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The lower triangle as the upper one of another matrix, which is all of it, made block by block beside nothing."""
    upper = np.zeros(matrix.shape)
    for start in range(0, len(matrix), BLOCK):
        upper[start : start + BLOCK, start:] = matrix[start:, start : start + BLOCK].T
    return upper


def _inverse(upper: Matrix) -> Matrix | None:
    """The upper triangle of the inverse of the symmetric matrix with this upper triangle, in its memory; None where it
    has none."""
    from scipy.linalg.lapack import get_lapack_funcs

    if len(upper) > LAPACK_LINES:
        return _swept(upper)
    factor = _factor(upper)
    if factor is None:
        return None
    (invert,) = get_lapack_funcs(("potri",), (upper,))
    inverse, failed = invert(factor, lower=1, overwrite_c=1)
    finite = not failed and np.isfinite(inverse.diagonal()).all()
    return inverse.T if finite else None


def _solution(upper: Matrix, right: Matrix) -> Matrix | None:
    """The solution of the symmetric matrix with this upper triangle and of the transpose of `right`, which changes only
    where one is found; None where there is none."""
    from scipy.linalg.lapack import get_lapack_funcs

    if len(upper) > LAPACK_LINES:
        inverse = _swept(upper)
        if inverse is None:
            return None
        mirror(inverse)
        return inverse @ right.T
    factor = _factor(upper)
    if factor is None:
        return None
    (solve,) = get_lapack_funcs(("potrs",), (upper,))
    solution, _ = solve(factor, right.T, lower=1, overwrite_b=1)
    return np.asarray(solution)


def _factor(upper: Matrix) -> Matrix | None:
    """Cholesky's, in the same memory: the C-ordered upper triangle is LAPACK's lower one."""
    from scipy.linalg.lapack import get_lapack_funcs

    (factorise,) = get_lapack_funcs(("potrf",), (upper,))
    factor, failed = factorise(upper.T, lower=1, clean=0, overwrite_a=1)
    return None if failed else np.asarray(factor)


def _swept(upper: Matrix) -> Matrix | None:
    """`_inverse` by the sweep operator, block by block (Goodnight, "A Tutorial on the SWEEP Operator", 1979)."""
    size = len(upper)
    for start in range(0, size, SWEPT):
        here = slice(start, min(start + SWEPT, size))
        column = np.concatenate([upper[:start, here], upper[here, start:].T])  # of the whole symmetric matrix
        block = np.triu(upper[here, here]) + np.triu(upper[here, here], 1).T
        try:
            inverse = np.linalg.inv(block)
        except np.linalg.LinAlgError:
            return None
        column[here] = 0
        moved = column @ inverse
        for first in range(0, size, SWEPT):
            taken = column[first : first + SWEPT] @ moved[first:].T
            taken[:, :SWEPT] = np.triu(taken[:, :SWEPT])  # the lower triangle stays as it is
            upper[first : first + SWEPT, first:] -= taken
        upper[:start, here] = moved[:start]
        upper[here, here.stop :] = moved[here.stop :].T
        upper[here, here] = np.tril(upper[here, here], -1) - np.triu(inverse)
    if not np.isfinite(upper.diagonal()).all():
        return None
    upper *= -1
    return upper
