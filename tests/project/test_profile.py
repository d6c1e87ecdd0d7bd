"""The distribution of numbers, distinct counts and shapes are what counting by hand gives, within what is promised."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.lake.lake import Lake
from segue.data.profile import distinct as counting
from segue.data.profile.distinct import distinct_counts
from segue.data.profile.drift import _of_numbers, _titles
from segue.data.profile.intake import shape
from segue.data.profile.numbers import numbers
from segue.data.profile.tables import table_profile
from segue.data.profile.tail import curve, gini

floats = st.lists(st.floats(width=64), min_size=1, max_size=60)


@given(floats, st.booleans())
def test_a_distribution_counts_every_value_and_is_within_one_percent(values, exact):
    found = numbers(pl.LazyFrame({"x": values}), "x", len(values) if exact else None)
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite:
        assert found is None
        return
    assert (found.minimum, found.maximum, found.infinite) == (finite[0], finite[-1], len(values) - len(finite))
    assert sum(bar.count for bar in found.bars) == len(finite)
    for share, value in found.quantiles.items():
        expected = finite[max(math.ceil(share * len(finite)) - 1, 0)]
        assert value == expected or abs(value - expected) <= 0.0201 * abs(expected) + 1e-290


def test_years_are_told_to_the_year():
    years = np.random.default_rng(0).integers(1950, 2001, 10_000)
    found = numbers(pl.LazyFrame({"x": years}), "x", 51)
    assert found.median == np.sort(years)[4_999]


@pytest.mark.parametrize("values", [3, 500, 40_000])
def test_distinct_values_of_many_rows_are_exact_or_within_one_percent(monkeypatch, values):
    monkeypatch.setattr(counting, "EXACT_ROWS", 1_000)
    monkeypatch.setattr(counting, "FEW", 2_000)
    rows = pl.DataFrame({"x": np.arange(100_000) % values}).with_columns(y=pl.format("v{}", "x"))
    found = distinct_counts(rows.lazy(), ["x", "y"], 100_000)
    tolerance = 0 if values / counting.PART < counting.FEW else 0.05
    assert all(abs(count - values) <= tolerance * values for count in found.values())


def test_null_is_no_distinct_value():
    assert distinct_counts(pl.LazyFrame({"x": ["a", None, "a", "b"]}), ["x"], 4) == {"x": 2}


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=80))
def test_ginis_coefficient_is_the_mean_difference(counts):
    heights = np.sort(np.array(counts, np.float64))[::-1]
    differences = np.abs(heights[:, None] - heights[None, :]).sum()
    assert gini(heights) == pytest.approx(differences / (2 * len(counts) ** 2 * heights.mean()), abs=1e-9)
    points = curve(heights)
    assert points[0] == (0.0, 0.0)
    assert points[-1] == pytest.approx((1.0, 1.0))
    assert all(before[1] <= after[1] for before, after in pairwise(points))


def moved(before, recent):
    rows = pl.DataFrame({"recent": [False] * len(before) + [True] * len(recent), "value": [*before, *recent]})
    return _of_numbers(rows.with_columns(pl.col("value").cast(pl.Float64)).lazy(), "value")


def test_numbers_that_four_digits_do_not_tell_apart_are_counted_apart():
    found = moved([1000.01] * 50 + [1000.02] * 50, [1000.01] * 10 + [1000.02] * 90)
    assert found.psi == pytest.approx(0.853, abs=0.001)  # shares of 0.5 and half a row, by hand
    assert [each.value for each in found.moved] == ["up to 1,000.01", "1,000.01 to 1,000.02"]


@pytest.mark.parametrize(
    ("strange", "called"),
    [(1e9, "above all before"), (-1e9, "below all before"), (math.inf, "infinite"), (-math.inf, "infinite"),
     (math.nan, "not a number")],
)  # fmt: skip
def test_a_number_beyond_all_before_is_seen_and_told(strange, called):
    before = [float(number % 100) for number in range(1000)]
    assert moved(before, before).psi == pytest.approx(0, abs=1e-9)
    found = moved(before, [*before[:900], *[strange] * 100])
    assert (found.moved[0].value, found.moved[0].recent) == (called, 0.1)
    assert found.word == "changed"
    assert moved([math.nan] * 10, [1.0] * 10).word == "changed"


def test_items_of_one_title_are_told_apart(tmp_path):
    lake = Lake(tmp_path / "lake")
    items = ["a", "b", "c", "d"]
    lake.put_items(pl.DataFrame({"id": items, "title": ["One", "One", "Other", None]}), "catalog")
    events = {"id": items, "user": ["ann"] * 4, "item": items, "type": ["view"] * 4}
    lake.append_events(pl.DataFrame(events), "events")
    codes = lake.snapshot().dictionary("item_ids").sort("id")["code"]
    assert _titles(lake.snapshot(), codes) == ["One (a)", "One (b)", "Other", "d"]


def test_a_shape_says_nothing_but_kinds_of_signs():
    texts = pl.DataFrame({"x": ["Ann Lee,1975-03-01,é@x.org", "Ü٣", ""]}).select(shape(pl.col("x")))["x"]
    assert texts.to_list() == ["Aaa Aaa,9999-99-99,a@a.aaa", "A9", ""]


def test_what_few_share_is_not_told_of_people():
    attributes = ['{"city": "Ulm", "age": 30}'] * 12 + ['{"city": "Hof", "age": 99}']
    rows = pl.DataFrame({"id": [f"u{n}" for n in range(13)], "attributes": attributes})
    found = table_profile("users", rows.lazy())
    assert found["attributes.city"].top == (("Ulm", 12),)
    assert found["id"].top == ()
    catalog = table_profile("items", pl.concat([rows, rows]).lazy())
    assert dict(catalog["attributes.city"].top) == {"Ulm": 24, "Hof": 2}


def test_objects_are_unfolded_by_what_is_in_them():
    rows = [
        '{"n": 1, "f": 2.5, "yes": true, "tags": ["a", "b"], "deep": {"x": 1}}',
        '{"n": "two", "tags": ["a"]}',
        None,
    ]
    found = table_profile("items", pl.LazyFrame({"id": ["1", "2", "3"], "attributes": rows}))
    kinds = {column.name: (column.type, column.missing) for column in found.columns[1:]}
    assert kinds == {
        "attributes.n": ("text", 1),
        "attributes.f": ("number", 2),
        "attributes.yes": ("yes or no", 2),
        "attributes.tags": ("list", 1),
        "attributes.deep": ("text", 2),
    }
