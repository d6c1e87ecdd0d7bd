"""What makes two items alike: what a pair of person and item is worth, and what the sums of products mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from segue.learn.rows import Rows, Weighting, weighed

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]


class Similarity(Protocol):
    """One way to say how alike items are."""

    def worth(self, rows: Rows) -> Floats:
        """float64[pairs] of whole histories: the value of each pair of person and item, greater than 0."""
        ...

    def likeness(self, products: Scores, squares: Floats, start: int) -> Scores:
        """float32[block, items]: how alike the items from `start` on are to every item.

        `products` are the sums over people of value times value, and may be changed; `squares` float64[items] those
        of value squared.
        """
        ...


@dataclass(frozen=True)
class Cosine:
    """products / (norm norm + shrinkage): what only few people have in common counts for less."""

    weighting: Weighting
    shrinkage: float

    def worth(self, rows: Rows) -> Floats:
        return weighed(rows.weights, self.weighting)

    def likeness(self, products: Scores, squares: Floats, start: int) -> Scores:
        norms = np.sqrt(squares).astype(np.float32)
        products /= norms[start : start + len(products), None] * norms + np.float32(self.shrinkage)
        return products


@dataclass(frozen=True)
class BM25:
    """BM25 with people as documents: more of the same saturates, and somebody with few items says more of each.

    w (k1 + 1) / (w + k1 (1 - b + b length / average)) idf, Robertson and Zaragoza, "The Probabilistic Relevance
    Framework", 2009; `length` is how many items the person has, `people` how many people have each item, `total` how
    many people there are. idf = log(1 + (total - people + .5) / (people + .5)), never negative.
    """

    weighting: Weighting
    k1: float
    b: float
    average: float
    people: npt.NDArray[np.int64]
    total: int

    def worth(self, rows: Rows) -> Floats:
        lengths = np.diff(rows.offsets)
        norms = self.k1 * (1 - self.b + self.b * lengths / self.average)
        weights = weighed(rows.weights, self.weighting)
        return np.asarray(weights * (self.k1 + 1) / (weights + norms[rows.row_numbers()]))

    def likeness(self, products: Scores, squares: Floats, start: int) -> Scores:  # noqa: ARG002
        idf = np.log(1 + (self.total - self.people + 0.5) / (self.people + 0.5)).astype(np.float32)
        products *= idf[start : start + len(products), None]
        products *= idf
        return products
