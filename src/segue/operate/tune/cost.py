"""What a trial will take: a power law in the share of the people and in what makes a model larger."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segue.learn.ranges import Range, Whole
from segue.operate.tune.space import place
from segue.operate.tune.study import Trial

GROWTH = 1.0  # the power of the share that seconds grow with, before trials tell
TRUST = 0.5  # in what is believed before, in trials
STEEPEST = 2.0
LEAST_S = 1e-3
NOT_INSIDE = 0.5  # the place that is taken for a value outside of its range, such as None


def predicted(
    trials: Sequence[Trial], ranges: Mapping[str, Range], setting: Mapping[str, Any], share: float
) -> float | None:
    """Seconds that a setting takes on a share of the people; None before the first trial that did not fail.

    The logarithm of the seconds is linear in the log of the share and in the places of the parameters in their ranges:
    least squares, drawn to what is believed before (ridge): seconds grow with the share to the power `GROWTH`, and
    with a whole number on a log scale (factors, neighbours) in proportion.
    """
    done = [trial for trial in trials if not trial.failed]
    if not done:
        return None
    believed = np.array([GROWTH, *(_growth(each) for each in ranges.values())])
    rows = np.array([_features(ranges, trial.parameters, trial.share) for trial in done])
    seconds = np.log([max(trial.seconds, LEAST_S) for trial in done])
    rest = seconds - rows @ believed
    middle, level = rows.mean(axis=0), rest.mean()
    centred = rows - middle
    ridge = centred.T @ centred + TRUST * np.eye(len(believed))
    slopes = believed + np.linalg.solve(ridge, centred.T @ (rest - level))
    slopes[0] = min(max(slopes[0], 0.0), STEEPEST)
    level = float((seconds - rows @ slopes).mean())
    return float(math.exp(min(level + _features(ranges, setting, share) @ slopes, 50.0)))


def _features(ranges: Mapping[str, Range], setting: Mapping[str, Any], share: float) -> Any:
    places = (place(each, setting.get(name)) for name, each in ranges.items())
    return np.array([math.log(share), *(NOT_INSIDE if each is None else each for each in places)])


def _growth(each: Range) -> float:
    return math.log(each.high / each.low) if isinstance(each, Whole) and each.log else 0.0


__all__ = ["predicted"]
