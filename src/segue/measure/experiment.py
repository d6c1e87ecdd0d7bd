"""The readout of an experiment: what was seen of each arm, how sure that is, and a verdict that is never blank."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from segue.measure.outcomes import BELOW, SINCE, VARIANT, Exposures, Outcomes, exposures, outcomes
from segue.measure.readout import Arm, ArmMetric, Comparison, MetricReadout, Readout
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
from segue.measure.verdict import verdict

if TYPE_CHECKING:
    import polars as pl

    from segue.domain.experiment import Experiment, Metric

__all__ = ["Readout", "readout"]


def readout(name: str, experiment: Experiment, decisions: pl.LazyFrame, events: pl.LazyFrame) -> Readout:
    """Read an experiment from the log.

    `decisions` has the columns id, time, surface, user, visitor, assignments; `events` id, user, visitor, type, time,
    received, value, quantity, decision (those of `data.journal.log.Log`); ids are strings, times in UTC. The first
    declared variant is the control, the first metric the one that the verdict goes by.
    """
    exposed = exposures(decisions, name, experiment)
    done = outcomes(exposed, decisions, events, experiment)
    shares = experiment.shares()
    units = dict.fromkeys(shares, 0) | dict(exposed.units.group_by(VARIANT).len().iter_rows())
    ratio = sample_ratio(units, shares)
    metrics = tuple(_metric(each, metric, done, experiment) for each, metric in experiment.metrics.items())
    total = sum(units.values())
    arms = tuple(
        Arm(variant, count, count / total if total else None, shares[variant]) for variant, count in units.items()
    )
    finding, sentence = verdict(name, arms, ratio, metrics, exposed.mixed)
    return Readout(
        name=name,
        finding=finding,
        verdict=sentence,
        arms=arms,
        sample_ratio=ratio,
        metrics=metrics,
        mixed=exposed.mixed,
        unknown=exposed.unknown,
        first=exposed.first,
        last=done.end,
        alpha=experiment.alpha,
        notes=tuple(_notes(exposed, done, metrics, experiment)),
    )


def _metric(name: str, metric: Metric, done: Outcomes, experiment: Experiment) -> MetricReadout:
    samples = {variant: _sample(name, metric, done, variant) for variant in experiment.variants}
    control, *treatments = samples
    unfinished = 0
    if metric.window_days is not None and done.end is not None:
        unfinished = int((done.units[SINCE] + timedelta(days=metric.window_days) > done.end).sum())
    return MetricReadout(
        name=name,
        kind=metric.kind,
        arms=tuple(_arm(variant, arm, experiment.alpha) for variant, arm in samples.items()),
        comparisons=tuple(
            _compare((control, samples[control]), (variant, samples[variant]), experiment.alpha)
            for variant in treatments
        ),
        unfinished=unfinished,
    )


def _sample(name: str, metric: Metric, done: Outcomes, variant: str) -> Sample | None:
    """One arm of one metric; None for a ratio whose denominator never happened."""
    rows = done.units.filter(done.units[VARIANT] == variant)
    values = rows[name].to_numpy().astype(np.float64)
    if metric.kind == "ratio":
        return ratio_sample(values, rows[name + BELOW].to_numpy().astype(np.float64))
    return sample(values)


def _arm(variant: str, arm: Sample | None, alpha: float) -> ArmMetric:
    if arm is None or not arm.units:
        return ArmMetric(variant, 0, None, None, None)
    around = mean_interval(arm, alpha)
    return ArmMetric(variant, arm.units, arm.mean, around.low if around else None, around.high if around else None)


def _compare(control: tuple[str, Sample | None], treatment: tuple[str, Sample | None], alpha: float) -> Comparison:
    base, arm = control[1], treatment[1]
    why = _why_not(control, treatment)
    gap = difference(base, arm, alpha) if base and arm and not why else None
    if base is None or arm is None or gap is None:
        return Comparison(treatment[0], control[0], None, None, None, None, None, None, why)
    least = detectable(gap.error, alpha)
    lifted = lift(base, arm, alpha)
    relative = None if isinstance(lifted, NoLift) else lifted
    return Comparison(
        variant=treatment[0],
        control=control[0],
        difference=gap.interval,
        lift=relative,
        p=gap.p,
        power=power(gap.interval.value, gap.error, alpha),
        detectable=least,
        detectable_lift=least / base.mean if relative else None,
        why_not=_no_lift(lifted, control[0], treatment[0]) if isinstance(lifted, NoLift) else "",
    )


def _no_lift(reason: NoLift, control: str, treatment: str) -> str:
    return "no relative lift: " + reason.value.format(control=control, treatment=treatment)


def _why_not(*arms: tuple[str, Sample | None]) -> str:
    """Why two arms cannot be compared, empty where they can."""
    for variant, arm in arms:
        if arm is None:
            return f"nothing that the ratio is per happened in {variant}"
        if arm.units < 2:
            return f"{variant} has {'no unit' if not arm.units else 'one unit only'}"
    if all(arm is not None and arm.variance == 0 for _, arm in arms):
        return "within each arm every unit has the same value, so there is no variance to judge a difference by"
    return ""


def _notes(exposed: Exposures, done: Outcomes, metrics: tuple[MetricReadout, ...], experiment: Experiment) -> list[str]:
    notes = []
    if exposed.mixed:
        notes.append(f"{exposed.mixed:,} units met more than one variant and were left out")
    notes += [f"{units:,} units met the undeclared variant '{name}'" for name, units in exposed.unknown.items()]
    if done.untimed:
        notes.append(f"{done.untimed:,} events of the log have no time and answer no decision: not placed")
    if done.strays:
        notes.append(
            f"{done.strays:,} events name a decision that is not in the log: no metric of the surface has them"
        )
    notes += [
        f"{name}: {events:,} events of exposed units came before the exposure and do not count"
        for name, events in done.early.items()
        if events
    ]
    notes += [f"{it.name}: the window of {it.unfinished:,} units is not over" for it in metrics if it.unfinished]
    comparisons = len(metrics) * (len(experiment.variants) - 1)
    if comparisons > 1:
        notes.append(
            f"{comparisons} comparisons at {experiment.alpha:g} each: the verdict goes by the first metric, "
            "and among many one is notable by chance"
        )
    notes.append("the intervals hold for one look at a size fixed beforehand; stopping at the first good look does not")
    return notes
