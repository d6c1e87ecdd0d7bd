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
    """products / (norm norm + shrinkage): what only few people have in common counts for less.

    >>> products = np.array([[4.0, 2.0]], np.float32)
    >>> Cosine("none", shrinkage=0).likeness(products, np.array([4.0, 4.0]), start=0).tolist()
    [[1.0, 0.5]]
    """

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

    >>> from segue.domain.requests import Histories
    >>> from segue.learn.rows import rows_of_histories
    >>> bm25 = BM25("none", k1=1, b=0.5, average=2, people=np.array([1, 1, 1]), total=2)
    >>> bm25.worth(rows_of_histories(Histories.of([[0], [0, 1, 2]]))).round(2).tolist()
    [1.14, 0.89, 0.89, 0.89]
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
