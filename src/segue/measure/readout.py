"""What a readout of an experiment says: plain data, from the arms to the verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from segue.measure.statistics import Interval, SampleRatio

Finding = Literal["too early", "do not trust", "difference", "no difference"]


class Arm(msgspec.Struct, frozen=True):
    """One variant: the units that were exposed to it, the share that is and the share that was declared."""

    variant: str
    units: int
    share: float | None
    declared: float


class ArmMetric(msgspec.Struct, frozen=True):
    """What the units of one arm did: `value` is None where it cannot be said (no units, a ratio per nothing)."""

    variant: str
    units: int
    value: float | None
    low: float | None
    high: float | None


class Comparison(msgspec.Struct, frozen=True):
    """One variant against the control.

    difference  treatment minus control with Welch's interval, None where `why_not` says why
    lift        relative, with the control's noise in the interval; None where `why_not` says why
    p           two-sided
    power       the probability to find a true difference as large as the observed one, with these units
    detectable  the true difference that would be found 8 times in 10 with these units; `detectable_lift` relative
    """

    variant: str
    control: str
    difference: Interval | None
    lift: Interval | None
    p: float | None
    power: float | None
    detectable: float | None
    detectable_lift: float | None
    why_not: str


class MetricReadout(msgspec.Struct, frozen=True):
    """One metric in every arm, and every variant against the control.

    `unfinished` counts units whose window reached beyond the end of the log.
    """

    name: str
    kind: str
    arms: tuple[ArmMetric, ...]
    comparisons: tuple[Comparison, ...]
    unfinished: int


class Readout(msgspec.Struct, frozen=True):
    """All that the log says about an experiment. `finding` and `verdict` go by the first metric.

    mixed    units that met more than one variant and were left out
    unknown  units by a variant that is not declared, left out
    notes    what else has to be known to read the figures
    """

    name: str
    finding: Finding
    verdict: str
    arms: tuple[Arm, ...]
    sample_ratio: SampleRatio | None
    metrics: tuple[MetricReadout, ...]
    mixed: int
    unknown: dict[str, int]
    first: datetime | None
    last: datetime | None
    alpha: float
    notes: tuple[str, ...]

    def arm_rows(self) -> list[dict[str, Any]]:
        """One row an arm: its units beside what was declared."""
        return [msgspec.structs.asdict(arm) for arm in self.arms]

    def metric_rows(self) -> list[dict[str, Any]]:
        """One row a metric and variant, for a table or JSON."""
        return [row for metric in self.metrics for row in _rows(metric)]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data; times as RFC 3339."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def _rows(metric: MetricReadout) -> list[dict[str, Any]]:
    against = {comparison.variant: comparison for comparison in metric.comparisons}
    return [
        {
            "metric": metric.name,
            "variant": arm.variant,
            "units": arm.units,
            "value": arm.value,
            "low": arm.low,
            "high": arm.high,
            **_compared(against.get(arm.variant)),
        }
        for arm in metric.arms
    ]


def _compared(comparison: Comparison | None) -> dict[str, Any]:
    gap = comparison.difference if comparison else None
    relative = comparison.lift if comparison else None
    return {
        "difference": gap.value if gap else None,
        "difference_low": gap.low if gap else None,
        "difference_high": gap.high if gap else None,
        "lift": relative.value if relative else None,
        "lift_low": relative.low if relative else None,
        "lift_high": relative.high if relative else None,
        "p": comparison.p if comparison else None,
        "power": comparison.power if comparison else None,
        "detectable": comparison.detectable if comparison else None,
        "why_not": comparison.why_not if comparison else "",
    }
