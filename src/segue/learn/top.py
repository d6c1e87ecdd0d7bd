"""The best k of each row of scores, best first, ties by position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.learn.kernels import worthwhile

Best = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]

TINY = 300_000  # scores; below, NumPy is fast enough that nothing need wait for a compiled kernel


def best(scores: npt.NDArray[np.float32], k: int) -> Best:
    """int32[rows, k] positions and float32[rows, k] scores; -1 and -inf where fewer than k are above -inf.

    >>> best(np.array([[1, 3, 3, -np.inf]], np.float32), 5)[0].tolist()
    [[1, 2, 0, -1, -1]]
    """
    if np.isnan(scores).any():  # no score is no place in the list, whichever way is taken
        scores = np.where(np.isnan(scores), np.float32(-np.inf), scores)
    positions = np.full((len(scores), k), UNKNOWN, np.int32)
    values = np.full((len(scores), k), -np.inf, np.float32)
    if k == 0 or scores.size == 0:
        return positions, values
    if not worthwhile("top_kernels", scores.size, TINY):
        for row, row_scores in enumerate(scores):
            found = _best_of_row(row_scores, k)
            positions[row, : len(found)] = found
            values[row, : len(found)] = row_scores[found]
        return positions, values
    from segue.learn.top_kernels import select

    select(scores, positions, values)
    return positions, values


def _best_of_row(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.integer]:
    if k < len(scores):
        bar = np.partition(scores, len(scores) - k)[len(scores) - k]
        above = np.flatnonzero(scores > bar)
        level = np.flatnonzero(scores == bar)[: k - len(above)]
        chosen = np.concatenate([above, level])
    else:
        chosen = np.arange(len(scores))
    chosen = chosen[scores[chosen] > -np.inf]
    return np.asarray(chosen[np.lexsort((chosen, -scores[chosen]))])
