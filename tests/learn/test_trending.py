"""Trending: each item against its own past, by hand, as of a moment, and what a busy week does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.errors import MissingColumn
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn.popularity import DAY_US, DailyWeights
from segue.learn.trending import RisingItems, Trending
from segue.testing.datasets import DAY_US as DAY
from segue.testing.datasets import mixed, table

NOON = DAY_US // 2
NOBODY = Histories.of([[]])


def fitted(learner: Trending, events: dict[str, list[int]]) -> RisingItems:
    """From the days of the events of each item."""
    items = [item for item, days in events.items() for _ in days]
    times = [day * DAY_US + NOON for days in events.values() for day in days]
    model = learner.fit(LocalEngine(), Table.of(["somebody"] * len(items), items, times=times))
    assert isinstance(model, RisingItems)
    return model


def test_the_ratio_by_hand() -> None:
    learner = Trending(window_days=2, past_days=10, shrinkage=3)
    model = fitted(learner, {"a": [*range(10), 10, 11, 11, 11], "b": [*range(10), 10, 11]})
    recent, expected = model.against_past()
    assert recent.tolist() == [4, 2]
    assert expected == pytest.approx([3, 3])  # 2 each, times the 6 of 4 that both came to
    assert model.rise() == pytest.approx([math.log(7 / 6), 0], rel=1e-6)
    by_z = RisingItems(model.items, model.positions, model.days, model.weights, 2, 10, "z", 3)
    assert by_z.rise() == pytest.approx([1 / math.sqrt(6), 0], rel=1e-6)


def test_a_busy_week_lifts_nothing() -> None:
    steady, busy = list(range(28)), [28, 28, 28, 29, 29, 29]
    assert not fitted(Trending(window_days=2), {"a": steady + busy, "b": steady + busy}).rise().any()


def test_an_item_is_held_against_the_days_that_it_was_around() -> None:
    model = fitted(Trending(window_days=1, past_days=100), {"old": list(range(51)), "young": list(range(45, 51))})
    assert not model.rise().any()


def test_what_is_new_and_met_with_interest_trends() -> None:
    model = fitted(Trending(window_days=1, shrinkage=1), {"old": list(range(10)), "new": [9] * 5})
    assert model.rise() == pytest.approx([math.log(6), 0], rel=1e-6)


def test_few_events_say_little() -> None:
    past, last = list(range(20)), [20]
    events = {"few": [3, *last * 2], "many": past * 10 + last * 30, "steady": (past + last) * 100}
    model = fitted(Trending(window_days=1, shrinkage=10), events)
    assert model.rise()[1] > model.rise()[0] > 0


def test_what_is_later_than_now_has_not_happened() -> None:
    events = {"a": [1, 2, 3, 3, 3, 9], "b": [1, 2, 3, 9, 9, 9]}
    learner = Trending(window_days=1, past_days=5, shrinkage=1)
    model = fitted(learner, events)
    before = fitted(learner, {item: [day for day in days if day <= 3] for item, days in events.items()})
    assert np.array_equal(model.scores(Requests(NOBODY, now=3 * DAY_US + NOON)), before.scores(Requests(NOBODY)))
    assert np.array_equal(model.scores(Requests(NOBODY, now=99 * DAY_US)), model.scores(Requests(NOBODY)))
    assert not model.scores(Requests(NOBODY, now=-DAY_US)).any()


def test_the_reason_says_what_was_expected() -> None:
    model = fitted(Trending(window_days=1, shrinkage=1), {"old": list(range(10)), "new": [9] * 5})
    (reasons,) = model.reasons(Requests(NOBODY), np.array([0], np.int32))
    assert reasons.contributions[0].label == "5 in 1 days, 0 expected"
    assert reasons.contributions[0].score == reasons.score


def test_events_without_times_are_refused_by_name() -> None:
    with pytest.raises(
        MissingColumn, match=r"learner trending: what trends needs the time.*\n.*popularity.*events.columns"
    ):
        Trending().fit(LocalEngine(), Table.of(["ann"], ["x"]))


def test_times_before_1970() -> None:
    shifted = {"a": [-30, -29, -28, -28, -28], "b": [-30, -29, -28]}
    model = fitted(Trending(window_days=1, past_days=2, shrinkage=1), shifted)
    assert model.rise()[0] > 0 == model.rise()[1]


@given(st.lists(st.integers(0, 599), min_size=1, max_size=50, unique=True))
@settings(max_examples=20, deadline=None)
def test_what_was_taken_away_was_never_there(gone: list[int]) -> None:
    """Yesterday's state without some rows is the state of the other rows: what makes it incremental."""
    whole = mixed()
    away = np.isin(np.arange(whole.rows), gone)
    engine, learner = LocalEngine(), Trending(window_days=3)
    states = [
        engine.fold(DailyWeights("none"), Table(whole.table.filter(which), whole.items, whole.users, whole.types))
        for which in (np.ones(whole.rows, bool), away, ~away)
    ]
    left = learner.finish(DailyWeights("none").subtract(states[0], states[1]), whole.items)
    other = learner.finish(states[2], whole.items)
    assert np.array_equal(left.scores(Requests(NOBODY)), other.scores(Requests(NOBODY)))


def test_items_without_events_score_nothing() -> None:
    rows = table(np.array([0, 0]), np.array([1, 1]), 1, ["a", "b"], times=np.array([1, 2]) * DAY)
    assert Trending(window_days=1).fit(LocalEngine(), rows).scores(Requests(NOBODY))[0, 0] == 0
