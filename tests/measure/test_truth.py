"""Simulated experiments whose truth is known, read from the log: 200 A/Bs and 200 A/As, every kind of metric."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest

from segue.domain.experiment import Experiment, Metric, Variant
from segue.measure.experiment import readout
from segue.measure.readout import Comparison, Readout
from segue.measure.statistics import Sample, difference, lift, ratio_sample, sample, sample_ratio

from .logs import many_decisions, many_events

RUNS = 200
UNITS = 1500
METRICS = {
    "bought": Metric("proportion", ("buy",)),
    "spent": Metric("sum", ("buy",)),
    "clicks": Metric("count", ("click",)),
    "click_rate": Metric("ratio", ("click",), ("impression",)),
}
CONTROL = {"rate": 0.20, "buys": 0.5, "amount": 20.0}
TREATED = {"rate": 0.24, "buys": 0.6, "amount": 22.0}
LOOKS = 6.0  # impressions a unit, on average
SPREAD = 0.5  # of how much units look, as the sigma of a lognormal: the denominator varies from unit to unit


def truth(name: str, arm: dict[str, float]) -> float:
    """The expectation of each metric under what `simulated` draws."""
    return {
        "bought": 1 - np.exp(-arm["buys"]),
        "spent": arm["buys"] * arm["amount"],
        "clicks": LOOKS * arm["rate"],
        "click_rate": arm["rate"],
    }[name]


def simulated(seed: int, treated: dict[str, float]) -> Readout:
    """One experiment: people differ in how much they look, how readily they click, and what they spend."""
    random = np.random.default_rng(seed)
    second = random.random(UNITS) < 0.5
    looks = random.poisson(LOOKS * random.lognormal(-(SPREAD**2) / 2, SPREAD, UNITS))
    rate = np.where(second, treated["rate"], CONTROL["rate"]) * random.beta(8, 2, UNITS) / 0.8
    buys = random.poisson(np.where(second, treated["buys"], CONTROL["buys"]))
    amount = np.where(second, treated["amount"], CONTROL["amount"]) * random.gamma(4, 1 / 4, UNITS)
    events = pl.concat(
        [
            many_events("impression", looks),
            many_events("click", random.binomial(looks, np.minimum(rate, 1))),
            many_events("buy", buys, amount),
        ]
    )
    experiment = Experiment("home", {"A": Variant(), "B": Variant()}, METRICS)
    return readout("x", experiment, many_decisions(np.where(second, "B", "A").tolist()), events)


def comparisons(readouts: list[Readout]) -> Iterator[tuple[str, list[Comparison]]]:
    for place, name in enumerate(METRICS):
        yield name, [each.metrics[place].comparisons[0] for each in readouts]


def held(truth_: float, low: list[float], high: list[float]) -> float:
    return float(np.mean([a <= truth_ <= b for a, b in zip(low, high, strict=True)]))


@pytest.mark.slow
def test_of_200_experiments_95_percent_intervals_hold_the_truth():
    readouts = [simulated(seed, TREATED) for seed in range(RUNS)]
    for name, found in comparisons(readouts):
        control, treated = truth(name, CONTROL), truth(name, TREATED)
        gaps, lifts = [each.difference for each in found], [each.lift for each in found]
        gap = held(treated - control, [gap.low for gap in gaps], [gap.high for gap in gaps])
        relative = held(treated / control - 1, [it.low for it in lifts], [it.high for it in lifts])
        assert 0.92 <= gap <= 0.98, (name, "difference", gap)
        assert 0.92 <= relative <= 0.98, (name, "lift", relative)


@pytest.mark.slow
def test_of_200_experiments_on_nothing_5_percent_reject():
    readouts = [simulated(10_000 + seed, CONTROL) for seed in range(RUNS)]
    for name, found in comparisons(readouts):
        rejected = np.mean([each.p < 0.05 for each in found])
        lifted = np.mean([each.lift.low > 0 or each.lift.high < 0 for each in found])
        assert 0.02 <= rejected <= 0.08, (name, "difference", rejected)
        assert 0.02 <= lifted <= 0.08, (name, "lift", lifted)
    assert np.mean([each.finding == "do not trust" for each in readouts]) <= 0.01


# The same from the moments alone, many more times, so that the band around 95 % is narrow.

MANY = 4000


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    looks = random.poisson(5 * random.lognormal(-0.125, 0.5, (MANY, 400))).astype(float)
    return random.binomial(looks.astype(int), 0.3).astype(float), looks


def arms(kind: str, seed: int) -> tuple[list[Sample], float]:
    """Arms of 400 units and the expectation of their mean."""
    clicks, looks = drawn(seed)
    if kind == "ratio":
        return [ratio_sample(above, below) for above, below in zip(clicks, looks, strict=True)], 0.3
    if kind == "proportion":
        return [sample((row > 0).astype(float)) for row in clicks], float((drawn(999)[0] > 0).mean())
    return [sample(row) for row in clicks], 1.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["proportion", "mean", "ratio"])
def test_intervals_are_neither_narrow_nor_wide(kind):
    (control, base), (treatment, _) = arms(kind, 1), arms(kind, 2)
    pairs = list(zip(control, treatment, strict=True))
    rejected = np.mean([difference(a, b, 0.05).p < 0.05 for a, b in pairs])
    assert 0.04 <= rejected <= 0.06
    lifts = [lift(a, b, 0.05) for a, b in pairs]
    assert 0.94 <= np.mean([each.low <= 0 <= each.high for each in lifts]) <= 0.96
    doubled = [lift(a, Sample(b.units, 2 * b.mean, 4 * b.variance), 0.05) for a, b in pairs]
    assert 0.94 <= np.mean([each.low <= 1 <= each.high for each in doubled]) <= 0.96
    assert np.mean([arm.mean for arm in control]) == pytest.approx(base, rel=0.01)


@pytest.mark.slow
def test_leaving_out_the_controls_noise_would_be_seen():
    """A doubled mean: the difference's interval over the control's mean holds the truth far less than 95 % of times."""
    (control, _), (treatment, _) = arms("mean", 1), arms("mean", 2)
    held_truth = []
    for a, b in zip(control, treatment, strict=True):
        gap = difference(a, Sample(b.units, 2 * b.mean, 4 * b.variance), 0.05).interval
        held_truth.append(gap.low / a.mean <= 1 <= gap.high / a.mean)
    assert np.mean(held_truth) < 0.92


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.1, 0.9), (0.2, 0.3, 0.5)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_sample_ratio_check_cries_wolf_alpha_of_times(shares, alpha):
    counts = np.random.default_rng(3).multinomial(2000, shares, MANY)
    names = [f"v{place}" for place in range(len(shares))]
    declared = dict(zip(names, shares, strict=True)) | {"off": 0.0}
    p = np.array([sample_ratio(dict(zip(names, row.tolist(), strict=True)), declared).p for row in counts])
    assert abs((p < alpha).mean() - alpha) < 4 * np.sqrt(alpha * (1 - alpha) / MANY)
