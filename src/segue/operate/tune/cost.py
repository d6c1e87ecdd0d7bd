"""What a trial will take: in proportion to the cuts, by a power law of the people and of what makes a model larger."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segue.learn.ranges import Range, Whole
from segue.operate.tune.cuts import covers
from segue.operate.tune.space import place
from segue.operate.tune.study import Trial

GROWTH = 1.0  # the power of the share that seconds grow with, before trials tell
TRUST = 0.5  # in what is believed before, in trials
STEEPEST = 2.0
LEAST_S = 1e-3
NOT_INSIDE = 0.5  # the place that is taken for a value outside of its range, such as None


def predicted(
    trials: Sequence[Trial], ranges: Mapping[str, Range], setting: Mapping[str, Any], share: float, cuts: int = 1
) -> float | None:
    """Seconds that a setting takes on a share of the cuts or people; None before the first trial that did not fail.

    Each cut is a fit and a judging of its own, so seconds are in proportion to how many are in the share
    (`cuts.covers`). The logarithm of the seconds of one is linear in the log of the share of its people and in the
    places of the parameters in their ranges: least squares, drawn to what is believed before (ridge): seconds grow with
    the people to the power `GROWTH`, and with a whole number on a log scale (factors, neighbours) in proportion.
    Last, what trials on the same share took more or less than that is added, as a power law of people is not exact.
    """
    done = [trial for trial in trials if not trial.failed]
    if not done:
        return None
    believed = np.array([GROWTH, *(_growth(each) for each in ranges.values())])
    rows = np.array([_features(ranges, trial.parameters, covers(trial.share, cuts)[1]) for trial in done])
    seconds = np.log([max(trial.seconds, LEAST_S) / covers(trial.share, cuts)[0] for trial in done])
    rest = seconds - rows @ believed
    middle, level = rows.mean(axis=0), rest.mean()
    centred = rows - middle
    ridge = centred.T @ centred + TRUST * np.eye(len(believed))
    slopes = believed + np.linalg.solve(ridge, centred.T @ (rest - level))
    slopes[0] = min(max(slopes[0], 0.0), STEEPEST)
    rest = seconds - rows @ slopes
    level = float(rest.mean())
    same = np.array([trial.share == share for trial in done])
    level += float((rest[same] - level).sum()) / (int(same.sum()) + TRUST)
    number, people = covers(share, cuts)
    return number * float(math.exp(min(level + _features(ranges, setting, people) @ slopes, 50.0)))


def _features(ranges: Mapping[str, Range], setting: Mapping[str, Any], people: float) -> Any:
    places = (place(each, setting.get(name)) for name, each in ranges.items())
    return np.array([math.log(people), *(NOT_INSIDE if each is None else each for each in places)])


def _growth(each: Range) -> float:
    return math.log(each.high / each.low) if isinstance(each, Whole) and each.log else 0.0


__all__ = ["predicted"]
