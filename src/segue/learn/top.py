"""The best k of each row, best first, ties by position, among the items that are left for the row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.domain.requests import Histories
from segue.learn.kernels import worthwhile

Best = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
Mask = npt.NDArray[np.bool_]

TINY = 300_000  # scores; below, NumPy is fast enough that nothing need wait for a compiled kernel
PRODUCTS = 30_000_000  # multiplications, likewise
PRODUCT_ROWS = 1024  # of queries in a batch: they and what they hold stay in a second cache
FEW = 16  # rows whose products BLAS makes as quickly, without filling blocks


@dataclass(frozen=True, eq=False)
class Left:
    """Which items are left for each row of a batch: allowed, not denied, not among those that the row has seen.

    `allow` and `deny` are bool[items] or bool[rows, items], `seen` has a row for each row of the batch; None where
    nothing is said.

    >>> left = Left(deny=np.array([True, False, False]), seen=Histories.of([[], [2]]))
    >>> left.among(np.ones((2, 3), np.float32)).tolist()
    [[-inf, 1.0, 1.0], [-inf, 1.0, -inf]]
    """

    allow: Mask | None = None
    deny: Mask | None = None
    seen: Histories | None = None

    def rows(self, start: int, stop: int) -> Left:
        """The same for the rows from `start` to `stop`."""
        part = slice(start, stop)
        allow, deny = (mask[part] if mask is not None and mask.ndim == 2 else mask for mask in (self.allow, self.deny))
        return Left(allow, deny, None if self.seen is None else self.seen.rows(start, stop))

    def among(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32[rows, items]: the scores with -inf where an item is not left; a copy where any is out."""
        out: Mask | None = None if self.allow is None else ~self.allow
        if self.deny is not None:
            out = self.deny if out is None else out | self.deny
        if out is not None:
            scores = np.where(out, np.float32(-np.inf), scores)
        if self.seen is not None and len(self.seen.items):
            scores = scores.copy() if out is None else scores
            scores[self.seen.row_numbers(), self.seen.items] = -np.inf
        return scores

    def placed(self, places: npt.NDArray[np.int32]) -> Left:
        """The same with `seen` in other codes, int32[items]; masks stay as they are."""
        return self if self.seen is None else Left(self.allow, self.deny, self.seen.translated(places))

    def for_kernels(self, rows: int, items: int) -> tuple[Mask, Mask, npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """`allow` and `deny` with a line for each row, one for all, or none; offsets and items of `seen`, ascending."""
        none = np.zeros((0, items), np.bool_)
        allow, deny = (
            none if mask is None else np.ascontiguousarray(np.atleast_2d(mask)) for mask in (self.allow, self.deny)
        )
        if self.seen is None:
            return allow, deny, np.zeros(rows + 1, np.int64), np.zeros(0, np.int32)
        numbered = (self.seen.row_numbers() << 32) | self.seen.items
        ascending = (np.sort(numbered) & 0xFFFFFFFF).astype(np.int32)
        return allow, deny, self.seen.offsets - self.seen.offsets[0], ascending


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


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of items, float32[items, factors], that the best products are looked for among.

    >>> Vectors(np.array([[0, 1], [3, 4]], np.float32)).longest[0].tolist()
    [1, 0]
    """

    matrix: npt.NDArray[np.float32]

    @cached_property
    def longest(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """int32[items] positions, the longest first, and float32[items] lengths in this order."""
        lengths = np.sqrt(np.einsum("ij,ij->i", self.matrix, self.matrix, dtype=np.float64)).astype(np.float32)
        order = np.argsort(np.where(np.isnan(lengths), -np.inf, -lengths), kind="stable").astype(np.int32)
        return order, lengths[order]

    @cached_property
    def places(self) -> npt.NDArray[np.int32]:
        """int32[items]: where in this order each item is."""
        order, _ = self.longest
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        return places


def best_of_products(queries: npt.NDArray[np.float32], items: Vectors, k: int, left: Left) -> Best:
    """The best k of queries, float32[rows, factors], times the vectors of items: see `best`.

    The scores of many rows are never all there: a tile of them is made, and what passes the bar is taken; what cannot
    reach it, for its length, is not made.
    """
    rows, factors = queries.shape
    work = queries.size * len(items.matrix)
    if rows <= FEW or k == 0 or factors == 0 or not worthwhile("product_kernels", work, PRODUCTS):
        return best(left.among(queries @ items.matrix.T), k)
    from segue.learn.product_kernels import best_products
    from segue.learn.product_tile import ROWS

    filled = np.zeros((rows + -rows % ROWS, factors), np.float32)
    filled[:rows] = queries
    positions = np.full((rows, k), UNKNOWN, np.int32)
    values = np.full((rows, k), -np.inf, np.float32)
    order, lengths = items.longest
    masks = left.placed(items.places).for_kernels(rows, len(order))
    best_products(filled, np.ascontiguousarray(items.matrix), order, lengths, *masks, positions, values)
    return positions, values
