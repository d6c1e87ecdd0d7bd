"""Blends: several models' scores or ranks fused, by weights that are fitted on people who were held back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.data.split.split import Held, Split, split_last, split_random
from segue.domain import columns
from segue.domain.errors import DataError, DeclarationError, MissingColumn, SegueError
from segue.domain.recommender import Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine, Key
from segue.learn.blended import BlendedItems, Fusion, segments_of
from segue.learn.learner import Learner, Validate, refuse_empty
from segue.learn.ranges import Choice, Range
from segue.learn.registry import learner
from segue.learn.top import best

Floats = npt.NDArray[np.float64]

WHERE = "learner blend"
SUCH = '{learner = "ease", regularization = 100}'
TWO = 'parts = ["ease", "popularity"]'
DEEP = 200  # the items of a part's list that the weights are fitted on
PEOPLE = 4000  # that the weights are fitted on, at most
PEOPLE_AT_ONCE = 64
FEW = 300  # people in a segment; with fewer it has no weights of its own
CUT = 10  # the head of the list that weights are compared by
DISCOUNTS = 1 / np.log2(np.arange(2, CUT + 2))
SHRINK = 1e-3  # of the squared distance of a segment's weights to everybody's


class Blend(Learner, frozen=True):
    """Scores are weighted sums of what the parts say, the weights fitted on people who were held back in training.

    parts       two learners or more: names of models of the declaration or of learners, or tables such as
                {learner = "ease", regularization = 100}
    fusion      what is summed of each part: its "scores", divided by their length as a vector over all items, or its
                "ranks", 1 / (60 + rank) of the first 500 (Cormack, Clarke, Büttcher, "Reciprocal Rank Fusion", 2009)
    segments    of people by how many items they have, each with weights of its own where it has enough people
    validation  what is held back to fit the weights: a "random" share of each person's items, or the "last" one, which
                tells what reads the order; "auto" is the last where events have times or an order
    share       of the items, where it is a random one
    seed        of what is held back, and of the people who are asked

    The weights maximise the likelihood of what was held back under a softmax over the parts' lists together (Cao et
    al., "Learning to Rank: From Pairwise Approach to Listwise Approach", 2007), and none is negative. Where one part
    alone makes clearly better lists of what was held back, it stands alone. Then every part is fitted again on
    everything. A person who is new gets what the parts give them.

    >>> from segue.engines.local import LocalEngine
    >>> from segue.testing.datasets import mixed
    >>> model = Blend(parts=("ease", "popularity")).fit(LocalEngine(), mixed())
    >>> model.weights.shape
    (1, 2)
    """

    name: ClassVar[str] = "blend"
    recommender: ClassVar[type[BlendedItems]] = BlendedItems
    ranges: ClassVar[Mapping[str, Range]] = {
        "fusion": Choice(("scores", "ranks")),
        "segments": Choice((1, 3)),
    }

    parts: Annotated[tuple[str | dict[str, Any], ...], msgspec.Meta(min_length=2)] = ("ease", "popularity")
    fusion: Fusion = "scores"
    segments: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    validation: Literal["auto", "random", "last"] = "auto"
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.1
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0

    @classmethod
    def refuse(cls, params: Mapping[str, Any]) -> None:
        """Refuse what is no list of two parts or more, and by its number the first part that cannot be."""
        parts = params.get("parts", ("ease", "popularity"))
        if not isinstance(parts, (list, tuple)):
            raise DeclarationError(f"parts are a list of learners, found {parts!r}", where=WHERE, mend=f"say {TWO}")
        if len(parts) < 2:
            found = f"only {_title(parts[0])!r}" if parts else "none"
            mend = f"add another, such as {TWO}; one alone is the model's learner, without a blend"
            raise DeclarationError(f"a blend has two parts or more, found {found}", where=WHERE, mend=mend)
        for place, part in enumerate(parts, 1):
            _learner(part, place)

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:  # noqa: ARG002
        learners = [_learner(part, place) for place, part in enumerate(self.parts, 1)]
        prepared = engine.prepare(dataset, Key.USER)
        if _has_weightless(prepared):  # what is held back is not drawn from rows that do not count
            prepared = engine.map(_weighing, prepared)
        refuse_empty(prepared.rows, self.name)
        bounds, weights = self._weights(engine, prepared, learners)
        fitted = tuple(each.fit(engine, dataset) for each in learners)
        return BlendedItems.of(fitted, [_title(part) for part in self.parts], bounds, weights, self.fusion)

    def _weights(
        self, engine: Engine, prepared: Dataset, learners: list[Learner]
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """int64[segments - 1] least numbers of items, and float64[segments, parts]."""
        try:
            split = self._split(prepared)
        except MissingColumn:  # the last one is asked of data without an order
            raise
        except DataError:  # nobody has two items: there is nothing to fit on, every part counts the same
            return np.empty(0, np.int64), np.ones((1, len(learners)))
        parts = tuple(each.fit(engine, split.train) for each in learners)
        titles = [str(place) for place in range(len(parts))]
        even = BlendedItems.of(parts, titles, np.empty(0, np.int64), np.ones((1, len(parts))), self.fusion)
        asked = _Asked(even, split.test, split.train, self.seed)
        return asked.fitted(self.segments)

    def _split(self, prepared: Dataset) -> Split:
        if self.validation != "random":
            try:
                return split_last(prepared)
            except MissingColumn:
                if self.validation == "last":
                    raise
        return split_random(prepared, self.share, self.seed)


class _Asked:
    """People who were held back: the candidates of each, what each part says of them, and which were right."""

    def __init__(self, blend: BlendedItems, test: Held, train: Dataset, seed: int) -> None:
        chosen = np.arange(len(test.people))
        if len(chosen) > PEOPLE:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, PEOPLE, replace=False))
        places = train.items.translation(blend.items)
        self._asked = Requests(test.histories.select(chosen).translated(places), test.now)
        self._truth = test.truth.select(chosen).translated(places)
        self._blend = blend
        self.items = np.array([len(np.unique(row)) for row in _ragged(self._asked.histories)], np.int64)

    def fitted(self, segments: int) -> tuple[npt.NDArray[np.int64], Floats]:
        """The bounds of the segments and their weights; one segment where people are few."""
        everybody = _likeliest(self._examples, None)
        everybody = _unless_better(self._examples, everybody, list(np.eye(len(everybody))))
        if segments == 1 or len(self.items) < 2 * FEW:
            return np.empty(0, np.int64), everybody[None]
        cuts = np.quantile(self.items, np.arange(1, segments) / segments, method="lower").astype(np.int64) + 1
        bounds = np.unique(cuts)
        segment = segments_of(self.items, bounds)
        weights = [everybody] * (len(bounds) + 1)
        for number in range(len(weights)):
            if (segment == number).sum() >= FEW:
                own = [self._examples[place] for place in np.flatnonzero(segment == number)]
                weights[number] = _unless_better(own, _likeliest(own, everybody), [everybody])
        return bounds, np.array(weights)

    @cached_property
    def _examples(self) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
        """Of each person float64[candidates, parts] and whether each candidate was right; empty where none was."""
        examples: list[tuple[Floats, npt.NDArray[np.bool_]]] = []
        for start in range(0, len(self._asked), PEOPLE_AT_ONCE):
            rows = self._asked.rows(start, start + PEOPLE_AT_ONCE)
            said = self._blend.said(rows)
            truth = self._truth.rows(start, start + PEOPLE_AT_ONCE)
            for row, (has, wanted) in enumerate(zip(_ragged(rows.histories), _ragged(truth), strict=True)):
                examples.append(_example(said[:, row], has, wanted))
        return examples


def _has_weightless(dataset: Dataset) -> bool:
    parts = dataset.partitions(1, (columns.WEIGHT,))
    return any((batch[columns.WEIGHT].to_numpy() == 0).any() for part in parts for batch in part)


def _weighing(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The rows that weigh something."""
    return batch.filter(pa.array(batch[columns.WEIGHT].to_numpy() > 0))


