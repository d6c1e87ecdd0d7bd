"""Popularity: weights by day, halved with age, as of now."""

from __future__ import annotations

import numpy as np
import pytest

from segue.domain.errors import MissingColumn
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn.popularity import DAY_US, PopularItems, Popularity

NOON = DAY_US // 2


def fitted(learner: Popularity, days: list[int] | None = None) -> PopularItems:
    times = None if days is None else [day * DAY_US + NOON for day in days]
    model = learner.fit(LocalEngine(), Table.of(["a", "b", "c", "a"], ["x", "x", "y", "y"], [1, 1, 1, 3], times))
    assert isinstance(model, PopularItems)
    return model


def test_weights_add_up() -> None:
    assert fitted(Popularity(weighting="none")).popularity().tolist() == [2, 2]
    assert fitted(Popularity(weighting="log")).popularity().tolist() == [2, 3]
    assert fitted(Popularity(weighting="linear")).popularity().tolist() == [2, 4]


def test_each_half_life_halves() -> None:
    model = fitted(Popularity(half_life_days=10, weighting="none"), [0, 10, 20, 20])
    assert model.popularity().tolist() == [0.25 + 0.5, 2]


def test_before_1970_too() -> None:
    model = fitted(Popularity(half_life_days=10, weighting="none"), [-20, -10, 0, 0])
    assert model.popularity().tolist() == [0.25 + 0.5, 2]


def test_what_is_later_than_now_has_not_happened() -> None:
    model = fitted(Popularity(half_life_days=10, weighting="none"), [0, 10, 20, 20])
    nobody = Histories.of([[]])
    assert model.scores(Requests(nobody, now=10 * DAY_US)).tolist() == [[1.5, 0]]
    assert model.scores(Requests(nobody, now=-DAY_US)).tolist() == [[0, 0]]
    assert model.scores(Requests(nobody, now=99_999 * DAY_US)).tolist() == [[0.75, 2]]


def test_a_half_life_without_times_is_refused_by_name() -> None:
    with pytest.raises(MissingColumn, match=r"half_life_days needs the time.*\n.*events.columns"):
        fitted(Popularity(half_life_days=10))


def test_the_reason_is_popularity() -> None:
    (reasons,) = fitted(Popularity()).reasons(Requests(Histories.of([[0]])), np.array([1], np.int32))
    assert (reasons.item, reasons.score, reasons.contributions[0].label) == (1, 3, "popularity")


def test_weights_however_huge_or_small_count() -> None:
    table = Table.of(["a", "b", "c"], ["x", "y", "z"], [3e38, 1e-38, 0])
    model = Popularity(weighting="linear").fit(LocalEngine(), table)
    assert isinstance(model, PopularItems)
    huge, small, none = model.popularity().tolist()
    assert huge > small > none == 0


def test_many_huge_events_on_one_item_do_not_wrap_around() -> None:
    people = [f"u{n}" for n in range(70_000)]
    table = Table.of([*people, "one"], ["x"] * len(people) + ["y"], [3e9] * len(people) + [1.0])
    model = Popularity(weighting="linear").fit(LocalEngine(), table)
    popular, rare = model.popularity()
    assert popular > rare == 1.0
