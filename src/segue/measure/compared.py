"""Models beside each other over the same people: intervals, differences to the baseline, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from segue.measure.bootstrap import Estimate, estimates, interval, resampled_means
from segue.measure.lists import Floats
from segue.measure.measured import Measured, Ratio
from segue.measure.settings import EvaluationSettings
from segue.measure.significance import detectable, sign_flips


@dataclass(frozen=True)
class Compared:
    """One model's metrics; by metric the difference to the baseline, its p-value, and the smallest one that is seen."""

    metrics: dict[str, Estimate]
    differences: dict[str, Estimate] = field(default_factory=dict)
    p_values: dict[str, float] = field(default_factory=dict)
    detectable: dict[str, float] = field(default_factory=dict)


def compared(
    measured: Mapping[str, Measured], baseline: str | None, settings: EvaluationSettings
) -> dict[str, Compared]:
    """Each model by its name, all from the same resamples and permutations of the people."""
    if not measured:
        return {}
    values = np.concatenate([part.values for part in measured.values()], axis=1)
    resampled = resampled_means(values, settings.bootstrap, settings.seed)
    widths = np.cumsum([0, *(len(part.names) for part in measured.values())])
    places = {name: slice(widths[row], widths[row + 1]) for row, name in enumerate(measured)}
    own = {
        name: dict(
            zip(measured[name].names, estimates(values[:, at], resampled[:, at], settings.confidence), strict=True)
        )
        for name, at in places.items()
    }
    ratios = {name: _resampled_ratios(part.ratios, settings) for name, part in measured.items()}
    result = {}
    for name, part in measured.items():
        metrics = own[name] | {key: _estimate(*ratio, settings) for key, ratio in ratios[name].items()} | part.whole
        if baseline is None or name == baseline:
            result[name] = Compared(metrics)
            continue
        gaps = values[:, places[name]] - values[:, places[baseline]]
        shifted = resampled[:, places[name]] - resampled[:, places[baseline]]
        result[name] = _against(part.names, metrics, gaps, shifted, settings)
        for key, (value, drawn) in ratios[name].items():
            base, base_drawn = ratios[baseline][key]
            result[name].differences[key] = _estimate(value - base, drawn - base_drawn, settings)
    return result


def _against(
    names: tuple[str, ...],
    metrics: dict[str, Estimate],
    gaps: Floats,
    resampled: Floats,
    settings: EvaluationSettings,
) -> Compared:
    """The differences of people who have both values; their p-values from signs that all models share."""
    some = np.isnan(gaps).any(axis=0)
    if some.any():
        resampled = resampled.copy()
        resampled[:, some] = resampled_means(gaps[:, some], settings.bootstrap, settings.seed)
    p_values = sign_flips(gaps, settings.permutations, settings.seed)
    smallest = detectable(gaps, settings.confidence)
    return Compared(
        metrics,
        dict(zip(names, estimates(gaps, resampled, settings.confidence), strict=True)),
        {name: float(p) for name, p in zip(names, p_values, strict=True)},
        {name: float(value) for name, value in zip(names, smallest, strict=True)},
    )


def _resampled_ratios(ratios: Mapping[str, Ratio], settings: EvaluationSettings) -> dict[str, tuple[float, Floats]]:
    """Each ratio of means less 1, and float64[resamples] of it: numerator and denominator from the same people."""
    result = {}
    for name, ratio in ratios.items():
        both = np.column_stack([ratio.above, ratio.below])
        drawn = resampled_means(both, settings.bootstrap, settings.seed)
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.nansum(ratio.above) / np.nansum(ratio.below) - 1
            result[name] = float(value), np.asarray(drawn[:, 0] / drawn[:, 1] - 1)
    return result


def _estimate(value: float, resampled: Floats, settings: EvaluationSettings) -> Estimate:
    if np.isnan(value) or np.isnan(resampled).all():
        return Estimate(value)
    return Estimate(value, *interval(resampled, settings.confidence))
