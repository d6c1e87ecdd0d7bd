"""A recommender made of recommenders: the weighted sum of what each of them says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from segue.domain.errors import ModelError, UnknownName
from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Contribution, Reasons, Recommender
from segue.domain.requests import Requests
from segue.learn.registry import learner_of, learner_type
from segue.learn.rows import Rows
from segue.learn.saved import IDS, load_ids, save_ids
from segue.learn.scored import NUMBERS, Scored
from segue.learn.top import best

Fusion: TypeAlias = Literal["scores", "ranks"]
Scores = npt.NDArray[np.float32]

RANKED = 500  # items of a part that have a rank
SOFTENED = 60.0  # what is added to a rank


@dataclass(frozen=True, eq=False)
class BlendedItems(Scored):
    """Scores are sums over the models of weight times what the model says; a person's segment has the weights.

    models   recommenders, each of a vocabulary of its own: of what a model does not know, it says nothing
    titles   what each of them is called in reasons
    bounds   int64[segments - 1]  how many items a history has at least in the second, the third, ... segment
    weights  float64[segments, models]

    Fusing scores, reasons are exact where those of the models are. A rank is no sum over a history: fusing ranks, what
    a model's rank adds is parted like the model's own reasons, which is not exact.

    >>> from segue.domain.requests import Histories
    >>> from segue.learn.ease import LinearItems
    >>> linear = LinearItems(Items(["x", "y"]), np.array([0, 1], np.int32), np.array([[0, 0.5], [0.5, 0]], np.float32))
    >>> blend = BlendedItems.of([linear], ["ease"], np.empty(0, np.int64), np.ones((1, 1)), "scores")
    >>> blend.scores(Requests(Histories.of([[0], []]))).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """

    models: tuple[Recommender, ...]
    titles: tuple[str, ...]
    bounds: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    fusion: Fusion

    @classmethod
    def of(
        cls,
        models: Sequence[Recommender],
        titles: Sequence[str],
        bounds: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float64],
        fusion: Fusion,
    ) -> Self:
        """The blend over all items that any of the models knows, in canonical order."""
        first = models[0].items
        same = all(model.items == first for model in models)
        items = first if same else Items(sorted(set().union(*(model.items.ids for model in models))))
        return cls(items, tuple(models), tuple(titles), bounds, weights, fusion)

    def score_rows(self, rows: Rows, requests: Requests) -> Scores:
        segment = segments_of(np.diff(rows.offsets), self.bounds)
        weights = self.weights[segment].astype(np.float32)
        scores = np.zeros((len(requests), len(self.items)), np.float32)
        for place, said in enumerate(self._each(requests)):
            scores += weights[:, place, None] * said
        return scores

    def said(self, requests: Requests) -> Scores:
        """float32[models, rows, items]: what each model says, before it is weighed."""
        return np.stack(list(self._each(requests)))

    def rows_at_once(self) -> int:
        return max(1, super().rows_at_once() // 2)

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        [segment] = segments_of(np.diff(self.rows(requests).offsets), self.bounds)
        added: list[list[_Added]] = [[] for _ in items]
        for place, model in enumerate(self.models):
            for number, part in self._reasons_of(place, model, requests, items, float(self.weights[segment, place])):
                added[number].append(part)
        return [_together(item, parts) for item, parts in zip(items.tolist(), added, strict=True)]

    @property
    def personal(self) -> bool:  # type: ignore[override]  # of a blend it is its models that say
        """Whether any model looks at the history, or its length decides what they weigh."""
        return any(model.personal for model in self.models) or len(self.weights) > 1

    @property
    def note(self) -> str:
        """How much each model weighs, from the segment where it is least to that where it is most; what each says."""
        shares = self.weights / np.maximum(self.weights.sum(axis=1, keepdims=True), 1e-300)
        weighs = [f"{title} {_from_to(share)}" for title, share in zip(self.titles, shares.T, strict=True)]
        told = ((title, getattr(model, "note", "")) for title, model in zip(self.titles, self.models, strict=True))
        return "; ".join(["weighs " + ", ".join(weighs), *(f"{title} {note}" for title, note in told if note)])

    @property
    def nbytes(self) -> int:
        return self.bounds.nbytes + self.weights.nbytes + sum(model.nbytes for model in self.models)

    def save(self, folder: Path) -> None:
        """Each model in a folder of its own, by number; the weights beside."""
        np.save(folder / "weights.npy", self.weights)
        np.save(folder / "bounds.npy", self.bounds)
        for place, model in enumerate(self.models):
            inner = folder / str(place)
            inner.mkdir()
            model.save(inner)
            if model.items != self.items:
                save_ids(inner, model.items)
        learners = [learner_of(model) for model in self.models]
        told = {"learners": learners, "titles": self.titles, "fusion": self.fusion}
        (folder / NUMBERS).write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, items: Items) -> Self:
        try:
            told = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
            weights, bounds = np.load(folder / "weights.npy"), np.load(folder / "bounds.npy")
            models = tuple(
                learner_type(name).recommender.load(folder / str(place), _vocabulary(folder / str(place), items))
                for place, name in enumerate(told["learners"])
            )
            return cls(items, models, tuple(told["titles"]), bounds, weights, told["fusion"])
        except (OSError, ValueError, KeyError, TypeError, UnknownName) as error:
            raise ModelError(
                f"the blend cannot be read ({error})", where=str(folder), mend="train the model again"
            ) from error

    def _each(self, requests: Requests) -> Iterator[Scores]:
        """float32[rows, items] of one model after the other."""
        for place, model in enumerate(self.models):
            said = self._fused(model.scores(self._translated(place, requests)))
            yield said if self._theirs[place] is None else _widened(said, self._theirs[place])

    def _fused(self, scores: Scores) -> Scores:
        """What is summed of a model's scores, in the model's own vocabulary."""
        if self.fusion == "scores":
            return _of_length_one(scores)
        positions, _ = best(np.where(scores == 0, np.float32(-np.inf), scores), min(RANKED, scores.shape[1]))
        ranked = np.zeros((len(scores), scores.shape[1] + 1), np.float32)  # the last column is that of position -1
        worth = (1 / (SOFTENED + np.arange(1, positions.shape[1] + 1))).astype(np.float32)
        np.put_along_axis(ranked, positions, np.broadcast_to(worth, positions.shape), axis=1)
        return ranked[:, :-1]

    def _reasons_of(
        self, place: int, model: Recommender, requests: Requests, items: npt.NDArray[np.int32], weight: float
    ) -> Iterator[tuple[int, _Added]]:
        """Of each of `items` that the model knows, by its number: what the model adds to its score, and why."""
        theirs, asked = self._theirs[place], self._translated(place, requests)
        own = items if theirs is None else theirs[items]
        known = np.flatnonzero(own != UNKNOWN)
        if not len(known) or not weight:
            return
        scores = model.scores(asked)
        said = self._fused(scores)[0, own[known]] * weight
        for number, value, told in zip(known.tolist(), said.tolist(), model.reasons(asked, own[known]), strict=True):
            if value:
                parts = self._scaled(told, value, place)
                yield number, _Added(value, parts, told.exact and self.fusion == "scores")

    def _scaled(self, told: Reasons, value: float, place: int) -> tuple[Contribution, ...]:
        """A model's contributions, in our positions, that sum to what the model adds."""
        whole = sum(part.score for part in told.contributions)
        if not whole:
            return (Contribution(value, label=self.titles[place]),)
        ours = self._ours[place]
        return tuple(
            Contribution(
                part.score * value / whole,
                part.item if part.item is None or ours is None else int(ours[part.item]),
                part.label,
            )
            for part in told.contributions
        )

    def _translated(self, place: int, requests: Requests) -> Requests:
        theirs = self._theirs[place]
        if theirs is None:
            return requests
        return Requests(requests.histories.translated(theirs), requests.now, requests.contexts)

    @cached_property
    def _theirs(self) -> list[npt.NDArray[np.int32] | None]:
        """By model, the position of each of our items in its vocabulary, or None where that is ours."""
        return [None if model.items == self.items else self.items.translation(model.items) for model in self.models]

    @cached_property
    def _ours(self) -> list[npt.NDArray[np.int32] | None]:
        return [None if model.items == self.items else model.items.translation(self.items) for model in self.models]


