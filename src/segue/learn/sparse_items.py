"""Linear item weights, most of them 0: what SLIM learns, and what EASE keeps of its own where asked to."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN, Items
from segue.domain.requests import Requests
from segue.learn.kernels import worthwhile
from segue.learn.rows import Rows
from segue.learn.scored import Parts, ScoredByParts, left_out

TINY = 200_000  # weights of the items of the histories together; below, NumPy need not wait for a kernel
LINES = 256  # columns of dense weights at a time: they stay in a near cache


@dataclass(frozen=True, eq=False)
class SparseItems(ScoredByParts):
    """Scores are sums of the weights from the items of the history; only weights that are not 0 are kept, by source.

    starts   int64[items + 1]  where the weights from each item begin, by canonical position
    targets  int32[weights]    canonical positions that they go to, ascending within a source
    weights  float32[weights]

    >>> from segue.domain.requests import Histories
    >>> starts, targets = np.array([0, 1, 2]), np.array([1, 0], np.int32)
    >>> model = SparseItems(Items(["x", "y"]), starts, targets, np.array([0.5, 0.25], np.float32))
    >>> model.scores(Requests(Histories.of([[0], []]))).tolist()
    [[0.0, 0.5], [0.0, 0.0]]
    """

    starts: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    @property
    def note(self) -> str:
        """How many weights there are, and how many items none leads to."""
        led_to = np.zeros(len(self.items), np.bool_)
        led_to[self.targets] = True
        return f"sparse: {len(self.weights):,} weights" + left_out(int(led_to.sum()), len(self.items))

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        scores = np.zeros((len(rows), len(self.items)), np.float32)
        lengths = np.diff(self.starts)
        if worthwhile("sparse_items_kernels", int(lengths[rows.codes].sum()), TINY):
            from segue.learn.sparse_items_kernels import add_weights

            add_weights(rows.offsets, rows.codes, self.starts, self.targets, self.weights, scores)
            return scores
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            taken = _ranges(self.starts[rows.codes[start:stop]], lengths[rows.codes[start:stop]])
            scores[row] = np.bincount(self.targets[taken], self.weights[taken], minlength=len(self.items))
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        history = self.rows(requests).codes
        asked, again = np.unique(items, return_inverse=True)
        column = np.full(len(self.items), UNKNOWN, np.int64)
        column[asked] = np.arange(len(asked))
        lengths = np.diff(self.starts)[history]
        taken = _ranges(self.starts[history], lengths)
        sources, columns = np.repeat(np.arange(len(history)), lengths), column[self.targets[taken]]
        known = columns != UNKNOWN
        parts = np.zeros((len(history), len(asked)))
        parts[sources[known], columns[known]] = self.weights[taken][known]
        return history, parts[:, again]


def largest_weights(
    items: Items, learned: npt.NDArray[np.int32], weights: npt.NDArray[np.float32], keep: int
) -> SparseItems:
    """The `keep` largest weights into each item (by size, positive or negative; ties by position), the others 0.

    learned  int32[m]      canonical positions of the rows and columns, ascending
    weights  float32[m, m] from an item (row) to an item (column)
    """
    kept = min(keep, max(len(learned) - 1, 1))
    sources, values = np.empty((len(learned), kept), np.int32), np.empty((len(learned), kept), np.float32)
    for start in range(0, len(learned), LINES):
        columns = np.ascontiguousarray(weights[:, start : start + LINES].T)
        largest = np.argsort(-np.abs(columns), axis=1, kind="stable")[:, :kept] if kept < len(learned) else None
        if largest is None:
            largest = np.tile(np.arange(kept), (len(columns), 1))
        sources[start : start + LINES] = largest
        values[start : start + LINES] = np.take_along_axis(columns, largest, axis=1)
    targets = np.repeat(np.arange(len(learned), dtype=np.int32), kept)
    return by_source(items, learned[sources.ravel()], learned[targets], values.ravel())


def by_source(
    items: Items, sources: npt.NDArray[np.int32], targets: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]
) -> SparseItems:
    """The model of weights[n] from sources[n] to targets[n] (canonical positions), in any order; zeros are left out."""
    there = weights != 0
    sources, targets, weights = sources[there], targets[there], weights[there]
    order = np.lexsort((targets, sources))
    starts = np.zeros(len(items) + 1, np.int64)
    np.cumsum(np.bincount(sources, minlength=len(items)), out=starts[1:])
    return SparseItems(items, starts, targets[order], weights[order])


def _ranges(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers from each start on, as many as its length, one range after the other."""
    ends = np.cumsum(lengths)
    return np.arange(int(lengths.sum())) + np.repeat(starts - ends + lengths, lengths)
