"""Models held against what people did next: every metric with an interval, every model beside the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.measure.bootstrap import Estimate
from segue.measure.compared import compared
from segue.measure.familiarity import Familiarity
from segue.measure.heldout import Drawn, Findable, HeldBack, HeldOut, findable
from segue.measure.measured import Background, Measured, measure, measure_items
from segue.measure.ranking import rank
from segue.measure.settings import EvaluationSettings
from segue.measure.slices import Part, parts
from segue.measure.tied import ties

FEW = 50  # people, below which a slice says that it has few

Advance = Callable[[str, float], None]


class ModelResult(msgspec.Struct, frozen=True):
    """What one model reached.

    `differences` are to the baseline, over the same people, `p_values` theirs by paired permutation, not yet corrected
    for their number, and `detectable` the smallest difference that these people would show 8 times in 10. All three are
    empty for the baseline. `unlisted` is how many people got an empty list.
    """

    model: str
    metrics: dict[str, Estimate]
    differences: dict[str, Estimate]
    microseconds_per_person: float
    bytes: int
    fit_seconds: float | None = None
    p_values: dict[str, float] = {}
    detectable: dict[str, float] = {}
    unlisted: int = 0


class SlicedModel(msgspec.Struct, frozen=True):
    """What one model reached in one part of a slice."""

    model: str
    metrics: dict[str, Estimate]
    differences: dict[str, Estimate]


class SliceResult(msgspec.Struct, frozen=True):
    """One part of a slice: how many people it has, whether these are few, and every model on it."""

    slice: str
    part: str
    people: int
    few: bool
    models: tuple[SlicedModel, ...]


class Evaluation(msgspec.Struct, frozen=True):
    """What all models reached on the same people, and what was left out on the way (see `heldout.Findable`).

    `baseline` is None where the baseline is not among the models, `split` where it was not told.
    """

    models: tuple[ModelResult, ...]
    people: int
    items: int
    without_truth: int
    repeats: int
    baseline: str | None
    settings: EvaluationSettings
    split: HeldBack | None = None
    slices: tuple[SliceResult, ...] = ()


def evaluate(
    recommenders: Mapping[str, Recommender],
    test: HeldOut,
    items: Items,
    settings: EvaluationSettings | None = None,
    *,
    split: Drawn | None = None,
    familiarity: Familiarity | None = None,
    content: pa.Table | None = None,
    users: Mapping[str, Sequence[Any]] | None = None,
    fit_seconds: Mapping[str, float] | None = None,
    progress: Advance | None = None,
) -> Evaluation:
    """Rank all items for every person of `test` with every model, and measure the lists.

    `items` is the vocabulary of `test`, of `familiarity`, without which there is no novelty, and of `content`
    (`engines.content`), without which there are no categories. `users` has columns to slice by, one value a person of
    `test`. With `settings.seen == "excluded"` lists have no item of the person's own history, and such items do not
    count as something to find; people for whom nothing is left to find are left out. An item counts once a person,
    however often it occurs. Events of people that the training part never saw are not in `test`, and those on items
    that it never saw only where they count: a split leaves them out, and `split` carries the count of them into the
    result. A model that knows fewer items than the training part (one that was trained elsewhere) is held to all of the
    truth, and misses what it does not know. Scores that are equal are measured in expectation (`measure.ties`).
    Raises DataError where nobody is left, or where the data lack what a metric or slice goes by.
    """
    settings = settings or EvaluationSettings()
    people = findable(test, len(items), settings.seen)
    background = Background(len(items), familiarity, content)
    metrics = background.metrics(settings)
    columns = {name: [values[row] for row in people.rows.tolist()] for name, values in (users or {}).items()}
    sliced = parts(settings.slices, people, background, columns)
    held = _Held(people, items, background, settings, metrics, sliced)
    measured: dict[str, _OfModel] = {}
    for number, (name, recommender) in enumerate(recommenders.items()):
        done = _part_of(progress, f"ranking: {name}", number / len(recommenders), 1 / len(recommenders))
        measured[name] = held.measured(recommender, done)
    baseline = settings.baseline if settings.baseline in measured else None
    results = compared({name: found.whole for name, found in measured.items()}, baseline, settings)
    return Evaluation(
        models=tuple(
            ModelResult(
                name,
                found.metrics,
                found.differences,
                measured[name].microseconds,
                recommenders[name].nbytes,
                (fit_seconds or {}).get(name),
                found.p_values,
                found.detectable,
                measured[name].unlisted,
            )
            for name, found in results.items()
        ),
        people=len(people.truth),
        items=len(items),
        without_truth=people.without_truth,
        repeats=people.repeats,
        baseline=baseline,
        settings=settings,
        split=HeldBack.of(split) if split else None,
        slices=tuple(
            _slice(part, {name: found.parts[place] for name, found in measured.items()}, baseline, settings)
            for place, part in enumerate(sliced)
        ),
    )


@dataclass(frozen=True)
class _OfModel:
    whole: Measured
    parts: list[Measured]
    microseconds: float
    unlisted: int


@dataclass(frozen=True)
class _Held:
    """What every model is held to."""

    people: Findable
    items: Items
    background: Background
    settings: EvaluationSettings
    metrics: tuple[str, ...]
    sliced: list[Part]

    def measured(self, recommender: Recommender, progress: Callable[[float], None] | None) -> _OfModel:
        """One model's lists, made, measured and left behind."""
        cuts, seen = self.settings.k, self.settings.seen
        ranking = rank(recommender, self.people, self.items, max(cuts), seen=seen, progress=progress)
        tied = ties(recommender, self.people, self.items, ranking, seen=seen)
        whole = measure(ranking.lists, tied, self.people, self.background, self.metrics, cuts)
        found = [
            measure_items(ranking.lists, tied, self.people, part.items, cuts)
            if part.items is not None
            else whole.of(part.people)
            for part in self.sliced
        ]
        unlisted = int((ranking.lists < 0).all(axis=1).sum())
        return _OfModel(whole, found, ranking.microseconds_per_person, unlisted)


def _slice(
    part: Part, found: Mapping[str, Measured], baseline: str | None, settings: EvaluationSettings
) -> SliceResult:
    people = max((len(each.values) for each in found.values()), default=0)
    results = compared(found, baseline, settings)
    models = tuple(SlicedModel(name, each.metrics, each.differences) for name, each in results.items())
    return SliceResult(part.slice, part.name, people, people < FEW, models)


def _part_of(progress: Advance | None, label: str, start: float, share: float) -> Callable[[float], None] | None:
    if progress is None:
        return None
    return lambda done: progress(label, start + share * done)
