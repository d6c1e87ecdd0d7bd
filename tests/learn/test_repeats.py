"""Repeats held against loops over people's baskets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn.repeats import Repeats, ReturnCounts
from segue.testing import check_aggregate

DAY = 86_400_000_000
Shop = list[list[list[str]]]  # people, their baskets, their items
shops = st.lists(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), min_size=1, max_size=5), min_size=1, max_size=4
)


def table(shop: Shop) -> Table:
    rows = [(f"p{p}", item, b * DAY) for p, each in enumerate(shop) for b, basket in enumerate(each) for item in basket]
    people, items, times = zip(*rows, strict=True)
    return Table.of(people, items, times=times)


@given(shops)
@settings(max_examples=50)
def test_returns_and_chances(shop: Shop) -> None:
    dataset = table(shop)
    state = LocalEngine().fold(ReturnCounts(30), dataset)
    for code, item in enumerate(dataset.items.ids):
        later = [basket for each in shop for first in [first_with(each, item)] for basket in each[first + 1 :]]
        assert at(state["chances"], code) == len(later)
        assert at(state["returns"], code) == sum(item in basket for basket in later)
    assert state["events"].tolist() == [sum(len(set(basket)) for each in shop for basket in each)]


def first_with(baskets: list[list[str]], item: str) -> int:
    return next((number for number, basket in enumerate(baskets) if item in basket), len(baskets))


def at(counts: np.ndarray, code: int) -> int:
    return int(counts[code]) if code < len(counts) else 0


@given(shops)
@settings(max_examples=30)
def test_scores(shop: Shop) -> None:
    dataset = table(shop)
    model: Any = Repeats(decay=0.7, alpha=0.5, shrinkage=3).fit(LocalEngine(), dataset)
    state = LocalEngine().fold(ReturnCounts(30), dataset)
    mean = state["returns"].sum() / max(state["chances"].sum(), 1) or 1.0
    events = [(model.items.position(item), b * DAY) for b, basket in enumerate(shop[0]) for item in basket]
    plain = Histories.of([[item for item, _ in events], []])
    times = np.array([time for _, time in events], np.int64)
    asked = Requests(Histories(plain.offsets, plain.items, plain.weights, times, plain.types))
    scores = model.scores(asked)
    assert not scores[1].any()
    for code, item in enumerate(dataset.items.ids):
        worth = sum((1 + age) ** -0.7 for age, basket in enumerate(reversed(shop[0])) if item in basket)
        rate = (at(state["returns"], code) + 3 * mean) / (at(state["chances"], code) + 3)
        assert scores[0, model.items.position(item)] == pytest.approx(worth * rate**0.5, rel=1e-5)


@pytest.mark.parametrize("gap", [None, 60 * 24 * 3.0])
def test_counts_add_up_and_can_be_taken_away(gap: float | None) -> None:
    check_aggregate(ReturnCounts(gap))


def test_without_times_all_that_a_person_did_is_one_basket() -> None:
    model = Repeats().fit(LocalEngine(), Table.of(["ann"] * 4 + ["bob"] * 2, ["x", "y", "x", "z", "x", "y"]))
    assert model.scores(Requests(Histories.of([[0, 1, 0], [2]]))).tolist() == [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
