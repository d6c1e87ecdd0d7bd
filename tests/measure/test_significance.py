"""Permutation, Holm and detectable differences: exact values, SciPy's, and how often they are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from segue.measure import significance
from segue.measure.significance import detectable, holm, sign_flips


@settings(max_examples=40)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=7))
def test_few_people_are_tried_exactly(values):
    """SciPy's exact permutation of paired samples: both signs of every difference."""
    found = sign_flips(np.array(values, float)[:, None], 10, 0)[0]
    reference = stats.permutation_test(
        (np.array(values, float),), lambda x, axis: np.abs(x.sum(axis=axis)), permutation_type="samples",
        alternative="greater", n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert found == pytest.approx(reference.pvalue)


def test_many_people_are_tried_at_random_and_seldom_wrong():
    random = np.random.default_rng(1)
    alike = random.normal(size=(60, 300)) ** 3
    p = sign_flips(alike, 400, 0)
    assert 0.03 <= (p <= 0.05).mean() <= 0.08
    assert p.min() >= 1 / 401
    assert (sign_flips(alike + 3, 400, 0) <= 0.05).mean() > 0.9


def test_random_signs_come_near_all_of_them_whatever_the_batch():
    values = np.random.default_rng(0).normal(0.4, 1, (12, 3))
    exact = sign_flips(values, 10, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(significance, "CELLS", 37)
        assert sign_flips(values, 10, 1) == pytest.approx(exact)
        patch.setattr(significance, "CELLS", 12 * 500)
        patch.setattr(significance, "EXACT", 0)
        assert np.abs(sign_flips(values, 2000, 5) - exact).max() < 0.05


def test_who_has_no_value_does_not_count():
    values = np.array([1.0, 2.0, 3.0, np.nan, np.nan])[:, None]
    assert sign_flips(values, 10, 0)[0] == 0.25
    assert sign_flips(np.zeros((30, 1)), 50, 0)[0] == 1
    assert sign_flips(np.zeros((0, 2)), 50, 0).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_as_its_paper_has_it(p):
    found = holm({str(place): value for place, value in enumerate(p)})
    ordered = sorted(p)
    expected = [min(1, max((len(p) - j) * ordered[j] for j in range(i + 1))) for i in range(len(p))]
    assert sorted(found.values()) == pytest.approx(expected)
    assert all(found[str(place)] >= value for place, value in enumerate(p))


def test_a_detectable_difference_is_found_eight_times_in_ten():
    random = np.random.default_rng(3)
    smallest = detectable(random.normal(0, 2, (100_000, 1)), 0.95)[0] * np.sqrt(100_000 / 50)  # as of 50 people
    samples = random.normal(smallest, 2, (50, 4000))
    found = stats.ttest_1samp(samples, 0).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_one_person_shows_nothing():
    assert np.isnan(detectable(np.array([[1.0, np.nan], [np.nan, np.nan]]), 0.95)).all()
