"""New items among factors: what the catalog says of an item is mapped to where its factors would lie."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.errors import DeclarationError, SegueError
from segue.domain.recommender import Recommender
from segue.engines.engine import Dataset, Engine
from segue.engines.memory import refuse_beyond_memory
from segue.learn.content import Weight, tfidf
from segue.learn.content_features import Fields, content_features
from segue.learn.content_map import COLUMNS, content_map
from segue.learn.folded import FoldedItems
from segue.learn.gram import ItemCounts
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.ranges import Range, Real
from segue.learn.registry import learner

WHERE = "learner cold_start"
SUCH = 'a part is such as "als" or {learner = "als", factors = 128}'
ARRAYS = 6  # of features, and of items, times `COLUMNS` that are there at a time in each thread


class ColdStart(Learner, frozen=True):
    """Learns factors by another learner, then where content lies among them: there go items that few people have.

    part            the learner of the factors: "als", or a table such as {learner = "als", factors = 128}
    regularization  of the map from content to factors; larger is smoother
    popularity      the power of an item's people that its factors count for in the map: 0 treats all items alike, and
                    new items stay behind known ones; 1 gives them the place of popular ones, at the cost of these
    shrinkage       in people: an item of so many is half where its content lies, half where its people put it
    title, text, categories, attributes
                    as of content

    factors_i = (n_i factors_i + shrinkage content_i W) / (n_i + shrinkage), n_i people having the item: one that nobody
    has yet has factors, neighbours and a place in lists. Weights of features are those of tfidf, with one that all
    items with any content have; W is `content_map`. An item of which the catalog says nothing stays where it is.

    A person is folded in with what they have where it lies now, and what they have not where its people put it: their
    system keeps the Gram of the factors as they were learned. That an item was not met says nothing while nobody could
    have met it, and with the Gram of all items where they lie now lists were worse (lastfm-2k, held out from the
    training part: all Recall@20 0.186 against 0.193). Reasons sum to the score.

    >>> from segue.engines.local import LocalEngine
    >>> from segue.testing.datasets import mixed
    >>> model = ColdStart(part={"learner": "als", "factors": 4}).fit(LocalEngine(), mixed())
    >>> model.white.shape
    (25, 4)
    """

    name: ClassVar[str] = "cold_start"
    recommender: ClassVar[type[FoldedItems]] = FoldedItems
    ranges: ClassVar[Mapping[str, Range]] = {
        "regularization": Real(1, 300, log=True),
        "popularity": Real(0, 1),
        "shrinkage": Real(0.5, 50, log=True),
        "title": Real(0, 2),
    }

    part: str | dict[str, Any] = "als"
    regularization: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    popularity: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.5
    shrinkage: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    title: Weight = 1.0
    text: Weight = 1.0
    categories: Weight = 1.0
    attributes: Weight = 1.0

    @classmethod
    def refuse(cls, params: Mapping[str, Any]) -> None:
        """Refuse a part that has no factors, or is none."""
        _factors(params.get("part", "als"))

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:
        people = _people(engine, dataset)
        refuse_empty(int(people.sum()), self.name)
        model = _factors(self.part).fit(engine, dataset, validate)
        assert isinstance(model, FoldedItems)
        fields = Fields(self.title, self.text, self.categories, self.attributes)
        features = _with_constant(tfidf(content_features(dataset, fields, self.name)))
        _refuse_beyond_memory(features.shape[1], model.white.shape)
        worth = np.where(people > 0, np.maximum(people, 1) ** self.popularity, 0)
        mapping = content_map(features, model.white, worth, self.regularization)
        told = np.diff(features.indptr) > 0
        own = np.where(told, people / (people + self.shrinkage), 1.0)[:, None]
        white = np.empty_like(model.white)
        for first in range(0, white.shape[1], COLUMNS):  # at a time, so that little is made in float64
            part = slice(first, first + COLUMNS)
            white[:, part] = own * model.white[:, part] + (1 - own) * (features @ mapping[:, part])
        return dataclasses.replace(model, white=white)


def _factors(part: Any) -> Learner:
    """The learner of the factors; a `SegueError` where it has none, or is not said."""
    if not isinstance(part, str | Mapping):
        raise DeclarationError(f"the part is {part!r}, which is neither a name nor a table", where=WHERE, mend=SUCH)
    params = {"learner": part} if isinstance(part, str) else dict(part)
    name = params.pop("learner", None)
    if not isinstance(name, str):
        raise DeclarationError(f"the part does not say its learner: {part!r}", where=WHERE, mend=SUCH)
    try:
        made = learner(name, params)
    except SegueError as error:
        raise type(error)(f"part ({name}): {error.problem}", where=WHERE, mend=error.mend) from error
    if made.recommender is not FoldedItems or isinstance(made, ColdStart):
        raise DeclarationError(
            f"content is mapped into the factors of a learner, and {name} has none that it could be mapped into",
            where=WHERE,
            mend='take part = "als"; beside other learners, blend them with content',
        )
    return made


def _with_constant(weights: Any) -> Any:
    """One more feature, 1 for each item that has any."""
    from scipy.sparse import csr_array, hstack

    told = (np.diff(weights.indptr) > 0).astype(np.float64)
    constant = csr_array(told[:, None])
    return csr_array(hstack([weights, constant], format="csr"))


def _people(engine: Engine, dataset: Dataset) -> npt.NDArray[np.float64]:
    """float64[items]: how many people have each, in canonical order."""
    counted = engine.fold(ItemCounts(), dataset)["people"]
    canonical, _ = dataset.items.canonical()
    people = np.zeros(len(canonical))
    people[dataset.items.translation(canonical)[: len(counted)]] = counted
    return people


def _refuse_beyond_memory(features: int, shape: tuple[int, ...]) -> None:
    items, factors = shape
    side_by_side = min(factors, COLUMNS * len(os.sched_getaffinity(0)))
    refuse_beyond_memory(
        8 * factors * features + 8 * side_by_side * ARRAYS * (features + items) + 4 * factors * items,
        f"a map from {features:,} features to {factors} factors",
        "leave the texts out with text = 0, or take fewer factors",
    )
