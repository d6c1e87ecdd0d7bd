"""Popularity by segment: what people turn to most, within what this person turns to."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import unknown
from segue.domain.recommender import Contribution, Reasons, Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine
from segue.learn.content_features import told
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.popularity import PopularItems, Popularity
from segue.learn.ranges import Range, Real
from segue.learn.rows import Rows, Weighting, weighed

Floats = npt.NDArray[np.float64]


class SegmentPopularity(Learner, frozen=True):
    """Popularity, taken up or down by how much of a history lies in the segments of the item.

    by         what of the catalog makes segments: "categories", "group", or the name of an attribute
    shrinkage  how many items of everybody a history is mixed with: a short one says little
    half_life_days, weighting
               as of popularity; of the history, weights count by their logarithm unless `weighting` is "none"

    score of i = popularity of i times the mean, over its segments c, of share of c in the history / share of c in all
    that people did; the history's shares are mixed with everybody's. An item in n segments is 1/n in each, items in
    none are a segment of their own. Without a history the list is that of popularity.

    >>> from segue.domain.catalog import Item
    >>> from segue.domain.items import Items
    >>> from segue.domain.requests import Histories
    >>> from segue.engines.content import content_of
    >>> from segue.engines.local import LocalEngine, Table
    >>> seen = Table.of(["ann", "bob", "bob", "cid"], ["pop", "pop", "jazz", "bebop"])
    >>> kinds = {"pop": "pop", "jazz": "jazz", "bebop": "jazz"}
    >>> told = content_of(Item(name, categories=(kind,)) for name, kind in kinds.items())
    >>> dataset = Table(seen.table, Items(kinds), 3, content=told)
    >>> model = SegmentPopularity(shrinkage=1).fit(LocalEngine(), dataset)
    >>> jazz = Requests(Histories.of([[], model.items.positions(["jazz"])]))
    >>> model.items.ids, model.scores(jazz).tolist()
    (('bebop', 'jazz', 'pop'), [[1.0, 1.0, 2.0], [1.5, 1.5, 1.0]])
    """

    name: ClassVar[str] = "segment_popularity"
    ranges: ClassVar[Mapping[str, Range]] = {"shrinkage": Real(0.3, 30, log=True)}

    by: Annotated[str, msgspec.Meta(min_length=1)] = columns.CATEGORIES
    shrinkage: Annotated[float, msgspec.Meta(gt=0)] = 3.0
    half_life_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    weighting: Weighting = "log"

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        popularity = Popularity(half_life_days=self.half_life_days, weighting=self.weighting)
        state = engine.fold(popularity.aggregate, dataset)
        refuse_empty(len(state["cells"]), self.name)
        popular = popularity.finish(state, dataset.items)
        assert isinstance(popular, PopularItems)
        _, order = dataset.items.canonical()
        offsets, segments = _segments(told(dataset, self.name), self.by, order)
        cells = popular.positions, popular.days, popular.weights, popular.half_life_days
        return SegmentItems(popular.items, *cells, offsets, segments, self.shrinkage, self.weighting != "none")


@dataclass(frozen=True, eq=False)
class SegmentItems(PopularItems):
    """Popular items with the segments that each is in.

    offsets   int64[items + 1]   where the segments of each item begin
    segments  int32[memberships] of each item at least one
    """

    offsets: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int32]
    shrinkage: float
    by_weight: bool
    personal: ClassVar[bool] = True

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:
        popularity = self.popularity(requests.now).astype(np.float64)
        lean = self._members / self._shares(popularity)
        worth = self._worth(rows)
        scores = np.empty((len(rows), len(self.items)), np.float32)
        for row, (start, stop) in enumerate(itertools.pairwise(rows.offsets.tolist())):
            mine = worth[start:stop]
            profile = self._members[rows.codes[start:stop]].T @ mine
            scores[row] = popularity * (self.shrinkage + lean @ profile) / (self.shrinkage + mine.sum())
        return scores

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        """What each item of the history adds, and what popularity alone does; they sum to the score."""
        rows = self.rows(requests)
        popularity = self.popularity(requests.now).astype(np.float64)
        worth = self._worth(rows)
        lean = self._members[items] / self._shares(popularity)
        scale = popularity[items] / (self.shrinkage + worth.sum())
        parts = (lean @ self._members[rows.codes].T).toarray() * worth * scale[:, None]
        return [
            _reasons(item, rows.codes, own, base)
            for item, own, base in zip(items.tolist(), parts, (scale * self.shrinkage).tolist(), strict=True)
        ]

    def _worth(self, rows: Rows) -> Floats:
        return weighed(rows.weights, "log" if self.by_weight else "none")

    @cached_property
    def _members(self) -> Any:
        """csr_array float64[items, segments], rows sum to 1."""
        from scipy.sparse import csr_array

        lengths = np.diff(self.offsets)
        each = np.repeat(1 / lengths, lengths)
        return csr_array((each, self.segments, self.offsets), shape=(len(self.items), int(self.segments.max()) + 1))

    def _shares(self, popularity: Floats) -> Floats:
        """float64[segments]: of all that people did; never 0."""
        shares = self._members.T @ popularity
        return np.asarray(np.maximum(shares / max(float(popularity.sum()), np.finfo(float).tiny), 1e-12))


SegmentPopularity.recommender = SegmentItems


def _segments(
    content: pa.Table, by: str, order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Ragged rows of segment codes, ascending by name, of items in canonical order; code 0 is no segment."""
    values = _values(content, by)
    names = sorted({name for row in values for name in row})
    code = {name: place for place, name in enumerate(names, 1)}
    rows = [sorted({code[name] for name in values[place]}) or [0] for place in order.tolist()]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return offsets, np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(offsets[-1]))


def _values(content: pa.Table, by: str) -> list[list[str]]:
    """What each item has of it; an `UnknownName` where no item of the catalog has an attribute of that name."""
    if by == columns.CATEGORIES:
        return [row or [] for row in content[columns.CATEGORIES].to_pylist()]
    if by == columns.GROUP:
        return [[row] if row else [] for row in content[columns.GROUP].to_pylist()]
    attributes = [row or [] for row in content[columns.ATTRIBUTES].to_pylist()]
    found = [[each for each in row if each.startswith(f"{by}=")] for row in attributes]
    if not any(found):
        known = {each.split("=", 1)[0] for row in attributes for each in row} | {columns.CATEGORIES, columns.GROUP}
        raise unknown("attribute of the items", by, known, where="learner segment_popularity, by")
    return found


def _reasons(item: int, history: npt.NDArray[np.int32], parts: Floats, base: float) -> Reasons:
    named = np.flatnonzero(parts)
    told_parts = tuple(map(Contribution, parts[named].tolist(), history[named].tolist()))
    score = float(parts.sum() + base)
    return Reasons(item, score, (*told_parts, Contribution(base, label="popularity")))
