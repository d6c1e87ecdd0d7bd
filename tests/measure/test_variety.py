"""Diversity and calibration: worked by hand, and the definitions written as loops."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.requests import Histories
from segue.measure import variety
from segue.measure.labels import Labels
from segue.measure.variety import diversity, miscalibration

names = st.lists(st.sampled_from("pqrs"), max_size=4)
catalogs = st.lists(names, min_size=6, max_size=6)
lists_of = st.lists(st.permutations(range(6)).map(lambda items: items[:4]), min_size=1, max_size=5)


def test_diversity_worked_by_hand():
    """{p}, {p, q}, {r}: distances 1/2, 1 and 1; the fourth item has no category."""
    labels = Labels.of_column(pa.array([["p"], ["p", "q"], ["r"], []], pa.list_(pa.string())))
    found = diversity(np.array([[0, 1, 2, 3], [3, 0, -1, -1]], np.int32), labels, (2, 4))
    assert found["diversity@2"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert found["diversity@4"].tolist() == pytest.approx([2.5 / 3, np.nan], nan_ok=True)


def test_calibration_worked_by_hand():
    """A history of 3/4 p and 1/4 q; lists of p alone, of both in the person's shares, of neither."""
    labels = Labels.of_column(pa.array([["p"], ["p", "q"], ["q"], ["r"], []], pa.list_(pa.string())))
    own = [0, 0, 1, 4]  # 1 + 1 + 1/2 of p and 1/2 of q, of three events: 5/6 and 1/6
    lists = np.array([[0, -1], [3, 4], [-1, -1], [0, 1]], np.int32)
    found = miscalibration(lists, Histories.of([own, own, own, [4]]), labels, (2,))["miscalibration@2"]
    p, q = 5 / 6, 1 / 6
    only_p = p * math.log(p / (0.99 + 0.01 * p)) + q * math.log(1 / 0.01)
    assert found == pytest.approx([only_p, math.log(100), math.log(100), np.nan], nan_ok=True)
    same = miscalibration(np.array([[0, 1, 0]], np.int32), Histories.of([own]), labels, (3,))
    assert same["miscalibration@3"] == pytest.approx([0], abs=1e-12)


def shares(items: list[int], labels: list[list[str]]) -> dict[str, float]:
    described = [set(labels[item]) for item in items if labels[item]]
    return {
        name: sum((name in each) / len(each) for each in described) / max(len(described), 1) for name in set("pqrs")
    }


@settings(max_examples=50)
@given(catalogs, lists_of, st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=5, max_size=5), st.integers(1, 6))
def test_both_are_what_the_definitions_say(labels, listed, histories, k):
    table = Labels.of_column(pa.array(labels, pa.list_(pa.string())))
    histories = histories[: len(listed)]
    lists = np.array(listed, np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variety, "CELLS", 40)
        different = diversity(lists, table, (k,))[f"diversity@{k}"]
    apart = miscalibration(lists, Histories.of(histories), table, (k,))[f"miscalibration@{k}"]
    for row, (items, own) in enumerate(zip(listed, histories, strict=True)):
        described = [set(labels[item]) for item in items[:k] if labels[item]]
        pairs = [1 - len(a & b) / len(a | b) for a, b in combinations(described, 2)]
        assert different[row] == pytest.approx(np.mean(pairs) if pairs else np.nan, nan_ok=True, abs=1e-6)
        p, q = shares(own, labels), shares(items[:k], labels)
        expected = sum(p[c] * math.log(p[c] / (0.99 * q[c] + 0.01 * p[c])) for c in p if p[c])
        known = any(labels[item] for item in own)
        assert apart[row] == pytest.approx(expected if known else np.nan, nan_ok=True, abs=1e-12)


def test_without_any_category_there_is_no_value():
    table = Labels.of_column(pa.array([[], []], pa.list_(pa.string())))
    lists, histories = np.array([[0, 1]], np.int32), Histories.of([[1]])
    assert np.isnan(diversity(lists, table, (2,))["diversity@2"]).all()
    assert np.isnan(miscalibration(lists, histories, table, (2,))["miscalibration@2"]).all()


def test_items_with_a_label():
    table = Labels.of_column(pa.array([["p"], [], ["q", "p"]], pa.list_(pa.string())))
    assert (table.having("p").tolist(), table.having("q").tolist()) == ([True, False, True], [False, False, True])
