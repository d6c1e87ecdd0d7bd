"""The statistics of an experiment against SciPy, published figures, and themselves in other units."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from segue.measure.statistics import (
    NoLift,
    Sample,
    detectable,
    difference,
    lift,
    mean_interval,
    power,
    ratio_sample,
    sample,
    sample_ratio,
)

values = st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=40).map(np.array).filter(lambda array: array.std() > 1e-3)


@given(values, values, st.sampled_from([0.01, 0.05, 0.2]))
def test_the_difference_is_scipys_welch(control, treatment, alpha):
    gap = difference(sample(control), sample(treatment), alpha)
    theirs = stats.ttest_ind(treatment, control, equal_var=False)
    low, high = theirs.confidence_interval(1 - alpha)
    assert gap.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
    assert gap.freedom == pytest.approx(theirs.df, rel=1e-6)
    assert (gap.interval.low, gap.interval.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


def test_welchs_difference_worked_by_hand():
    """Means 2 and 5, variances 1 and 4 of 4 and 9 units: error sqrt(1/4 + 4/9), df 0.6944² / (0.0625/3 + 0.1975/8)."""
    gap = difference(Sample(4, 2.0, 1.0), Sample(9, 5.0, 4.0), 0.05)
    assert gap.error == pytest.approx(5 / 6)
    assert gap.freedom == pytest.approx((1 / 4 + 4 / 9) ** 2 / ((1 / 4) ** 2 / 3 + (4 / 9) ** 2 / 8))
    assert gap.interval.value == 3.0
    assert gap.p == pytest.approx(2 * stats.t.sf(3.6, gap.freedom))


@given(values, values)
def test_swapping_the_arms_turns_the_difference_round(control, treatment):
    one = difference(sample(control), sample(treatment), 0.05)
    other = difference(sample(treatment), sample(control), 0.05)
    assert other.p == one.p
    assert (other.interval.low, other.interval.high) == pytest.approx((-one.interval.high, -one.interval.low))


@given(values, values)
def test_the_interval_and_p_agree(control, treatment):
    gap = difference(sample(control), sample(treatment), 0.05)
    if abs(gap.p - 0.05) > 1e-9:
        assert (gap.p < 0.05) == (gap.interval.low > 0 or gap.interval.high < 0)


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (Sample(1, 1.0, 0.0), Sample(50, 1.0, 1.0)),
        (Sample(0, 0.0, 0.0), Sample(0, 0.0, 0.0)),
        (Sample(50, 0.0, 0.0), Sample(50, 1.0, 0.0)),
    ],
)
def test_without_units_or_variance_there_is_no_difference(control, treatment):
    assert difference(control, treatment, 0.05) is None


def test_tiny_variances_do_not_underflow():
    gap = difference(Sample(50, 0.0, 1e-120), Sample(50, 1e-60, 1e-120), 0.05)
    assert gap.freedom == pytest.approx(98)
    assert 0 < gap.p < 0.05


def test_the_lift_has_the_controls_noise_in_it():
    """The trap: (difference interval) / control mean leaves out the noise of what it divides by."""
    control, treatment = Sample(400, 1.0, 4.0), Sample(400, 2.0, 4.0)
    right = lift(control, treatment, 0.05)
    gap = difference(control, treatment, 0.05)
    too_narrow = (gap.interval.high - gap.interval.low) / control.mean
    assert right.value == pytest.approx(1.0)
    # se = sqrt(var_t / n + (t / c)² var_c / n) / c = sqrt(0.01 + 4 x 0.01), against sqrt(0.01 + 0.01)
    assert (right.high - right.low) / too_narrow == pytest.approx(math.sqrt(5 / 2), rel=1e-2)


@given(st.floats(0.01, 100))
def test_the_lift_does_not_depend_on_the_currency(rate):
    control, treatment = Sample(300, 2.0, 1.5), Sample(200, 2.2, 1.9)
    converted = [Sample(arm.units, arm.mean * rate, arm.variance * rate**2) for arm in (control, treatment)]
    one, other = lift(control, treatment, 0.05), lift(*converted, 0.05)
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        (Sample(100, 0.0, 1.0), Sample(100, 1.0, 1.0), NoLift.NEAR_ZERO),
        (Sample(100, 0.2, 1.0), Sample(100, 1.0, 1.0), NoLift.NEAR_ZERO),
        (Sample(100, -0.2, 1.0), Sample(100, 1.0, 1.0), NoLift.NEAR_ZERO),
        (Sample(100, -2.0, 1.0), Sample(100, 1.0, 1.0), NoLift.NEGATIVE),
        (Sample(100, 0.5, 0.25), Sample(100, 0.0, 0.0), NoLift.NOTHING),
        (Sample(100, 0.5, 0.0), Sample(100, 0.7, 0.0), NoLift.NO_VARIANCE),
        (Sample(1, 0.5, 0.0), Sample(100, 0.7, 0.2), NoLift.FEW_UNITS),
    ],
)
def test_where_there_is_no_lift_it_says_why(control, treatment, reason):
    assert lift(control, treatment, 0.05) is reason


def test_a_ratio_of_constant_denominators_is_a_mean():
    above = np.array([0.0, 1.0, 3.0, 2.0])
    ratio = ratio_sample(above, np.full(4, 2.0))
    plain = sample(above / 2)
    assert (ratio.units, ratio.mean, ratio.variance) == pytest.approx((4, plain.mean, plain.variance))


def test_a_ratio_counts_units_not_events():
    """Two people with 10 impressions each, one clicks all and one none: two units, not twenty coin flips."""
    ratio = ratio_sample(np.array([10.0, 0.0]), np.array([10.0, 10.0]))
    assert ratio.mean == 0.5
    assert ratio.variance == pytest.approx(0.5)  # of (1, 0); a binomial over events would say 0.25 of 20


def test_the_delta_method_in_its_published_form():
    """Deng, Knoblich, Lu 2018, equation 4: var(x)/y² + x² var(y)/y⁴ - 2 x cov(x, y)/y³, over n."""
    random = np.random.default_rng(0)
    below = random.poisson(8, 500).astype(float)
    above = random.binomial(below.astype(int), 0.3).astype(float)
    x, y = above.mean(), below.mean()
    covariance = np.cov(above, below)
    published = covariance[0, 0] / y**2 + x**2 * covariance[1, 1] / y**4 - 2 * x * covariance[0, 1] / y**3
    assert ratio_sample(above, below).variance == pytest.approx(published)


def test_a_ratio_per_nothing_is_no_ratio():
    assert ratio_sample(np.zeros(3), np.zeros(3)) is None
    assert ratio_sample(np.empty(0), np.empty(0)) is None


def test_the_sample_ratio_is_scipys_chi_squared():
    check = sample_ratio({"A": 5100, "B": 4900, "C": 2500}, {"A": 0.4, "B": 0.4, "C": 0.2})
    theirs = stats.chisquare([5100, 4900, 2500], [5000, 5000, 2500])
    assert (check.chi2, check.p, check.freedom) == pytest.approx((theirs.statistic, theirs.pvalue, 2))


def test_an_arm_of_no_weight_takes_its_degree_of_freedom_along():
    """The trap: chi-squared 4.2 of two arms is p .04; kept at two degrees of freedom it would pass as .12."""
    observed = {"A": 5102, "B": 4897}
    two = sample_ratio(observed, {"A": 0.5, "B": 0.5})
    with_dead_arm = sample_ratio(observed, {"A": 0.5, "B": 0.5, "off": 0.0})
    assert with_dead_arm == two
    assert two.freedom == 1
    assert two.p == pytest.approx(0.0403, abs=5e-4)
    assert stats.chi2.sf(two.chi2, 2) > 0.12


def test_units_of_an_arm_of_no_weight_are_counted():
    assert sample_ratio({"A": 50, "B": 50, "off": 3}, {"A": 0.5, "B": 0.5, "off": 0.0}).stray == 3


@pytest.mark.parametrize(("observed", "shares"), [({}, {"A": 0.5, "B": 0.5}), ({"A": 5}, {"A": 1.0, "B": 0.0})])
def test_nothing_to_check_is_no_check(observed, shares):
    assert sample_ratio(observed, shares) is None


def test_the_detectable_effect_is_found_8_times_in_10():
    for alpha in (0.01, 0.05, 0.1):
        assert power(detectable(0.3, alpha), 0.3, alpha) == pytest.approx(0.8, abs=1e-3)


def test_no_effect_is_found_alpha_of_times():
    assert power(0.0, 1.0, 0.05) == pytest.approx(0.05)


def test_a_published_sample_size():
    """Lehr's rule (1992): 16 variance / effect² units an arm give 80 % power at .05, two-sided."""
    effect, variance = 0.5, 4.0
    units = 16 * variance / effect**2
    assert power(effect, math.sqrt(2 * variance / units), 0.05) == pytest.approx(0.8, abs=0.01)


def test_one_arms_interval_is_students():
    arm = np.array([1.0, 2.0, 4.0, 7.0])
    low, high = stats.t.interval(0.9, 3, arm.mean(), stats.sem(arm))
    around = mean_interval(sample(arm), 0.1)
    assert (around.low, around.high) == pytest.approx((low, high))
    assert mean_interval(sample(arm[:1]), 0.1) is None
    assert sample(np.empty(0)) == Sample(0, 0.0, 0.0)
    assert sample(np.empty(0)).error == math.inf
