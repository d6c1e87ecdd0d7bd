"""Drift against an oracle: what KS sees of numbers the other statistics see too, and an interval holds its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.data.quality.distance import statistics
from segue.data.quality.drift import _by_quantiles, drift, interval
from segue.data.quality.kinds import Finding
from segue.data.settings import Rule

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class Columns:
    """A table that is only there to be asked for its columns."""

    schema = pl.Schema({"value": pl.Float64(), "time": pl.Datetime("us", "UTC")})
    coded: frozenset[str] = frozenset()

    def column(self, rule: Rule, name: str | None = None) -> str:
        return name or rule.column

    def moment(self, rule: Rule, text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)


def found(statistic: str, before: Sequence[float], later: Sequence[float]) -> Finding:
    said: Any = statistic
    rule = Rule(table="events", rule="drift", column="value", reference="2026-01-01/2026-01-31", statistic=said)
    fold = drift(rule, Columns())  # type: ignore[arg-type]
    times = [FIRST] * len(before) + [FIRST + timedelta(days=60)] * len(later)
    time = pl.Series(times, dtype=pl.Datetime("us", "UTC"))
    fold.update(pl.DataFrame({"time": time, "value": pl.Series([*before, *later], dtype=pl.Float64)}))
    return fold.finding()


@pytest.mark.parametrize("statistic", ["psi", "js", "ks"])
@pytest.mark.parametrize(
    ("before", "later"),
    [
        ([1.0] * 1000, [0.0] * 1000),
        ([0.0] * 50 + [1.0] * 950, [0.0] * 1000),
        ([1.0] * 950 + [2.0] * 50, [2.0] * 1000),
        ([float(number) for number in range(1000)], [-1.0] * 1000),
        ([float(number) for number in range(1000)], [float(number) for number in range(2000, 3000)]),
        ([0.0] * 600 + [float(number) for number in range(400)], [1.0 + number / 400 for number in range(400)]),
    ],
)
def test_a_fall_or_a_rise_is_seen_by_every_statistic(statistic: str, before: list[float], later: list[float]) -> None:
    assert found(statistic, before, later).broken == 1


@pytest.mark.parametrize("statistic", ["psi", "js", "ks"])
def test_samples_of_one_distribution_do_not_drift(statistic: str) -> None:
    generator = np.random.default_rng(2)
    for rows in (20, 200, 5000):
        before, later = generator.normal(size=(2, rows))
        assert found(statistic, list(before), list(later)).broken == 0
        assert found(statistic, list(before.round()), list(later.round())).broken == 0


@pytest.mark.parametrize("statistic", ["psi", "js", "ks"])
@pytest.mark.parametrize("strange", [math.inf, -math.inf, math.nan])
def test_what_is_no_finite_number_is_a_value_as_well(statistic: str, strange: float) -> None:
    generator = np.random.default_rng(3)
    before, later = generator.normal(size=(2, 1000)).tolist()
    seen = found(statistic, before, [*later[:500], *[strange] * 500])
    assert seen.broken == 1
    assert f"{strange}: 0.0% to 50.0%" in seen.examples
    assert found(statistic, [strange] * 100, later).broken == 1
    assert found(statistic, [*before, *[strange] * 500], [*later, *[strange] * 500]).broken == 0


def test_a_bin_that_is_empty_on_both_sides_is_none() -> None:
    before, later = np.array([5.0, 5.0]), np.array([5e5, 5e5])
    padded = np.append(before, 0), np.append(later, 0)
    assert statistics("psi", *padded) == statistics("psi", before, later) == pytest.approx(0)


@given(st.lists(st.integers(1, 99), min_size=1, max_size=6), st.integers(0, 5))
def test_the_stability_index_is_never_below_zero_and_zero_for_the_same_counts(counts: list[int], place: int) -> None:
    before = np.array(counts, float)
    later = before.copy()
    assert statistics("psi", before, later) == 0
    later[place % len(later)] += 50
    assert statistics("psi", before, later) >= 0


numbers = st.lists(st.integers(-6, 6).map(float) | st.floats(-100, 100), min_size=1, max_size=80)


@settings(max_examples=150, deadline=None)
@given(before=numbers, later=numbers, far=st.booleans(), below=st.booleans())
@example(before=[1.0] * 60, later=[0.0] * 60, far=False, below=False)
def test_where_ks_is_one_no_other_is_nothing(
    before: list[float], later: list[float], *, far: bool, below: bool
) -> None:
    later = [each + (-300 if below else 300) for each in later] if far else later
    wide = pl.DataFrame({"cell": sorted({*before, *later})})
    sides = ("before", before), ("later", later)
    wide = wide.with_columns(pl.Series(name, [side.count(cell) for cell in wide["cell"]]) for name, side in sides)
    parted_before, parted_later, _ = _by_quantiles(wide, 10)
    assert (parted_before.sum(), parted_later.sum()) == (len(before), len(later))
    if max(later) < min(before) or max(before) < min(later):
        assert not (parted_before * parted_later).any()
        assert statistics("js", parted_before, parted_later) == pytest.approx(1)
        assert statistics("psi", parted_before, parted_later) > 0


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8),
    name=st.sampled_from(["psi", "js", "ks"]),
)
def test_an_interval_holds_its_statistic(counts: list[tuple[int, int]], name: str) -> None:
    before, later = (np.array([*side, 1.0], float) for side in zip(*counts, strict=True))
    low, high = interval(name, before, later)
    assert 0 <= low <= float(statistics(name, before, later)) <= high
