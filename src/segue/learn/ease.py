"""EASE: a linear model from items to items with a closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.gram import ItemCounts, choose, item_gram
from segue.learn.kernels import worthwhile
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.ranges import Range, Real
from segue.learn.rows import Rows
from segue.learn.scored import Parts, ScoredByParts, left_out
from segue.learn.sparse_items import largest_weights
from segue.learn.symmetric import Symmetric, mirror

MOST_ITEMS = 45_000  # a matrix of more does not fit where EASE is worth its time
TINY = 20_000_000  # additions; below, NumPy is fast enough that nothing need wait for a compiled kernel
FLOAT32_LARGEST = 1e30  # that the diagonal may be in float32, for its inverse has to be there as well
BLOCK = 512  # lines at a time where a matrix is turned into another of the same size in place
ROOM = 1.15  # times the matrix: what LAPACK and the blocks need beside it

Gram = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]


class EASE(Learner, frozen=True):
    """Predicts what a person has from everything else that they have: B = I - P diag(P)^-1, P = (X'X + L)^-1.

    regularization  of the ridge regression, in people; larger is smoother
    dropout         the share of a history that is left out at random while learning, in closed form; more of it takes
                    weight from items that many have (EDLAE: Steck, "Autoencoders that don't overfit towards the
                    Identity", 2020)
    popularity      the power of an item's people, over their mean, that `regularization` is multiplied by: 0 treats
                    all items alike, 1 holds back items that many have (Steck, "Markov Random Fields for
                    Collaborative Filtering", 2019)
    max_items       the model is dense, so it takes this many items at most, those that most people have
    min_people      items that fewer people have are left out: about them there is nothing to say
    keep            how many weights into each item are kept, the largest; all of them where not given

    L is diagonal: regularization (n / mean n)^popularity + n dropout / (1 - dropout), n the people of the item. Items
    left out score 0. Time grows with the cube of the items, memory and the model with their square.

    >>> from segue.engines.local import LocalEngine, Table
    >>> people, items = ["ann", "ann", "bob", "bob", "cid", "cid"], ["x", "y", "x", "y", "x", "z"]
    >>> model = EASE(regularization=1).fit(LocalEngine(), Table.of(people, items))
    >>> from segue.domain.requests import Histories
    >>> model.scores(Requests(Histories.of([[0]]))).round(2).tolist()
    [[0.0, 0.5, 0.0]]
    """

    name: ClassVar[str] = "ease"
    ranges: ClassVar[Mapping[str, Range]] = {"regularization": Real(3, 3000, log=True), "dropout": Real(0, 0.8)}

    regularization: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    popularity: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.0
    max_items: Annotated[int, msgspec.Meta(ge=1, le=MOST_ITEMS)] = 10_000
    min_people: Annotated[int, msgspec.Meta(ge=1)] = 2
    keep: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        counts = engine.fold(ItemCounts(), dataset)
        refuse_empty(int(counts["totals"][1]), self.name)
        canonical, _ = dataset.items.canonical()
        chosen = choose(counts, dataset.items, canonical, self.min_people, self.max_items)
        _refuse_too_many(len(chosen))
        gram = item_gram(engine, dataset, chosen)
        weights = ease_weights(gram, self.penalties(chosen.people))
        if self.keep is None:
            return LinearItems(canonical, chosen.positions, weights)
        return largest_weights(canonical, chosen.positions, weights, self.keep)

    def penalties(self, people: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """float64[items]: the diagonal L, from how many people have each item."""
        scale = (people / people.mean()) ** self.popularity
        raised: npt.NDArray[np.float64] = self.regularization * scale + people * (self.dropout / (1 - self.dropout))
        return raised


def ease_weights(gram: Gram, penalties: npt.NDArray[np.float64]) -> Weights:
    """float32[items, items] B with a zero diagonal, from the upper triangle of X'X, in whose memory it is made.

    penalties  float64[items] what the diagonal is raised by, greater than 0
    """
    diagonal = gram.diagonal() + penalties
    matrix = _as_float32(gram)
    mirror(matrix)
    largest = diagonal.max(initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        condition = largest / penalties.min(initial=np.inf) if largest < FLOAT32_LARGEST else np.inf
    inverse = Symmetric(matrix, diagonal, condition, "X'X + L", f"learner {EASE.name}").inverse()
    scale = -inverse.diagonal()
    for start in range(0, len(inverse), BLOCK):
        inverse[start : start + BLOCK] /= scale
    np.fill_diagonal(inverse, 0)
    if inverse.dtype != np.float32:
        matrix[:] = inverse
        return matrix
    return inverse


def _as_float32(gram: Gram) -> Weights:
    """The same numbers in the same memory, rounded to float32 where they are above 2**24."""
    matrix = gram.view(np.float32)
    for start in range(0, len(gram), BLOCK):
        matrix[start : start + BLOCK] = gram[start : start + BLOCK].copy()
    return matrix


def _refuse_too_many(items: int) -> None:
    needed = int(4 * items**2 * ROOM)
    left = available_bytes()
    fits = int((left / (4 * ROOM)) ** 0.5) // 100 * 100
    refuse_beyond_memory(
        needed,
        f"EASE of {items:,} items",
        f"set max_items = {fits} in the model's settings, or take the learner slim: it is sparse, and takes every item",
    )


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

    @property
    def note(self) -> str:
        """What the square of the items is, and how many have no part in it (`max_items`, `min_people`)."""
        size = len(self.learned)
        return f"dense: {size:,} x {size:,} weights" + left_out(size, len(self.items))

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
