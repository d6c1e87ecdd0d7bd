"""The statistics of an experiment, from the moments of its arms: differences, lifts, ratios, power, sample ratio.

Everything works on what `Sample` says of an arm, so it costs microseconds however many units there were. The tests hold
each interval and p-value to simulated experiments whose truth is known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum

import msgspec
import numpy as np
import numpy.typing as npt

POWER = 0.8  # of the minimum detectable effect: found 8 times in 10
LIFT_NEEDS = 3.0  # standard errors between the control's mean and zero, below which a relative lift means nothing


class Sample(msgspec.Struct, frozen=True):
    """One arm: how many units, their mean, and the variance of one unit (so that `variance / units` is the mean's)."""

    units: int
    mean: float
    variance: float

    @property
    def error(self) -> float:
        """The standard error of the mean; infinite without units."""
        return math.sqrt(self.variance / self.units) if self.units else math.inf


class Interval(msgspec.Struct, frozen=True):
    """An estimate and the interval that holds the truth with the declared probability."""

    value: float
    low: float
    high: float


class Difference(msgspec.Struct, frozen=True):
    """Treatment minus control. `p` is two-sided: how often equal arms differ by at least as much."""

    interval: Interval
    p: float
    error: float
    freedom: float


class NoLift(Enum):
    """Why there is no relative lift, in words about `{control}` and `{treatment}`."""

    FEW_UNITS = "fewer than two units in {control} or {treatment}"
    NEGATIVE = "{control}'s own value is below zero, and a share of that means nothing"
    NEAR_ZERO = "{control}'s own value is too near zero to divide by"
    NOTHING = "nothing at all happened in {treatment}, so that there is no variance to give -100 % an interval"
    NO_VARIANCE = "within {control} and within {treatment} every unit has the same value"


class SampleRatio(msgspec.Struct, frozen=True):
    """Whether the arms have the units they were declared to get; `stray` units are in arms declared to get none."""

    chi2: float
    freedom: int
    p: float
    stray: int = 0


def sample(values: npt.NDArray[np.float64]) -> Sample:
    """The sample of one value a unit; the variance is the unbiased one, 0 for fewer than two units."""
    units = len(values)
    if not units:
        return Sample(0, 0.0, 0.0)
    return Sample(units, float(values.mean()), float(values.var(ddof=1)) if units > 1 else 0.0)


def ratio_sample(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> Sample | None:
    """The sample of sum(above) / sum(below) over units, by the delta method; None where the sum below is zero.

    Units, not events, are what was assigned at random, so the variance is that of `above - ratio * below` over units:
    Deng, Knoblich, Lu 2018 (doi 10.1145/3219819.3219919), equation 4.
    """
    size = float(below.mean()) if len(below) else 0.0
    if size == 0.0:
        return None
    ratio = float(above.mean()) / size
    rest = sample(above - ratio * below)
    return Sample(len(above), ratio, rest.variance / size**2)


def difference(control: Sample, treatment: Sample, alpha: float) -> Difference | None:
    """Welch's t interval of the difference of means (Welch 1947); None where no arm varies or one has < 2 units."""
    error = math.hypot(control.error, treatment.error)
    if min(control.units, treatment.units) < 2 or error == 0.0:
        return None
    from scipy.special import stdtr

    freedom = _freedom((control.error, control.units), (treatment.error, treatment.units))
    gap = treatment.mean - control.mean
    return Difference(_around(gap, error, freedom, alpha), float(2 * stdtr(freedom, -abs(gap) / error)), error, freedom)


def lift(control: Sample, treatment: Sample, alpha: float) -> Interval | NoLift:
    """The relative lift, treatment / control - 1, with an interval that has the control's noise in it as well.

    Delta method: var(t / c) = var(t) / c² + t² var(c) / c⁴. (Dividing the interval of the difference by the control's
    mean, as if that were known, is too narrow.) There is none where the control's mean is below zero or within
    `LIFT_NEEDS` standard errors of it, for a share of nearly nothing is no figure, nor where nothing varies that an
    interval could come from: the answer then says which of these it was.

    >>> found = lift(Sample(1000, 0.10, 0.09), Sample(1000, 0.12, 0.1056), alpha=0.05)
    >>> f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
    '+0.20 (-0.10 to +0.50)'
    """
    if min(control.units, treatment.units) < 2:
        return NoLift.FEW_UNITS
    if control.mean <= LIFT_NEEDS * control.error:
        return NoLift.NEGATIVE if control.mean < -LIFT_NEEDS * control.error else NoLift.NEAR_ZERO
    ratio = treatment.mean / control.mean
    error = math.hypot(treatment.error, ratio * control.error) / control.mean
    if error == 0.0:
        return NoLift.NO_VARIANCE if treatment.mean else NoLift.NOTHING
    freedom = _freedom((ratio * control.error, control.units), (treatment.error, treatment.units))
    return _around(ratio - 1.0, error, freedom, alpha)


def mean_interval(arm: Sample, alpha: float) -> Interval | None:
    """The t interval of one arm's mean; None below two units."""
    return _around(arm.mean, arm.error, arm.units - 1, alpha) if arm.units > 1 else None


def power(effect: float, error: float, alpha: float) -> float:
    """The probability that a two-sided test finds a true `effect` when the difference has this standard error.

    Normal approximation. Of the observed effect this says no more than its p-value does; what a plan needs is
    `detectable`.
    """
    from scipy.special import ndtr, ndtri

    edge = float(ndtri(1 - alpha / 2))
    place = abs(effect) / error
    return float(ndtr(place - edge) + ndtr(-place - edge))


def detectable(error: float, alpha: float, wanted: float = POWER) -> float:
    """The minimum detectable effect: the true difference that is found with the probability `wanted` at this error."""
    from scipy.special import ndtri

    return float(ndtri(1 - alpha / 2) + ndtri(wanted)) * error


def sample_ratio(observed: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio | None:
    """The chi-squared test of the observed units against the declared shares (Fabijan et al. 2019,
    doi 10.1145/3292500.3330722).

    An arm whose share is zero is taken out together with its degree of freedom; its units are counted as `stray`.
    None where fewer than two arms have a share, or there are no units.

    >>> round(sample_ratio({"A": 1000, "B": 900}, {"A": 0.5, "B": 0.5}).p, 4)
    0.0218
    """
    arms = [name for name, share in shares.items() if share > 0]
    counts = np.array([observed.get(name, 0) for name in arms], np.float64)
    weights = np.array([shares[name] for name in arms], np.float64)
    total = counts.sum()
    if len(arms) < 2 or not total:
        return None
    from scipy.special import chdtrc

    expected = total * weights / weights.sum()
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    stray = sum(units for name, units in observed.items() if shares.get(name, 0.0) <= 0)
    return SampleRatio(chi2, len(arms) - 1, float(chdtrc(len(arms) - 1, chi2)), stray)


def _freedom(*parts: tuple[float, int]) -> float:
    """Welch-Satterthwaite degrees of freedom of a sum of independent parts, each a standard error and its units."""
    total = math.hypot(*(error for error, _ in parts))
    # shares of the total, so that tiny errors do not underflow when they are raised to the fourth power
    return 1.0 / sum((error / total) ** 4 / (units - 1) for error, units in parts)


def _around(value: float, error: float, freedom: float, alpha: float) -> Interval:
    from scipy.special import stdtrit

    reach = float(stdtrit(freedom, 1 - alpha / 2)) * error
    return Interval(value, value - reach, value + reach)
