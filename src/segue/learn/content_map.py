"""From content into a space of factors: a ridge regression over sparse features, solved without a dense matrix."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

STEPS = 500  # of conjugate gradients at most
ACCURACY = 1e-6  # of the residual, against the right side


def content_map(features: Any, factors: Floats, worth: Floats, regularization: float) -> Floats:
    """float64[features, factors] W, the least of sum worth_i |factors_i - features_i W|^2 + regularization |W|^2.

    features  csr_array float64[items, features]
    worth     float64[items]  none below 0

    The normal equations (F'CF + r I) W = F'CY are solved by conjugate gradients, one for each factor, side by side:
    memory grows with features times factors, whether there are more features or more items. The map is the linear one
    of Gantner, Drumond, Freudenthaler, Rendle, Schmidt-Thieme, "Learning Attribute-to-Feature Mappings for Cold-Start
    Recommendations", 2010.
    """
    turned = features.T.tocsr()

    def image(lines: Floats) -> Floats:
        return np.asarray(turned @ (worth[:, None] * (features @ lines)) + regularization * lines)

    solution = np.zeros((features.shape[1], factors.shape[1]))
    residual = np.asarray(turned @ (worth[:, None] * factors))
    direction, size = residual.copy(), _squares(residual)
    enough = ACCURACY * ACCURACY * size
    for _ in range(STEPS):
        left = size > enough
        if not left.any():
            break
        onward = image(direction)
        step = np.where(left, size / np.where(left, _products(direction, onward), 1), 0)
        solution += step * direction
        residual -= step * onward
        before, size = size, np.where(left, _squares(residual), size)
        direction = residual + np.where(left, size / np.where(before > 0, before, 1), 0) * direction
    return solution


def _squares(lines: Floats) -> Floats:
    return _products(lines, lines)


def _products(one: Floats, other: Floats) -> Floats:
    """float64[columns]: of each column of the one with that of the other, in one order, whatever BLAS has."""
    return np.asarray((one * other).sum(axis=0))
