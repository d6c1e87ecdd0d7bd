"""What each parameter does: how much of the spread of the metric is its own, and where it is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segue.learn.ranges import Choice, Range, Whole
from segue.operate.tune.space import place, plain, readable
from segue.operate.tune.study import Trial

BINS = 4  # that a range is cut into, at most
LEAST = 8  # trials, with fewer there is nothing to say
SHRINKAGE = 2.0  # trials of the common mean that are added to each bin


class Effect(msgspec.Struct, frozen=True):
    """What one parameter does to the metric.

    share  of the variance between settings that it explains by itself (a main effect: omega squared, Hays 1963, which
           takes off what as many bins would explain by chance); 0 to 1
    best   in words, where the metric is highest: a part of the range, or a value
    mean   of the metric there, drawn to the mean of all where trials are few
    """

    parameter: str
    share: float
    best: str
    mean: float


def effects(trials: Sequence[Trial], ranges: Mapping[str, Range]) -> list[Effect]:
    """The parameters, the most telling first; from the share of the people that most settings were tried on."""
    done = _most_tried([trial for trial in trials if not trial.failed])
    if len(done) < LEAST:
        return []
    values = np.array([trial.value for trial in done])
    found = [_effect(name, each, done, values) for name, each in ranges.items()]
    return sorted((each for each in found if each is not None), key=lambda each: (-each.share, each.parameter))


def _effect(name: str, each: Range, trials: Sequence[Trial], values: npt.NDArray[np.float64]) -> Effect | None:
    places = [place(each, trial.parameters.get(name)) for trial in trials]
    inside = np.array([where is not None for where in places])
    if inside.sum() < LEAST:
        return None
    values = values[inside]
    bins = _bins(each, len(values))
    edges = np.minimum((np.array([where for where in places if where is not None]) * bins).astype(int), bins - 1)
    count = np.bincount(edges, minlength=bins)
    sums = np.bincount(edges, values, minlength=bins)
    shrunk = (sums + SHRINKAGE * values.mean()) / (count + SHRINKAGE)
    best = int(np.argmax(np.where(count > 0, shrunk, -np.inf)))
    return Effect(name, explained(edges, values), _words(each, best, bins), float(shrunk[best]))


def explained(groups: npt.NDArray[np.integer], values: npt.NDArray[np.float64]) -> float:
    """Omega squared: the share of the variance that lies between groups, less what chance alone would put there.

    >>> explained(np.array([0, 0, 1, 1]), np.array([1.0, 1.1, 2.0, 2.1])) > 0.9
    True
    """
    count = np.bincount(groups)
    filled = count > 0
    means = np.bincount(groups, values)[filled] / count[filled]
    total = float(((values - values.mean()) ** 2).sum())
    between = float((count[filled] * (means - values.mean()) ** 2).sum())
    groups_met = int(filled.sum())
    if total <= 0 or len(values) <= groups_met:
        return 0.0
    within = (total - between) / (len(values) - groups_met)
    return min(max((between - (groups_met - 1) * within) / (total + within), 0.0), 1.0)


def _most_tried(trials: list[Trial]) -> list[Trial]:
    shares = sorted({trial.share for trial in trials}, reverse=True)
    most = max(shares, key=lambda share: sum(trial.share == share for trial in trials), default=None)
    return [trial for trial in trials if trial.share == most]


def _bins(each: Range, trials: int) -> int:
    if isinstance(each, Choice):
        return len(each.values)
    wanted = max(2, min(BINS, trials // 4))
    return min(wanted, each.high - each.low + 1) if isinstance(each, Whole) else wanted


def _words(each: Range, best: int, bins: int) -> str:
    if isinstance(each, Choice):
        return str(plain(each.values[best]))
    low, high = (_number(readable(each.at(edge / bins), each)) for edge in (best, best + 1))
    return f"{low} to {high}"


def _number(value: Any) -> str:
    return f"{value:g}"


__all__ = ["Effect", "effects", "explained"]
