"""Models held against what people did next: every metric with an interval, every model beside the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories
from segue.measure.bootstrap import Estimate, estimates, resampled_means
from segue.measure.familiarity import Familiarity
from segue.measure.heldout import Drawn, HeldBack, HeldOut, findable
from segue.measure.lists import Floats
from segue.measure.metrics import accuracy, coverage, novelty
from segue.measure.ranking import Ranking, rank
from segue.measure.settings import EvaluationSettings
from segue.measure.tied import ties
from segue.measure.ties import Ties

PEOPLE = 50_000  # whose metrics are computed at once

Advance = Callable[[str, float], None]


class ModelResult(msgspec.Struct, frozen=True):
    """What one model reached. `differences` are to the baseline, over the same people; empty for the baseline."""

    model: str
    metrics: dict[str, Estimate]
    differences: dict[str, Estimate]
    microseconds_per_person: float
    bytes: int
    fit_seconds: float | None = None


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


def evaluate(
    recommenders: Mapping[str, Recommender],
    test: HeldOut,
    items: Items,
    settings: EvaluationSettings | None = None,
    *,
    split: Drawn | None = None,
    familiarity: Familiarity | None = None,
    fit_seconds: Mapping[str, float] | None = None,
    progress: Advance | None = None,
) -> Evaluation:
    """Rank all items for every person of `test` with every model, and measure the lists.

    `items` is the vocabulary of `test` (and of `familiarity`, without which there is no novelty). With
    `settings.seen == "excluded"` lists have no item of the person's own history, and such items do not count as
    something to find; people for whom nothing is left to find are left out. An item counts once a person, however
    often it occurs. Events on items and of people that the training part never saw are not in `test`: a split leaves
    them out, and `split` carries the count of them into the result. A model that knows fewer items than the training
    part (one that was trained elsewhere) is held to all of the truth, and misses what it does not know.
    Raises DataError where nobody is left.
    """
    settings = settings or EvaluationSettings()
    people = findable(test, len(items), settings.seen)
    measured: dict[str, _Measured] = {}
    for number, (name, recommender) in enumerate(recommenders.items()):
        done = _part_of(progress, f"ranking: {name}", number / len(recommenders), 1 / len(recommenders))
        ranking = rank(recommender, people, items, max(settings.k), seen=settings.seen, progress=done)
        tied = ties(recommender, people, items, ranking, seen=settings.seen)
        measured[name] = _measure(ranking, tied, people.truth, len(items), settings, familiarity)
    baseline = settings.baseline if settings.baseline in measured else None
    intervals = _intervals(measured, baseline, settings)
    results = (
        ModelResult(
            model=name,
            metrics=intervals[name][0] | part.coverage,
            differences=intervals[name][1],
            microseconds_per_person=part.microseconds,
            bytes=recommenders[name].nbytes,
            fit_seconds=(fit_seconds or {}).get(name),
        )
        for name, part in measured.items()
    )
    return Evaluation(
        models=tuple(results),
        people=len(people.truth),
        items=len(items),
        without_truth=people.without_truth,
        repeats=people.repeats,
        baseline=baseline,
        settings=settings,
        split=HeldBack.of(split) if split else None,
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    """Per-person values of one model, float64[people, names], and what belongs to the model as a whole."""

    names: tuple[str, ...]
    values: Floats
    coverage: dict[str, Estimate]
    microseconds: float


def _measure(
    ranking: Ranking, tied: Ties, truth: Histories, items: int, settings: EvaluationSettings, known: Familiarity | None
) -> _Measured:
    parts: list[Floats] = []
    names: tuple[str, ...] = ()
    for start in range(0, len(truth), PEOPLE):
        lists = ranking.lists[start : start + PEOPLE]
        values = accuracy(lists, truth.rows(start, start + PEOPLE), settings.k, tied.rows(start, start + PEOPLE))
        if known is not None:
            values |= novelty(lists, known, settings.k)
        names = tuple(values)
        parts.append(np.column_stack(list(values.values())))
    covered = {name: Estimate(value) for name, value in coverage(ranking.lists, items, settings.k).items()}
    return _Measured(names, np.concatenate(parts), covered, ranking.microseconds_per_person)


_Named = dict[str, Estimate]


def _intervals(
    measured: Mapping[str, _Measured], baseline: str | None, settings: EvaluationSettings
) -> dict[str, tuple[_Named, _Named]]:
    """Each model's metrics and its differences to the baseline, all from the same resamples of the people."""
    if not measured:
        return {}
    values = np.concatenate([part.values for part in measured.values()], axis=1)
    resampled = resampled_means(values, settings.bootstrap, settings.seed)
    widths = np.cumsum([0, *(len(part.names) for part in measured.values())])
    places = {name: slice(widths[row], widths[row + 1]) for row, name in enumerate(measured)}
    base = places[baseline] if baseline is not None else None
    result = {}
    for name, place in places.items():
        names = measured[name].names
        own = estimates(values[:, place], resampled[:, place], settings.confidence)
        differences: list[Estimate] = []
        if base is not None and name != baseline:
            differences = estimates(
                values[:, place] - values[:, base], resampled[:, place] - resampled[:, base], settings.confidence
            )
        result[name] = dict(zip(names, own, strict=True)), dict(zip(names, differences, strict=False))
    return result


def _part_of(progress: Advance | None, label: str, start: float, share: float) -> Callable[[float], None] | None:
    if progress is None:
        return None
    return lambda done: progress(label, start + share * done)
