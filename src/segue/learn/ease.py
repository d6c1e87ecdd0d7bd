"""EASE: a linear model from items to items with a closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.errors import DataError
from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine
from segue.learn.gram import ItemCounts, ItemGram, choose
from segue.learn.kernels import worthwhile
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.rows import Rows
from segue.learn.scored import Parts, ScoredByParts

TINY = 20_000_000  # additions; below, NumPy is fast enough that nothing need wait for a compiled kernel
FLOAT32_CONDITION = 1e4  # above, the inverse is made in float64


class EASE(Learner, frozen=True):
    """Predicts what a person has from everything else that they have: B = I - P diag(P)^-1, P = (X'X + reg I)^-1.

    regularization  of the ridge regression, in people; larger is smoother
    max_items       the model is dense, so it takes this many items at most, those that most people have
    min_people      items that fewer people have are left out: about them there is nothing to say

    Items left out score 0.

    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"]
    >>> model = EASE(regularization=1).fit(LocalEngine(), Table.of(people, items))
    >>> from segue.domain.requests import Histories
    >>> model.scores(Requests(Histories.of([[0]]))).round(2).tolist()
    [[0.0, 0.5, 0.0]]
    """

    name: ClassVar[str] = "ease"

    regularization: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    max_items: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, self.max_items)
        gram = engine.fold(ItemGram(chosen), dataset)["gram"]
        return LinearItems(canonical, chosen.positions, ease_weights(gram, self.regularization))


def ease_weights(gram: npt.NDArray[np.int32], regularization: float) -> npt.NDArray[np.float32]:
    """float32[items, items] B with a zero diagonal, from the upper triangle of X'X."""
    inverse = None
    if gram.diagonal().max(initial=0) / regularization < FLOAT32_CONDITION:
        inverse = _inverse(gram.astype(np.float32), regularization)
    if inverse is None:
        inverse = _inverse(gram.astype(np.float64), regularization)
    if inverse is None:
        raise DataError(
            f"X'X + {regularization} I cannot be inverted", where="learner ease", mend="raise `regularization`"
        )
    weights: npt.NDArray[np.float32] = (inverse / -inverse.diagonal()).astype(np.float32, copy=False)
    np.fill_diagonal(weights, 0)
    return weights


def _inverse(upper: npt.NDArray[Any], regularization: float) -> npt.NDArray[Any] | None:
    """The inverse of the symmetric matrix with this upper triangle and its diagonal raised; None where it has none.

    The C-ordered upper triangle is LAPACK's lower one, so the matrix is inverted where it lies.
    """
    from scipy.linalg.lapack import get_lapack_funcs

    factorise, invert = get_lapack_funcs(("potrf", "potri"), (upper,))
    np.fill_diagonal(upper, upper.diagonal() + regularization)
    factor, failed = factorise(upper.T, lower=1, overwrite_a=1)
    if failed:
        return None
    lower, _ = invert(factor, lower=1, overwrite_c=1)
    whole: npt.NDArray[Any] = np.triu(lower.T) + np.triu(lower.T, 1).T
    return whole


@dataclass(frozen=True, eq=False)
class LinearItems(ScoredByParts):
    """Scores are sums of the weights from the items of the history, so each item's part is a reason.

    learned  int32[m]       canonical positions of the items that the model knows
    weights  float32[m, m]  from an item (row) to an item (column)

    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> weights = np.array([[0, 0.5], [0.25, 0]], np.float32)
    >>> model = LinearItems(Items(["x", "y"]), np.array([0, 1], np.int32), weights)
    >>> model.reasons(Requests(Histories.of([[0]])), np.array([1]))[0].contributions
    (Contribution(score=0.5, item=0, label=''),)
    """

    learned: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:  # noqa: ARG002
        places = self._places(rows.codes)
        keep = places != UNKNOWN
        kept = np.zeros(len(places) + 1, np.int64)
        np.cumsum(keep, out=kept[1:])
        sums = self._row_sums(kept[rows.offsets], places[keep])
        if len(self.learned) == len(self.items):
            return sums
        scores = np.zeros((len(rows), len(self.items)), np.float32)
        scores[:, self.learned] = sums
        return scores

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        history = self.rows(requests).codes
        sources, targets = self._places(history), self._places(items)
        known = (sources != UNKNOWN)[:, None] & (targets != UNKNOWN)
        return history, np.where(known, self.weights[np.ix_(sources, targets)], 0).astype(np.float64)

    def _places(self, positions: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        if len(self.learned) == len(self.items):
            return positions
        places = np.searchsorted(self.learned, positions).clip(max=len(self.learned) - 1).astype(np.int32)
        return np.where(self.learned[places] == positions, places, np.int32(UNKNOWN))

    def _row_sums(self, offsets: npt.NDArray[np.int64], places: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """float32[rows, m]; both ways add in the order of `places`, so they agree to the bit."""
        sums = np.zeros((len(offsets) - 1, len(self.learned)), np.float32)
        if not worthwhile("ease_kernels", len(places) * len(self.learned), TINY):
            for row, (start, stop) in enumerate(itertools.pairwise(offsets.tolist())):
                np.add.reduce(self.weights[places[start:stop]], axis=0, out=sums[row])
        else:
            from segue.learn.ease_kernels import add_rows

            add_rows(offsets, places, self.weights, sums)
        return sums


EASE.recommender = LinearItems
