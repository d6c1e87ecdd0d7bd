"""How lists treat the popular, the unpopular and the new: the definitions of the docstring written as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.requests import Histories
from segue.measure.exposure import gini, head, own_popularity, popularity, recall_of, serendipity
from segue.measure.familiarity import Familiarity
from segue.measure.ties import Ties

ITEMS = 8
subsets = st.lists(st.integers(0, ITEMS - 1), max_size=5, unique=True)
rows = st.lists(st.tuples(subsets, subsets, st.lists(st.integers(0, ITEMS - 1), max_size=6)), min_size=1, max_size=5)
known_by = st.lists(st.integers(0, 4), min_size=ITEMS, max_size=ITEMS)


def arrays(people: list[tuple[list[int], list[int], list[int]]]) -> tuple[np.ndarray, Histories, Histories, Ties]:
    """Lists that end early, truths, histories, and that nothing is tied."""
    lists = np.array([listed + [-1] * (5 - len(listed)) for listed, _, _ in people], np.int32)
    scores = np.where(lists >= 0, np.arange(5, 0, -1), 0).astype(np.float32)
    untied = Ties(scores, np.zeros(len(people), np.int64), Histories.of([[] for _ in people]))
    return lists, Histories.of([truth for _, truth, _ in people]), Histories.of([own for _, _, own in people]), untied


@settings(max_examples=50)
@given(rows, known_by, st.integers(1, 5))
def test_popularity_is_a_mean_of_shares(people, counts, k):
    lists, _, histories, _ = arrays(people)
    known = Familiarity(np.array(counts), 4)
    of_lists, own = popularity(lists, known, [k])[f"popularity@{k}"], own_popularity(histories, known)
    for row, (listed, _, had) in enumerate(people):
        mean = np.mean([counts[item] / 4 for item in listed[:k]]) if listed else np.nan
        assert of_lists[row] == pytest.approx(mean, nan_ok=True)
        mean = np.mean([counts[item] / 4 for item in set(had)]) if had else np.nan
        assert own[row] == pytest.approx(mean, nan_ok=True)


@settings(max_examples=50)
@given(known_by)
def test_the_head_is_no_larger_than_it_must_be_and_goes_by_no_name(counts):
    found = head(Familiarity(np.array(counts), 4))
    total = sum(counts)
    assert sum(np.array(counts)[found]) >= 0.8 * total
    inside, outside = np.array(counts)[found], np.array(counts)[~found]
    assert not inside.size or inside.min() > outside.max(initial=0)  # equally known items are on one side
    if inside.size:
        assert inside[inside > inside.min()].sum() < 0.8 * total


@settings(max_examples=50)
@given(rows, known_by, st.integers(1, 5))
def test_recall_of_some_items(people, counts, k):
    lists, truth, _, untied = arrays(people)
    tail = ~head(Familiarity(np.array(counts), 4))
    (found,) = recall_of(lists, truth, tail, [k], untied)
    for row, (listed, relevant, _) in enumerate(people):
        wanted = {item for item in relevant if tail[item]}
        recall = len(wanted & set(listed[:k])) / len(wanted) if wanted else np.nan
        assert found[row] == pytest.approx(recall, nan_ok=True)


@settings(max_examples=50)
@given(rows, known_by, st.integers(1, 5))
def test_serendipity_leaves_out_what_popularity_would_have_given(people, counts, k):
    lists, truth, histories, untied = arrays(people)
    found = serendipity(lists, truth, histories, Familiarity(np.array(counts), 4), [k], untied)[f"serendipity@{k}"]
    for row, (listed, relevant, had) in enumerate(people):
        open_to = sorted((counts[item] for item in range(ITEMS) if item not in had), reverse=True)
        bar = open_to[k - 1] if len(open_to) >= k else 0
        surprising = [item for item in listed[:k] if item in relevant and counts[item] < max(bar, 1)]
        assert found[row] == pytest.approx(len(surprising) / k)


def test_serendipity_counts_ties_by_expectation():
    """One of two tied items is right and little known; it is listed first half of the times."""
    ties = Ties(np.array([[1.0]], np.float32), np.array([1]), Histories.of([[]]))
    known = Familiarity(np.array([1, 3, 4]), 4)
    found = serendipity(np.array([[0]], np.int32), Histories.of([[0]]), Histories.of([[]]), known, [1], ties)
    assert found["serendipity@1"].tolist() == [0.5]


@settings(max_examples=50)
@given(rows, st.integers(1, 5))
def test_gini_is_the_mean_gap_over_twice_the_mean(people, k):
    lists = arrays(people)[0]
    counts = np.bincount(lists[:, :k][lists[:, :k] >= 0], minlength=ITEMS)
    gaps = np.abs(counts[:, None] - counts[None, :]).sum()
    expected = gaps / (2 * ITEMS * counts.sum()) if counts.sum() else 0
    assert gini(lists, ITEMS, [k])[f"gini@{k}"] == pytest.approx(expected)


def test_gini_at_its_ends():
    everybody_the_same = np.zeros((10, 1), np.int32)
    everything_once = np.arange(10, dtype=np.int32)[:, None]
    assert gini(everybody_the_same, 10, [1])["gini@1"] == pytest.approx(0.9)
    assert gini(everything_once, 10, [1])["gini@1"] == pytest.approx(0)
