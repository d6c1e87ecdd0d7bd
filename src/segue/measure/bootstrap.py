"""Intervals by resampling people: the same resamples for every metric and model, so that differences are paired."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from segue.measure.lists import Floats

CELLS = 16_000_000  # of resamples x people in one chunk: 128 MB of weights


class Estimate(msgspec.Struct, frozen=True):
    """A mean over people and its interval; `low` and `high` are None where there is nothing to resample.

    `people` says over how many it is where that is not all of them; the value is NaN where it is nobody.
    """

    value: float
    low: float | None = None
    high: float | None = None
    people: int | None = None


def resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """float64[resamples, columns]: the mean of each column of `values` float64[people, columns] in each resample.

    A resample draws as many people as there are, with replacement (Efron 1979). The draws depend on `seed` and on the
    number of people alone, so two calls on the same people can be subtracted from one another. A person whose value is
    NaN does not count in its column; where a resample has nobody else, its mean is NaN.
    """
    people = len(values)
    result = np.empty((resamples, values.shape[1]))
    some = np.isnan(values).any(axis=0)
    there = ~np.isnan(values[:, some])
    values = np.nan_to_num(values) if some.any() else values
    random = np.random.default_rng(seed)
    size = max(1, CELLS // max(people, 1))
    for start in range(0, resamples, size):
        weights = np.empty((min(size, resamples - start), people))
        for row in weights:
            row[:] = _draw(random, people)
        batch = weights @ values
        with np.errstate(invalid="ignore"):
            batch[:, some] /= weights @ there
        batch[:, ~some] /= people
        result[start : start + len(weights)] = batch
    return result


def estimates(values: Floats, resampled: Floats, confidence: float) -> list[Estimate]:
    """The mean of each column with its percentile interval; columns as in `resampled_means`."""
    there = (~np.isnan(values)).sum(axis=0)
    return [
        _estimate(values[:, column], resampled[:, column], confidence, int(there[column]))
        for column in range(values.shape[1])
    ]


def _estimate(values: Floats, resampled: Floats, confidence: float, people: int) -> Estimate:
    told = None if people == len(values) else people
    if not people:
        return Estimate(float("nan"), people=told)
    mean = float(np.nanmean(values))
    if people < 2:
        return Estimate(mean, people=told)
    low, high = interval(resampled, confidence)
    return Estimate(mean, low, high, told)


def interval(resampled: Floats, confidence: float) -> tuple[float, float]:
    """The middle `confidence` of resampled values."""
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(resampled[~np.isnan(resampled)], [tail, 1.0 - tail])
    return float(low), float(high)


def _draw(random: np.random.Generator, people: int) -> npt.NDArray[np.int64]:
    """How often each person is drawn: a multinomial draw, as counts of uniform draws (much faster than NumPy's own)."""
    return np.bincount(random.integers(0, people, people), minlength=people)
