"""From content into a space of factors: a ridge regression over sparse features, solved without a dense matrix."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

STEPS = 500  # of conjugate gradients at most
ACCURACY = 1e-7  # of the preconditioned residual, against the right side
COLUMNS = 16  # factors that are mapped at a time: what is made of all items is as narrow


def content_map(features: Any, factors: npt.NDArray[np.floating], worth: Floats, regularization: float) -> Floats:
    """float64[features, factors] W, the least of sum worth_i |factors_i - features_i W|^2 + regularization |W|^2.

    features  csr_array float64[items, features]
    factors   float32 or float64 [items, factors]
    worth     float64[items]  none below 0

    The normal equations (F'CF + r I) W = F'CY are solved by conjugate gradients, preconditioned by their diagonal, one
    for each factor, `COLUMNS` side by side in each thread: beside W, memory grows with features and with items, not
    with these times factors. The map is the linear one of Gantner, Drumond, Freudenthaler, Rendle, Schmidt-Thieme,
    "Learning Attribute-to-Feature Mappings for Cold-Start Recommendations", 2010.
    """
    equations = Equations.of(features, worth, regularization)
    solution = np.empty((features.shape[1], factors.shape[1]))

    def solve(first: int) -> None:
        part = slice(first, first + COLUMNS)
        solution[:, part] = equations.solved(np.ascontiguousarray(factors[:, part], np.float64))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(solve, range(0, factors.shape[1], COLUMNS)))
    return solution


@dataclass(frozen=True, eq=False)
class Equations:
    """(F'CF + r I) W = F'CY, for any Y: F are the features by item, F'C the weighed ones by feature."""

    features: Any
    weighed: Any
    diagonal: Floats
    regularization: float

    @classmethod
    def of(cls, features: Any, worth: Floats, regularization: float) -> Equations:
        """Of features csr_array float64[items, features] and float64[items] what each item counts for."""
        weighed = features.T.tocsr()
        squares = weighed.data * weighed.data
        weighed.data *= worth[weighed.indices]
        rows = np.repeat(np.arange(weighed.shape[0]), np.diff(weighed.indptr))
        diagonal = np.bincount(rows, squares * worth[weighed.indices], minlength=weighed.shape[0])
        return cls(features, weighed, np.asarray(diagonal, np.float64)[:, None] + regularization, regularization)

    def solved(self, factors: Floats) -> Floats:
        """float64[features, columns] W of float64[items, columns] Y."""
        solution = np.zeros((self.features.shape[1], factors.shape[1]))
        residual = np.asarray(self.weighed @ factors)
        nearer = residual / self.diagonal
        direction, size = nearer.copy(), _products(residual, nearer)
        enough = ACCURACY * ACCURACY * size
        for _ in range(STEPS):
            left = size > enough
            if not left.any():
                break
            onward = self._image(direction)
            step = np.where(left, size / np.where(left, _products(direction, onward), 1), 0)
            solution += step * direction
            residual -= step * onward
            nearer = residual / self.diagonal
            before, size = size, np.where(left, _products(residual, nearer), size)
            direction = nearer + np.where(left, size / np.where(before > 0, before, 1), 0) * direction
        return solution

    def _image(self, lines: Floats) -> Floats:
        return np.asarray(self.weighed @ (self.features @ lines) + self.regularization * lines)


def _products(one: Floats, other: Floats) -> Floats:
    """float64[columns]: of each column of the one with that of the other, in one order, whatever BLAS has."""
    return np.asarray((one * other).sum(axis=0))
