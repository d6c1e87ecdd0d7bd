"""Intervals over people: the right width, paired, repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from segue.measure import bootstrap
from segue.measure.bootstrap import Estimate, estimates, resampled_means


def interval(values: np.ndarray, seed: int = 0) -> Estimate:
    table = values[:, None]
    return estimates(table, resampled_means(table, 1000, seed), 0.95)[0]


def test_the_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(3, 2, 4000)
    estimate = interval(values)
    error = values.std() / np.sqrt(len(values))
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.high - estimate.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.08)


def test_intervals_hold_the_truth():
    """200 samples of 300 people with a share of 0.3 who have a hit: the 95 % interval holds it 92 to 98 % of times."""
    random = np.random.default_rng(7)
    values = (random.random((300, 200)) < 0.3).astype(float)
    found = estimates(values, resampled_means(values, 1000, 1), 0.95)
    held = np.mean([estimate.low <= 0.3 <= estimate.high for estimate in found])
    assert 0.92 <= held <= 0.98


def test_chunks_do_not_change_the_draws(monkeypatch):
    values = np.random.default_rng(0).random((50, 3))
    whole = resampled_means(values, 40, 3)
    monkeypatch.setattr(bootstrap, "CELLS", 350)
    assert np.allclose(resampled_means(values, 40, 3), whole, rtol=1e-12)
    assert not np.allclose(resampled_means(values, 40, 4), whole)


def test_a_paired_difference_is_narrower_than_two_intervals():
    random = np.random.default_rng(0)
    base = random.normal(0, 1, 500)
    better = base + random.normal(0.05, 0.1, 500)
    table = np.column_stack([base, better])
    resampled = resampled_means(table, 1000, 0)
    gap = estimates(table[:, 1:] - table[:, :1], resampled[:, 1:] - resampled[:, :1], 0.95)[0]
    assert 0 < gap.low < gap.value < gap.high
    assert gap.high - gap.low < 0.3 * (interval(base).high - interval(base).low)


def test_one_person_has_no_interval():
    assert interval(np.array([0.5])) == Estimate(0.5)


def test_equal_people_have_an_interval_of_no_width():
    estimate = interval(np.full(10, 0.25))
    assert (estimate.low, estimate.value, estimate.high) == (0.25, 0.25, 0.25)
