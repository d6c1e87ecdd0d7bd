"""Recommending from whitened item factors: a person is folded in from their history, so no factors of people exist."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain.requests import Requests
from segue.learn.rows import Rows, Weighting, weighed
from segue.learn.scored import Parts, ScoredByParts
from segue.learn.top import PRODUCT_ROWS, Best, Left, best_of_products
from segue.learn.whitened import solver

FEW = 32  # requests that are solved one by one in float64; above, by the kernel to float32 accuracy
TOLERANCE = 1e-6
MOST = 1e8


@dataclass(frozen=True, eq=False)
class FoldedItems(ScoredByParts):
    """Scores are B z where z solves the person's least squares over the items of the history.

    They are linear in the history once its system is made, so each item's part is a reason, and they sum.

    white  float32[items, factors]  item factors, whitened with their own Gram and the regularisation

    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> model = FoldedItems(Items(["x", "y"]), np.array([[0.6], [0.3]], np.float32), alpha=1.0, weighting="log")
    >>> model.scores(Requests(Histories.of([[0]]))).round(3).astype(str).tolist()
    [['0.529', '0.265']]
    """

    white: npt.NDArray[np.float32]
    alpha: float
    weighting: Weighting

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        scores: npt.NDArray[np.float32] = self._solutions(rows) @ self.white.T
        return scores

    def best_rows(self, requests: Requests, k: int, left: Left) -> Best:
        return best_of_products(self._solutions(self.rows(requests)), self.white, k, left)

    def rows_at_once(self) -> int:
        return PRODUCT_ROWS

    def _solutions(self, rows: Rows) -> npt.NDArray[np.float32]:
        """float32[rows, factors]: z of each row."""
        extra = confidence(rows, self.alpha, self.weighting)
        if len(rows) > FEW:
            steps = 2 * self.white.shape[1]
            solve = solver(len(rows.codes) * self.white.shape[1])
            solved: npt.NDArray[np.float32] = solve(
                rows.offsets, rows.codes, extra.astype(np.float32), self.white, steps, TOLERANCE
            )
            return solved
        solutions = np.empty((len(rows), self.white.shape[1]), np.float32)
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            solutions[row] = _exactly(self.white[rows.codes[start:stop]].astype(np.float64), extra[start:stop])
        return solutions

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        rows = self.rows(requests)
        lines = self.white[rows.codes].astype(np.float64)
        extra = confidence(rows, self.alpha, self.weighting)
        each = np.linalg.solve(_system(lines, extra), (lines * (1 + extra)[:, None]).T)
        return rows.codes, (self.white[items] @ each).T.astype(np.float64)


def confidence(rows: Rows, alpha: float, weighting: Weighting) -> npt.NDArray[np.float64]:
    """float64[pairs]: alpha times the weight; above `MOST`, more says nothing more, and float32 holds its square."""
    return np.minimum(alpha * weighed(rows.weights, weighting), MOST)


def _exactly(lines: npt.NDArray[np.float64], extra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64[factors]: z of one row."""
    return np.linalg.solve(_system(lines, extra), (1 + extra) @ lines).astype(np.float64)


def _system(lines: npt.NDArray[np.float64], extra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64[factors, factors]: I + B'aB of one row."""
    return np.asarray(np.eye(lines.shape[1]) + lines.T @ (extra[:, None] * lines))