@dataclass(frozen=True)
class _Added:
    """What one model adds to the score of one item."""

    score: float
    contributions: tuple[Contribution, ...]
    exact: bool


def segments_of(items: npt.NDArray[np.integer], bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """int64[rows]: the segment of histories of so many distinct items.

    >>> segments_of(np.array([1, 5, 9]), np.array([5, 8])).tolist()
    [0, 1, 2]
    """
    return np.searchsorted(bounds, items, side="right").astype(np.int64)


def _together(item: int, added: Sequence[_Added]) -> Reasons:
    """One contribution for each item of the history, and for each label, whichever models it comes from."""
    sums: dict[tuple[int | None, str], float] = {}
    for part in added:
        for each in part.contributions:
            sums[each.item, each.label] = sums.get((each.item, each.label), 0.0) + each.score
    contributions = tuple(Contribution(score, place, label) for (place, label), score in sums.items())
    return Reasons(item, sum(part.score for part in added), contributions, all(part.exact for part in added))


def _of_length_one(scores: Scores) -> Scores:
    """float32[rows, items]: each row over its length as a vector; one of zeros stays so."""
    largest = np.abs(scores).max(axis=1, initial=0)
    scaled: Scores = (scores / np.where(largest, largest, 1)[:, None]).astype(np.float32)  # squares overflow, or vanish
    lengths = np.sqrt(np.einsum("ri,ri->r", scaled, scaled, dtype=np.float64)).astype(np.float32)
    scaled /= np.maximum(lengths, 1)[:, None]  # the largest is 1, or all are 0
    return scaled


def _widened(said: Scores, theirs: npt.NDArray[np.int32] | None) -> Scores:
    """A model's scores in our positions; 0 for items that it does not know."""
    widened: Scores = np.append(said, np.zeros((len(said), 1), np.float32), axis=1)[:, theirs]
    return widened


def _vocabulary(folder: Path, items: Items) -> Items:
    return load_ids(folder) if (folder / IDS).is_file() else items


def _from_to(shares: npt.NDArray[np.floating]) -> str:
    """The least and the largest, once where they read the same."""
    return " to ".join(dict.fromkeys((f"{shares.min():.0%}", f"{shares.max():.0%}")))
