"""Recommending from whitened item factors: a person is folded in from their history, so no factors of people exist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain.recommender import Contribution, Reasons
from segue.domain.requests import Requests
from segue.learn.rows import Rows, Weighting, weighed
from segue.learn.scored import Scored
from segue.learn.whitened import solve

FEW = 32  # requests that are solved one by one in float64; above, by the kernel to float32 accuracy
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class FoldedItems(Scored):
    """Scores are B z where z solves the person's least squares over the items of the history.

    They are linear in the history once its system is made, so each item's part is a reason, and they sum.

    white  float32[items, factors]  item factors, whitened with their own Gram and the regularisation
    """

    white: npt.NDArray[np.float32]
    alpha: float
    weighting: Weighting

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        confidence = self.alpha * weighed(rows.weights, self.weighting)
        if len(rows) <= FEW:
            solutions = np.zeros((len(rows), self.white.shape[1]), np.float32)
            for row in range(len(rows)):
                part = slice(int(rows.offsets[row]), int(rows.offsets[row + 1]))
                solutions[row] = self._parts(rows.codes[part], confidence[part]).sum(axis=1)
        else:
            steps = 2 * self.white.shape[1]
            kinds = confidence.astype(np.float32)
            solutions = solve(rows.offsets, rows.codes, kinds, self.white, steps, TOLERANCE)
        scores: npt.NDArray[np.float32] = solutions @ self.white.T
        return scores

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        rows = self.rows(requests)
        confidence = self.alpha * weighed(rows.weights, self.weighting)
        parts = self.white[items].astype(np.float64) @ self._parts(rows.codes, confidence)
        history = rows.codes.tolist()
        return [
            Reasons(
                item, sum(row), tuple(Contribution(part, source) for part, source in zip(row, history, strict=True))
            )
            for item, row in zip(items.tolist(), parts.tolist(), strict=True)
        ]

    def _parts(self, codes: npt.NDArray[np.int32], confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """float64[factors, events]: what each event adds to z, (I + B'aB)^-1 B' (1 + a)."""
        lines = self.white[codes].astype(np.float64)
        system = np.eye(self.white.shape[1]) + lines.T @ (confidence[:, None] * lines)
        parts: npt.NDArray[np.float64] = np.linalg.solve(system, (lines * (1 + confidence)[:, None]).T)
        return parts