def _ragged(histories: Any) -> Iterator[npt.NDArray[np.int32]]:
    return (histories.items[histories.row(row)] for row in range(len(histories)))


def _example(
    said: npt.NDArray[np.float32], has: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The candidates of one person are the best of every part, without what the person has."""
    told = said.copy()
    told[:, has] = -np.inf
    found = np.unique(best(told, min(DEEP, told.shape[1]))[0])
    found = found[found >= 0]
    return said[:, found].T.astype(np.float64), np.isin(found, wanted)


def _likeliest(examples: list[tuple[Floats, npt.NDArray[np.bool_]]], towards: Floats | None) -> Floats:
    """float64[parts] at least 0: the mean log likelihood of what was right is highest; everything even where no
    example has anything right."""
    from scipy.optimize import minimize

    useful = [(said, right) for said, right in examples if right.any() and not right.all()]
    parts = examples[0][0].shape[1] if examples else 1
    if not useful:
        return np.ones(parts)
    scale = np.sqrt(np.mean([np.mean(said**2, axis=0) for said, _ in useful], axis=0))
    scale[scale == 0] = 1.0
    goal = np.zeros(parts) if towards is None else towards * scale
    stacked, right, starts = _stacked(useful, scale)

    def loss(weights: Floats) -> tuple[float, Floats]:
        away = weights - goal
        value, slope = _unlikeliness(stacked, right, starts, weights)
        return value + SHRINK * float(away @ away), slope + 2 * SHRINK * away

    found = minimize(loss, np.ones(parts), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * parts)
    weights: Floats = found.x / scale
    return weights if weights.any() else np.ones(parts)


def _unless_better(
    examples: list[tuple[Floats, npt.NDArray[np.bool_]]], weights: Floats, others: list[Floats]
) -> Floats:
    """These weights, or of the others those whose lists have the higher NDCG: by more than its standard error, for of
    few people it says little.

    Likelihood looks at all candidates, a list only at the best of them.
    """
    found = [(said, right) for said, right in examples if right.any()]
    if len(found) < 2:
        return weights
    gains = np.array([[_gain(said @ each, right) for each in (weights, *others)] for said, right in found])
    best_other = int(np.argmax(gains[:, 1:].mean(axis=0)))
    more = gains[:, 1 + best_other] - gains[:, 0]
    return others[best_other] if more.mean() > more.std(ddof=1) / np.sqrt(len(more)) else weights


def _gain(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """NDCG of the first `CUT`."""
    first = np.argsort(-scores, kind="stable")[:CUT]
    return float(right[first] @ DISCOUNTS[: len(first)]) / float(DISCOUNTS[: right.sum()].sum())


def _stacked(
    examples: list[tuple[Floats, npt.NDArray[np.bool_]]], scale: Floats
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """All candidates under each other, which were right, and where each person's begin."""
    starts = np.cumsum([0, *(len(right) for _, right in examples[:-1])])
    return np.concatenate([said for said, _ in examples]) / scale, np.concatenate([r for _, r in examples]), starts


def _unlikeliness(
    said: Floats, right: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], weights: Floats
) -> tuple[float, Floats]:
    """The mean over people of -log softmax of what was right, and its gradient."""
    scores = said @ weights
    sizes = np.diff(starts, append=len(scores))
    scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
    raised = np.exp(scores)
    totals = np.add.reduceat(raised, starts)
    rights = np.add.reduceat(right.astype(np.float64), starts)
    each = (scores - np.repeat(np.log(totals), sizes)) * right / np.repeat(rights, sizes)
    push = raised / np.repeat(totals, sizes) - right / np.repeat(rights, sizes)
    people = len(starts)
    return -float(each.sum()) / people, said.T @ push / people


def _learner(part: Any, place: int) -> Learner:
    """The learner of the part of this number: by its name, or by a table that says it and its parameters."""
    name, params = _named(part, place)
    try:
        return learner(name, params)
    except SegueError as error:
        raise type(error)(f"part {place} ({name}): {error.problem}", where=WHERE, mend=error.mend) from error


def _named(part: Any, place: int) -> tuple[str, dict[str, Any]]:
    """The learner's name and its parameters."""
    if isinstance(part, str):
        return part, {}
    if not isinstance(part, Mapping):
        problem = f"part {place} is {part!r}, which is neither a name nor a table"
        raise DeclarationError(problem, where=WHERE, mend=f"name a model or a learner, or say {SUCH}")
    params = dict(part)
    name = params.pop("learner", None)
    if not isinstance(name, str):
        said = "does not say its learner" if name is None else f"says learner = {name!r}, which is no name"
        raise DeclarationError(f"part {place} {said}: {part!r}", where=WHERE, mend=f"a part is such as {SUCH}")
    return name, params


def _title(part: Any) -> str:
    return str(part["learner"]) if isinstance(part, Mapping) and "learner" in part else str(part)


__all__ = ["Blend", "BlendedItems"]
