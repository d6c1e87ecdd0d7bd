"""Content neighbours: items go together where the catalog says like things of them, whoever has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.engines.engine import Dataset, Engine
from segue.engines.mapped import Mapped
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.content_features import Fields, content_features, rarity
from segue.learn.item_knn import NeighbourItems
from segue.learn.learner import Learner, Validate
from segue.learn.neighbours import VALUE, neighbours, pairs_of
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.similarity import Cosine, Similarity, Terms

Weight = Annotated[float, msgspec.Meta(ge=0, le=1000)]

WORK = 3e9  # products of features of pairs of items, a minute or two of one core
LEAST_RUN = 500  # items that are compared by one feature, however many features there are
EACH_BYTES = 64  # of a feature of an item: both sides of the pairs, and what they are made from


class Content(Learner, frozen=True):
    """Scores an item by how like its content is to that of the items of the history; each speaks for its `k` nearest.

    similarity   "tfidf": cosine of log2(1 + amount) times rarity; "bm25": sum of products of BM25 weights
    k            neighbours kept for each item
    title, text, categories, attributes
                 what a word, a category or an attribute of each counts for; 0 leaves a field out
    shrinkage    of tfidf, in squared lengths of a usual item: takes weight from items of which little is said; 0 is
                 the cosine
    k1, b        of bm25
    weighting    what several events of a person on one item are worth: "none" (1) or "log" (log2(1 + weight))

    Interactions are not looked at, so an item that nobody has yet has neighbours and is listed as any other. Amounts
    are those of `Fields`, words those of `segue.learn.words`, rarity that of Robertson and Zaragoza, 2009. A feature
    that very many items have compares an item only with a run of them, by canonical position, so that the work stays
    below `WORK` products: in a catalog of 10,000 items with ten features each none has so many, in one of 100,000 those
    of more than 3,000 items have, in one of a million those of more than 500.

    >>> from segue.domain.catalog import Item
    >>> from segue.domain.items import Items
    >>> from segue.engines.content import content_of
    >>> from segue.engines.local import LocalEngine, Table
    >>> seen = Table.of(["ann", "bob"], ["lamp", "vase"])
    >>> titles = {"lamp": "A red lamp", "vase": "A vase", "new": "Red sofa"}
    >>> told = content_of(Item(name, title) for name, title in titles.items())
    >>> dataset = Table(seen.table, Items(titles), 2, content=told)
    >>> model = Content().fit(LocalEngine(), dataset)
    >>> model.items.take(model.similar(model.items.positions(["lamp"]), 1)[0][0])
    ['new']
    """

    name: ClassVar[str] = "content"
    recommender: ClassVar[type[NeighbourItems]] = NeighbourItems
    ranges: ClassVar[Mapping[str, Range]] = {
        "similarity": Choice(("tfidf", "bm25")),
        "k": Whole(20, 1000, log=True),
        "title": Real(0, 2),
        "text": Real(0, 2),
        "shrinkage": Real(0, 4),
    }

    similarity: Literal["tfidf", "bm25"] = "tfidf"
    k: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    title: Weight = 1.0
    text: Weight = 1.0
    categories: Weight = 1.0
    attributes: Weight = 1.0
    shrinkage: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    k1: Annotated[float, msgspec.Meta(gt=0)] = 1.2
    b: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.75
    weighting: Literal["none", "log"] = "log"

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        fields = Fields(self.title, self.text, self.categories, self.attributes)
        features = content_features(dataset, fields, self.name)
        canonical, _ = dataset.items.canonical()
        k = min(self.k, max(len(canonical) - 1, 1))
        self._refuse_beyond_memory(len(canonical), k, features.nnz)
        weights, similarity = self._weighed(features)
        if features.nnz == 0:
            none = np.full((len(canonical), k), UNKNOWN, np.int32)
            return NeighbourItems(canonical, none, np.zeros(none.shape, np.float32), self.weighting)
        near, likeness = neighbours(
            engine, dataset, pairs_of(_by_feature(weights, dataset), len(canonical)), similarity, k
        )
        return NeighbourItems(canonical, near, likeness, self.weighting)

    def _weighed(self, features: Any) -> tuple[Any, Similarity]:
        """float64[items, features] of what each feature says of each item, and how these are compared."""
        if self.similarity == "bm25":
            return bm25(features, self.k1, self.b), Overlap()
        return tfidf(features), Cosine("none", self.shrinkage)

    def _refuse_beyond_memory(self, items: int, k: int, features: int) -> None:
        each = 24 * k  # the lists as they are found, gathered, and in place
        left = available_bytes() - features * EACH_BYTES
        refuse_beyond_memory(
            items * each + features * EACH_BYTES,
            f"{k} neighbours of each of {items:,} items by {features:,} features",
            f"set k = {max(1, int(left / (48 * items + 1)))}, or text = 0",
        )


@dataclass(frozen=True)
class Overlap:
    """The sum of products itself, for weights that know of lengths already.

    >>> terms = Overlap().terms(np.array([4.0, 9.0]), np.ones(2))
    >>> terms.likeness(np.array([2.0]), np.array([0]), np.array([1])).tolist()
    [2.0]
    """

    def worth(self, rows: Any) -> npt.NDArray[np.float64]:
        return np.asarray(rows.weights)

    def terms(self, squares: npt.NDArray[np.float64], people: npt.NDArray[np.float64]) -> Terms:  # noqa: ARG002
        nothing, ones = np.zeros(len(squares)), np.ones(len(squares))
        return Terms(0.0, nothing, nothing, ones, ones)


def tfidf(features: Any) -> Any:
    """log2(1 + amount) times rarity, of such a size that the mean squared length of items is 1."""
    weights = features.copy()
    weights.data = np.log2(1 + features.data) * rarity(features)[features.indices]
    items = max(1, int((np.diff(features.indptr) > 0).sum()))
    weights.data /= np.sqrt((weights.data**2).sum() / items) if features.nnz else 1.0
    return weights


def bm25(features: Any, k1: float, b: float) -> Any:
    """a (k1 + 1) / (a + k1 (1 - b + b length / mean length)) sqrt(rarity): products of two have the rarity once.

    a is the amount, the length of an item the sum of its amounts (Robertson and Zaragoza, 2009).
    """
    weights = features.copy()
    lengths = np.asarray(features.sum(axis=1)).ravel()
    mean = lengths.sum() / max(1, int((lengths > 0).sum()))
    norms = k1 * (1 - b + b * lengths / max(mean, np.finfo(float).tiny))
    each = np.repeat(norms, np.diff(features.indptr))
    saturated = features.data * (k1 + 1) / (features.data + each)
    weights.data = saturated * np.sqrt(rarity(features))[features.indices]
    return weights


def _by_feature(weights: Any, dataset: Dataset) -> Mapped:
    """Who has what, as `pairs_of` reads it, where features stand for people, and runs of items for common features."""
    turned = weights.T.tocsr()
    turned.sort_indices()
    run = max(LEAST_RUN, int(WORK / max(1, turned.nnz)))
    ranks = np.arange(turned.nnz) - np.repeat(turned.indptr[:-1], np.diff(turned.indptr))
    codes = np.repeat(np.arange(turned.shape[0]), np.diff(turned.indptr))
    new = (np.diff(codes, prepend=-1) != 0) | (ranks % run == 0)
    batch = pa.record_batch(
        {
            columns.USER: pa.array((np.cumsum(new) - 1).astype(np.int32)),
            columns.ITEM: pa.array(turned.indices.astype(np.int32)),
            VALUE: pa.array(turned.data),
        }
    )
    return Mapped([batch], batch.schema, dataset)
