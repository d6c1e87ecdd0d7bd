"""The readout in one plain sentence, never a blank: what was found, or exactly why nothing can be said yet."""

from __future__ import annotations

from collections.abc import Sequence

from segue.measure.readout import Arm, Comparison, Finding, MetricReadout
from segue.measure.statistics import SampleRatio

UNITS = 100  # in each arm, below which the intervals' large-sample theory is not to be leaned on
MISMATCH = 0.001  # p of the sample-ratio check below which nothing is to be believed (Fabijan et al. 2019 use 0.0005)
EXPECTED = 5.0  # units in the smallest arm, below which chi-squared is no test (Cochran 1954)


def verdict(
    name: str,
    arms: Sequence[Arm],
    ratio: SampleRatio | None,
    metrics: Sequence[MetricReadout],
    mixed: int = 0,
) -> tuple[Finding, str]:
    """What the experiment says, by its first metric and, of several treatments, about each.

    The order is that in which reasons for doubt outweigh each other: nobody there, arms of the wrong size, an empty
    arm, too few units, no metric, nothing to compare.
    """
    total = sum(arm.units for arm in arms)
    least = min(arms, key=lambda arm: arm.units)
    if not total:
        also = f" ({mixed:,} units met more than one variant and were left out)" if mixed else ""
        return (
            "too early",
            f"Too early: nobody has been exposed to '{name}' yet; no decision in the log is under it{also}.",
        )
    if (reason := _mismatch(arms, ratio)) is not None:
        return "do not trust", reason
    if not least.units:
        return "too early", f"Too early: {least.variant} has no units yet, of {total:,} exposed in all."
    if least.units < UNITS:
        return "too early", (
            f"Too early: {least.variant} has {_units(least.units)}; at least {UNITS} are needed in each variant "
            "before the intervals mean what they say."
        )
    if not metrics:
        return "too early", f"Nothing to judge by: '{name}' declares no metric; {total:,} units are exposed."
    return _compared(metrics[0])


def _mismatch(arms: Sequence[Arm], ratio: SampleRatio | None) -> str | None:
    total = sum(arm.units for arm in arms)
    smallest = min((arm.declared for arm in arms if arm.declared > 0), default=0.0) * total
    if ratio is None or ratio.p >= MISMATCH or smallest < EXPECTED:
        return None
    sizes = ", ".join(f"{arm.variant} {arm.units:,} (declared {arm.declared:.1%})" for arm in arms)
    return (
        f"Do not trust these figures: the variants do not have the units they were declared to get: {sizes}. By "
        f"chance that happens with probability {_small(ratio.p)}. Find what loses or adds units in one variant first."
    )


def _compared(metric: MetricReadout) -> tuple[Finding, str]:
    known = [comparison for comparison in metric.comparisons if comparison.difference is not None]
    if not known:
        reasons = dict.fromkeys(comparison.why_not for comparison in metric.comparisons) or {
            "there is one variant only": None
        }
        return "too early", f"Too early to compare {metric.name}: {'; '.join(reasons)}."
    finding: Finding = "difference" if any(_apart(comparison) for comparison in known) else "no difference"
    return finding, " ".join(_sentence(metric, comparison) for comparison in metric.comparisons)


def _apart(comparison: Comparison) -> bool:
    gap = comparison.difference
    return gap is not None and (gap.low > 0 or gap.high < 0)


def _sentence(metric: MetricReadout, comparison: Comparison) -> str:
    gap = comparison.difference
    if gap is None:
        return (
            f"{metric.name}: {comparison.variant} cannot be compared with {comparison.control}: {comparison.why_not}."
        )
    values = {arm.variant: arm.value for arm in metric.arms}
    show = _percent if metric.kind == "proportion" else _number
    sides = f"{show(values[comparison.variant])} against {show(values[comparison.control])}"
    detail = (
        f"difference {_span(gap.value, gap.low, gap.high, metric.kind)}{_lifted(comparison)}, p {_small(comparison.p)}"
    )
    if _apart(comparison):
        way = "higher" if gap.value > 0 else "lower"
        return f"{metric.name} is {way} under {comparison.variant} than under {comparison.control}: {sides}; {detail}."
    reach = f"{_points(comparison.detectable)}" if metric.kind == "proportion" else _number(comparison.detectable)
    return (
        f"No difference in {metric.name} is shown between {comparison.variant} and {comparison.control}: {sides}; "
        f"{detail}. With these units a true difference of {reach} would be found 8 times in 10."
    )


def _lifted(comparison: Comparison) -> str:
    relative = comparison.lift
    if relative is None:
        return ""
    return f", {relative.value:+.1%} relative ({relative.low:+.1%} to {relative.high:+.1%})"


def _span(value: float, low: float, high: float, kind: str) -> str:
    if kind == "proportion":
        return f"{value * 100:+.2f} points ({low * 100:+.2f} to {high * 100:+.2f})"
    return f"{value:+.4g} ({low:+.4g} to {high:+.4g})"


def _units(count: int) -> str:
    return "one unit" if count == 1 else f"{count:,} units"


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.2%}"


def _points(value: float | None) -> str:
    return "nothing" if value is None else f"{value * 100:.2f} points"


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4g}"


def _small(p: float | None) -> str:
    if p is None:
        return "unknown"
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"
