"""Whether two models differ by more than chance over the same people: permutation, Holm, what can be seen.

If two models were alike, either could have had either value of a person: each sign is a coin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np

from segue.measure.lists import Floats
from segue.measure.statistics import POWER

EXACT = 14  # people up to whom all 2^n signs are tried
CELLS = 8_000_000  # of rounds x people in one batch
CLOSE = 1e-9  # of the largest sum: what differs by less is the same but for rounding


def sign_flips(differences: Floats, rounds: int, seed: int) -> Floats:
    """float64[columns]: the two-sided p-value of each column of `differences` float64[people, columns].

    How often the sum of differences with random signs is at least as far from zero as it is: over all 2^n of them for
    up to `EXACT` people, else (b + 1) / (m + 1) of m random rounds with b such: Fisher 1935; Phipson, Smyth 2010,
    doi 10.2202/1544-6115.1585. NaN is a person without a value. All columns see the same signs.

    >>> sign_flips(np.array([[1.0], [2.0], [3.0]]), 100, 0)
    array([0.25])
    """
    values = np.nan_to_num(differences)
    people, columns = values.shape
    if not columns or not people:
        return np.ones(columns)
    observed = np.abs(values.sum(axis=0)) - CLOSE * np.abs(values).sum(axis=0)
    exact = people <= EXACT
    total = 2**people if exact else rounds
    random = np.random.default_rng(seed)
    extreme = np.zeros(columns, np.int64)
    size = max(1, CELLS // people)
    for start in range(0, total, size):
        count = min(size, total - start)
        signs = _all_signs(start, count, people) if exact else _random_signs(random, count, people)
        extreme += (np.abs(signs @ values) >= observed).sum(axis=0)
    return np.asarray(extreme / total if exact else (extreme + 1) / (total + 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The p-values corrected for their number, so that all of them together are wrong as seldom as one: Holm 1979.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    corrected, largest = {}, 0.0
    ordered = sorted(p_values, key=lambda name: p_values[name])
    for place, name in enumerate(ordered):
        largest = max(largest, min((len(ordered) - place) * p_values[name], 1.0))
        corrected[name] = largest
    return corrected


def detectable(differences: Floats, confidence: float, power: float = POWER) -> Floats:
    """float64[columns]: the mean difference that these people would show `power` of times, by the normal approximation.

    (z(1 - alpha / 2) + z(power)) s / sqrt(n), s the standard deviation of one person's difference (Cohen 1988, chapter
    2, paired). NaN where fewer than two people have a value.
    """
    quantiles = NormalDist().inv_cdf(0.5 + confidence / 2) + NormalDist().inv_cdf(power)
    valid = ~np.isnan(differences)
    people = valid.sum(axis=0)
    values = np.where(valid, differences, 0.0)
    mean = values.sum(axis=0) / np.maximum(people, 1)
    squares = (np.where(valid, differences - mean, 0.0) ** 2).sum(axis=0)
    variance = squares / np.maximum(people - 1, 1)
    return np.asarray(np.where(people > 1, quantiles * np.sqrt(variance / np.maximum(people, 1)), math.nan))


def _all_signs(start: int, count: int, people: int) -> Floats:
    bits = np.arange(start, start + count)[:, None] >> np.arange(people) & 1
    return np.asarray(1.0 - 2.0 * bits, np.float64)


def _random_signs(random: np.random.Generator, count: int, people: int) -> Floats:
    drawn = np.frombuffer(random.bytes(count * -(-people // 8)), np.uint8).reshape(count, -1)
    return np.asarray(1.0 - 2.0 * np.unpackbits(drawn, axis=1, count=people), np.float64)
