"""Filters lose nothing: whatever is allowed, denied and seen, every learner's list has k items where k are left."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.errors import DataError, SegueError
from segue.domain.recommender import Recommender, top_unseen
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine
from segue.learn.learner import learner, learners
from segue.testing.datasets import mixed

ITEMS = 25


@cache
def fitted(name: str) -> Recommender | None:
    """Of the learner's defaults; None where it needs more than what everybody has (a blend: its parts)."""
    try:
        return learner(name, {}).fit(LocalEngine(), mixed())
    except SegueError:
        return None


@pytest.mark.parametrize("name", learners())
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, ITEMS + 2), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_k_items_come_wherever_k_are_left(name: str, seed: int, k: int, share: float) -> None:
    model = fitted(name)
    if model is None:
        return
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 4))
    past, seen = (Histories.of([random.integers(0, ITEMS, random.integers(0, 9)) for _ in range(rows)]) for _ in "12")
    one, each = random.random(ITEMS) < share, random.random((rows, ITEMS)) < share
    asked = Requests(past)
    left = one & ~each
    assert_full(model.top(asked, k, allow=one, deny=each)[0], left, k)
    left = np.broadcast_to(one, (rows, ITEMS)).copy()
    left[seen.row_numbers(), seen.items] = False
    assert_full(top_unseen(model, asked, k, seen=seen, allow=one)[0], left, k)


def assert_full(found: np.ndarray, left: np.ndarray, k: int) -> None:
    for listed, its in zip(found, left, strict=True):
        shown = listed[listed >= 0]
        assert len(set(shown.tolist())) == min(k, int(its.sum()))
        assert its[shown].all()


@pytest.mark.parametrize("stranger", [-1, ITEMS])
def test_candidates_are_of_the_vocabulary(stranger: int) -> None:
    model = learner("ease", {}).fit(LocalEngine(), mixed())
    with pytest.raises(DataError, match=rf"candidates: expected positions from 0 to {ITEMS - 1}, found"):
        model.scores(Requests(Histories.of([[0]])), np.array([0, stranger], np.int32))


def test_candidates_may_be_a_plain_list() -> None:
    model: Any = learner("ease", {}).fit(LocalEngine(), mixed())
    asked = Requests(Histories.of([[0]]))
    assert np.array_equal(model.scores(asked, [3, 1]), model.scores(asked)[:, [3, 1]])


@pytest.mark.parametrize("stranger", [-1, ITEMS])
def test_what_was_seen_is_of_the_vocabulary(stranger: int) -> None:
    model = learner("ease", {}).fit(LocalEngine(), mixed())
    with pytest.raises(DataError, match=r"seen.items: expected positions from 0 to 24"):
        top_unseen(model, Requests(Histories.of([[0]])), 3, seen=Histories.of([[stranger]]))
