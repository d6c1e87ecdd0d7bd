"""Metrics against values worked by hand, published examples, and the plain definition written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.requests import Histories
from segue.measure import metrics
from segue.measure.familiarity import Familiarity
from segue.measure.metrics import ACCURACY, accuracy, coverage, found, novelty

# RecTools 0.17.0, docstrings of metrics/ranking.py: users 1-4 of MAP and NDCG
PUBLISHED_LISTS = np.array([[7, 8, -1, -1], [1, 2, -1, -1], [1, 2, 3, 4], [1, 2, 3, -1]], np.int32)
PUBLISHED_TRUTH = Histories.of([[1, 2], [1], [1, 3, 4], [1, 2, 3]])


def test_values_worked_by_hand():
    """List 1 2 3 4 5, relevant 2 4 9: hits at ranks 2 and 4 of 3 relevant items."""
    values = accuracy(np.array([[1, 2, 3, 4, 5]], np.int32), Histories.of([[2, 4, 9]]), (2, 5))
    second, fourth = 1 / math.log2(3), 1 / math.log2(5)
    expected = {
        "recall@2": 1 / 3,
        "precision@2": 1 / 2,
        "ndcg@2": second / (1 + second),  # the best list of 2 has both places relevant
        "map@2": (1 / 2) / 3,
        "mrr@2": 1 / 2,
        "hit_rate@2": 1,
        "recall@5": 2 / 3,
        "precision@5": 2 / 5,
        "ndcg@5": (second + fourth) / (1 + second + 1 / 2),  # 1.06161 / 2.13093 = 0.49819
        "map@5": (1 / 2 + 2 / 4) / 3,
        "mrr@5": 1 / 2,
        "hit_rate@5": 1,
    }
    assert {name: value[0] for name, value in values.items()} == pytest.approx(expected)
    assert values["ndcg@5"][0] == pytest.approx(0.49819, abs=5e-6)


def test_values_that_rectools_publishes():
    values = accuracy(PUBLISHED_LISTS, PUBLISHED_TRUTH, (1, 3))
    assert values["map@1"] == pytest.approx([0, 1, 1 / 3, 1 / 3])
    assert values["map@3"] == pytest.approx([0, 1, 0.55555556, 1])
    assert values["ndcg@1"] == pytest.approx([0, 1, 1, 1])
    assert values["ndcg@3"][[0, 2, 3]] == pytest.approx([0, 0.70391809, 1])
    assert values["ndcg@3"][1] == 1  # RecTools' default says .469: it wants 3 relevant items of who has one


def test_novelty_that_rectools_publishes():
    """RecTools 0.17.0, docstring of MeanInvUserFreq: three people know item 1, one knows item 2, nobody item 3."""
    known = Familiarity(np.array([0, 3, 1, 0]), people=3)
    values = novelty(np.array([[3, -1], [2, 3], [1, 2]], np.int32), known, (1, 3))
    assert values["novelty@1"] == pytest.approx([1.5849625, 1.5849625, 0])
    assert values["novelty@3"] == pytest.approx([1.5849625, 1.5849625, 0.79248125])


def test_coverage_counts_items_that_anybody_gets():
    lists = np.array([[0, 1, 2], [0, 3, -1]], np.int32)
    assert coverage(lists, 8, (1, 2, 3)) == {"coverage@1": 1 / 8, "coverage@2": 3 / 8, "coverage@3": 4 / 8}


@st.composite
def people(draw: st.DrawFn) -> tuple[np.ndarray, list[list[int]]]:
    """Lists without repeats that may end early, and truths that are not empty."""
    length = draw(st.integers(1, 6))
    lists, truths = [], []
    for _ in range(draw(st.integers(1, 5))):
        listed = draw(st.lists(st.integers(0, 9), unique=True, max_size=length))
        lists.append(listed + [-1] * (length - len(listed)))
        truths.append(draw(st.lists(st.integers(0, 9), unique=True, min_size=1, max_size=8)))
    return np.array(lists, np.int32), truths


def by_definition(listed: list[int], truth: list[int], k: int) -> dict[str, float]:
    """The docstring of `segue.measure.metrics`, word by word."""
    rel = [int(item in truth) for item in listed[:k]]
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(truth)) + 1))
    return {
        "recall": sum(rel) / len(truth),
        "precision": sum(rel) / k,
        "ndcg": sum(hit / math.log2(rank + 1) for rank, hit in enumerate(rel, 1)) / ideal,
        "map": sum(hit * sum(rel[:rank]) / rank for rank, hit in enumerate(rel, 1)) / len(truth),
        "mrr": next((1 / rank for rank, hit in enumerate(rel, 1) if hit), 0),
        "hit_rate": float(any(rel)),
    }


@given(people(), st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True))
def test_arrays_say_what_the_definition_says(case, cuts):
    lists, truths = case
    values = accuracy(lists, Histories.of(truths), cuts)
    assert set(values) == {f"{name}@{k}" for name in ACCURACY for k in cuts}
    for row, truth in enumerate(truths):
        for k in cuts:
            for name, value in by_definition(lists[row].tolist(), truth, k).items():
                assert values[f"{name}@{k}"][row] == pytest.approx(value), (name, k)


@given(people())
def test_what_cannot_be_otherwise(case):
    lists, truths = case
    values = accuracy(lists, Histories.of(truths), (1, 3, 5))
    assert all(((value >= 0) & (value <= 1 + 1e-12)).all() for value in values.values())
    for name in ("recall", "map", "mrr", "hit_rate"):
        assert (values[f"{name}@1"] <= values[f"{name}@3"] + 1e-12).all()
        assert (values[f"{name}@3"] <= values[f"{name}@5"] + 1e-12).all()
    assert (values["mrr@5"] <= values["hit_rate@5"]).all()


@given(people())
def test_the_perfect_list_has_ndcg_one(case):
    _, truths = case
    width = max(map(len, truths))
    perfect = np.array([truth + [-1] * (width - len(truth)) for truth in truths], np.int32)
    assert accuracy(perfect, Histories.of(truths), (3,))["ndcg@3"] == pytest.approx(1)


def test_empty_lists_and_truths_are_zero_not_an_error():
    empty = np.full((2, 3), -1, np.int32)
    assert all((value == 0).all() for value in accuracy(empty, Histories.of([[1], []]), (2,)).values())
    assert all(
        (value == 0).all() for value in accuracy(np.empty((2, 0), np.int32), Histories.of([[1], []]), (2,)).values()
    )
    assert (novelty(empty, Familiarity(np.array([1, 1]), 2), (2,))["novelty@2"] == 0).all()
    assert not found(empty, Histories.of([[], []])).any()


@given(people(), st.integers(1, 40))
def test_hits_do_not_depend_on_how_many_people_are_marked_at_once(case, cells):
    lists, truths = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "CELLS", cells)
        hits = found(lists, Histories.of(truths))
    assert hits.tolist() == [[item in truth for item in row] for row, truth in zip(lists, truths, strict=True)]


def test_a_vocabulary_larger_than_the_table_is_no_trouble():
    last = 20_000_000
    lists = np.full((3, 1), last, np.int32)
    assert found(lists, Histories.of([[last - 1], [last], []])).ravel().tolist() == [False, True, False]
