"""Recommending from whitened item factors: a person is folded in from their history, so no factors of people exist."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from segue.domain.requests import Requests
from segue.learn.rows import Rows, Weighting, weighed
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.top import PRODUCT_ROWS, Best, Left, Vectors, best_of_products
from segue.learn.whitened import Gradients, Ridge, Systems, Whitened, lines_alone, system, worthwhile

FEW = 32  # requests that are solved one by one in float64; above, by the kernel to float32 accuracy
TOLERANCE = 1e-6
MOST = 1e8


@dataclass(frozen=True, eq=False)
class FoldedItems(ScoredByParts):
    """Scores are B z where z solves the person's least squares over the items of the history.

    They are linear in the history once its system is made, so each item's part is a reason, and they sum.

    white    float32[items, factors]  item factors, whitened with their own Gram and the regularisation
    inverse  float32[factors]         what a ridge beyond `regularization` weighs on each of them, where `scaling` is
                                      not 0; see `whitened`

    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> model = FoldedItems(Items(["x", "y"]), np.array([[0.6], [0.3]], np.float32), alpha=1.0, weighting="log")
    >>> model.scores(Requests(Histories.of([[0]]))).round(3).astype(str).tolist()
    [['0.529', '0.265']]
    """

    white: npt.NDArray[np.float32]
    alpha: float
    weighting: Weighting
    regularization: float = 1.0
    scaling: float = 0.0
    inverse: npt.NDArray[np.float32] | None = None

    @property
    def note(self) -> str:
        """How many numbers each item has."""
        return f"factors: {self.white.shape[1]:,} of each item"

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        scores: npt.NDArray[np.float32] = self.solutions(rows) @ self.white.T
        return scores

    def best_rows(self, requests: Requests, k: int, left: Left) -> Best:
        return best_of_products(self.solutions(self.rows(requests)), self._vectors, k, left)

    def rows_at_once(self) -> int:
        return PRODUCT_ROWS

    @cached_property
    def _vectors(self) -> Vectors:
        return Vectors(self.white)

    def solutions(self, rows: Rows) -> npt.NDArray[np.float32]:
        """float32[rows, factors]: z of each row."""
        extra = confidence(weighed(rows.weights, self.weighting), self.alpha)
        excess = self._excess(rows, extra)
        if len(rows) > FEW:
            plainly = not worthwhile(len(rows.codes) * self.white.shape[1])
            solve = Gradients(2 * self.white.shape[1], TOLERANCE, plainly)
            systems = Systems(rows.offsets, rows.codes, extra.astype(np.float32), excess)
            return solve(systems, Whitened(self.white, self._inverse(), np.empty((0, 0), np.float32)))
        solutions = np.empty((len(rows), self.white.shape[1]), np.float32)
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            lines = self.white[rows.codes[start:stop]].astype(np.float64)
            diagonal = 1 + np.float64(excess[row]) * self._inverse()
            solutions[row] = np.linalg.solve(
                system(lines, extra[start:stop], diagonal), (1 + extra[start:stop]) @ lines
            )
        return solutions

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        rows = self.rows(requests)
        lines = self.white[rows.codes].astype(np.float64)
        extra = confidence(weighed(rows.weights, self.weighting), self.alpha)
        diagonal = 1 + np.float64(self._excess(rows, extra)[0]) * self._inverse()
        each = np.linalg.solve(system(lines, extra, diagonal), self.white[items].astype(np.float64).T)
        parts = np.empty((len(lines), len(items)))
        step = lines_alone(each.size)
        for start in range(0, len(lines), step):
            np.matmul(lines[start : start + step], each, out=parts[start : start + step])
        return rows.codes, parts * (1 + extra)[:, None]

    def _excess(self, rows: Rows, extra: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        return Ridge(self.regularization, self.scaling, len(self.white)).excess(rows.offsets, extra)

    def _inverse(self) -> npt.NDArray[np.float32]:
        return np.zeros(self.white.shape[1], np.float32) if self.inverse is None else self.inverse


def confidence(weights: npt.NDArray[np.float64], alpha: float) -> npt.NDArray[np.float64]:
    """float64[pairs]: alpha times the weight; above `MOST`, more says nothing more, and float32 holds its square."""
    return np.minimum(alpha * weights, MOST)
