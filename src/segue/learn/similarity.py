"""What makes two items alike: what a pair of person and item is worth, and what the sums of products mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from segue.learn.rows import Rows, Weighting, weighed

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """likeness of i to j = s / (share s + own[i] + near[j] + left[i] right[j]), s their sum of products; 0 where s is.

    Every similarity here is of this form, so that one kernel serves all. The arrays are float64[items]; no
    denominator is 0 or negative where s is greater than 0.
    """

    share: float
    own: Floats
    near: Floats
    left: Floats
    right: Floats

    def likeness(self, sums: Floats, first: npt.NDArray[np.integer], second: npt.NDArray[np.integer]) -> Floats:
        """float64[n] of pairs of items with these sums."""
        products = self.left[first] * self.right[second]
        return np.asarray(sums / (self.share * sums + self.own[first] + self.near[second] + products))


class Similarity(Protocol):
    """One way to say how alike items are."""

    def worth(self, rows: Rows) -> Floats:
        """float64[pairs] of whole histories: the value of each pair of person and item, greater than 0."""
        ...

    def terms(self, squares: Floats, people: Floats) -> Terms:
        """What to make of sums over people of value times value; `squares` are those of value squared, `people` how
        many people have each item, both float64[items]."""
        ...


@dataclass(frozen=True)
class Cosine:
    """s / (norm norm + shrinkage): what only few people have in common counts for less.

    >>> terms = Cosine("none", shrinkage=0).terms(np.array([4.0, 4.0]), np.array([4.0, 4.0]))
    >>> terms.likeness(np.array([2.0]), np.array([0]), np.array([1])).tolist()
    [0.5]
    """

    weighting: Weighting
    shrinkage: float

    def worth(self, rows: Rows) -> Floats:
        return weighed(rows.weights, self.weighting)

    def terms(self, squares: Floats, people: Floats) -> Terms:  # noqa: ARG002
        nothing, norms = np.zeros(len(squares)), np.sqrt(squares)
        return Terms(0.0, nothing + self.shrinkage, nothing, norms, norms)


@dataclass(frozen=True)
class TFIDF(Cosine):
    """The cosine with people as documents, each weighed by log(1 + items / length): who has few items says more.

    items  how many there are; the length of a person is how many the person has

    >>> from segue.domain.requests import Histories
    >>> from segue.learn.rows import rows_of_histories
    >>> TFIDF("none", 0, items=3).worth(rows_of_histories(Histories.of([[0], [0, 1, 2]]))).round(2).tolist()
    [1.39, 0.69, 0.69, 0.69]
    """

    items: int

    def worth(self, rows: Rows) -> Floats:
        lengths = np.diff(rows.offsets)
        rarity = np.log1p(self.items / np.maximum(lengths, 1))
        return np.asarray(weighed(rows.weights, self.weighting) * rarity[rows.row_numbers()])


@dataclass(frozen=True)
class BM25:
    """BM25 with people as documents: more of the same saturates, and somebody with few items says more of each.

    w (k1 + 1) / (w + k1 (1 - b + b length / average)) idf, Robertson and Zaragoza, "The Probabilistic Relevance
    Framework", 2009; `length` is how many items the person has, `people` how many people have each item, `total` how
    many people there are. idf = log(1 + (total - people + .5) / (people + .5)), never negative.

    >>> from segue.domain.requests import Histories
    >>> from segue.learn.rows import rows_of_histories
    >>> bm25 = BM25("none", k1=1, b=0.5, average=2, total=2)
    >>> bm25.worth(rows_of_histories(Histories.of([[0], [0, 1, 2]]))).round(2).tolist()
    [1.14, 0.89, 0.89, 0.89]
    """

    weighting: Weighting
    k1: float
    b: float
    average: float
    total: int

    def worth(self, rows: Rows) -> Floats:
        lengths = np.diff(rows.offsets)
        norms = self.k1 * (1 - self.b + self.b * lengths / self.average)
        weights = weighed(rows.weights, self.weighting)
        return np.asarray(weights * (self.k1 + 1) / (weights + norms[rows.row_numbers()]))

    def terms(self, squares: Floats, people: Floats) -> Terms:  # noqa: ARG002
        rare = 1 / np.log(1 + (self.total - people + 0.5) / (people + 0.5))
        nothing = np.zeros(len(people))
        return Terms(0.0, nothing, nothing, rare, rare)


@dataclass(frozen=True)
class Tversky:
    """c / (c + alpha (people of i - c) + beta (people of j - c) + shrinkage), c people having both (Tversky, 1977).

    alpha = beta = 1 is Jaccard's index, 0.5 each Dice's; alpha = 1, beta = 0 the share of i's people who have j.

    >>> terms = Tversky(1, 1, 0).terms(np.array([3.0, 2.0]), np.array([3.0, 2.0]))
    >>> terms.likeness(np.array([1.0]), np.array([0]), np.array([1])).tolist()
    [0.25]
    """

    alpha: float
    beta: float
    shrinkage: float

    def worth(self, rows: Rows) -> Floats:
        return np.ones(len(rows.codes))

    def terms(self, squares: Floats, people: Floats) -> Terms:  # noqa: ARG002
        nothing = np.zeros(len(people))
        share = 1 - self.alpha - self.beta
        return Terms(share, self.alpha * people + self.shrinkage, self.beta * people, nothing, nothing)


@dataclass(frozen=True)
class Lift:
    """c / (e + shrinkage): how many people have both, over how many would if items had nothing to do with each other.

    e = people of i times people of j / all people. Without shrinkage the rarest pairs win.

    >>> terms = Lift(4, 0).terms(np.array([2.0, 2.0]), np.array([2.0, 2.0]))
    >>> terms.likeness(np.array([2.0]), np.array([0]), np.array([1])).tolist()
    [2.0]
    """

    total: int
    shrinkage: float

    def worth(self, rows: Rows) -> Floats:
        return np.ones(len(rows.codes))

    def terms(self, squares: Floats, people: Floats) -> Terms:  # noqa: ARG002
        nothing = np.zeros(len(people))
        return Terms(0.0, nothing + self.shrinkage, nothing, people / self.total, people)


@dataclass(frozen=True)
class Walk:
    """The chance of a walk from item to person to item, taken from what many people have (RP3beta).

    sum of w w / length^alpha / (people of i^alpha people of j^beta): Paudel, Christoffel, Newell and Bernstein,
    "Updatable, Accurate, Diverse, and Scalable Recommendations", 2017.

    >>> terms = Walk("none", alpha=1, beta=0).terms(np.array([2.0, 1.0]), np.array([2.0, 1.0]))
    >>> terms.likeness(np.array([0.5]), np.array([0]), np.array([1])).tolist()
    [0.25]
    """

    weighting: Weighting
    alpha: float
    beta: float

    def worth(self, rows: Rows) -> Floats:
        lengths = np.maximum(np.diff(rows.offsets), 1) ** (-self.alpha / 2)
        return np.asarray(weighed(rows.weights, self.weighting) * lengths[rows.row_numbers()])

    def terms(self, squares: Floats, people: Floats) -> Terms:  # noqa: ARG002
        nothing = np.zeros(len(people))
        return Terms(0.0, nothing, nothing, people**self.alpha, people**self.beta)
