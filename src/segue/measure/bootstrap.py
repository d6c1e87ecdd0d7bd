"""Intervals by resampling people: the same resamples for every metric and model, so that differences are paired."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from segue.measure.lists import Floats

CELLS = 16_000_000  # of resamples x people in one chunk: 128 MB of weights


class Estimate(msgspec.Struct, frozen=True):
    """A mean over people and its interval; `low` and `high` are None where there is nothing to resample."""

    value: float
    low: float | None = None
    high: float | None = None


def resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """float64[resamples, columns]: the mean of each column of `values` float64[people, columns] in each resample.

    A resample draws as many people as there are, with replacement (Efron 1979). The draws depend on `seed` and on the
    number of people alone, so two calls on the same people can be subtracted from one another.
    """
    people = len(values)
    result = np.empty((resamples, values.shape[1]))
    random = np.random.default_rng(seed)
    size = max(1, CELLS // max(people, 1))
    for start in range(0, resamples, size):
        weights = np.empty((min(size, resamples - start), people))
        for row in weights:
            row[:] = _draw(random, people)
        result[start : start + len(weights)] = weights @ values / people
    return result


def estimates(values: Floats, resampled: Floats, confidence: float) -> list[Estimate]:
    """The mean of each column with its percentile interval; columns as in `resampled_means`."""
    means = values.mean(axis=0)
    if len(values) < 2:
        return [Estimate(float(mean)) for mean in means]
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(resampled, [tail, 1.0 - tail], axis=0)
    return [Estimate(float(mean), float(a), float(b)) for mean, a, b in zip(means, low, high, strict=True)]


def _draw(random: np.random.Generator, people: int) -> npt.NDArray[np.int64]:
    """How often each person is drawn: a multinomial draw, as counts of uniform draws (much faster than NumPy's own)."""
    return np.bincount(random.integers(0, people, people), minlength=people)
