"""Popularity by segment: against the formula, what a history changes, segments of every kind, reasons that sum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.catalog import Item
from segue.domain.errors import DataError, UnknownName
from segue.domain.requests import Histories, Requests
from segue.engines.content import content_of
from segue.engines.local import LocalEngine, Table
from segue.learn.popularity import DAY_US, Popularity
from segue.learn.segments import SegmentItems, SegmentPopularity
from segue.testing.datasets import mixed, table

CATALOG = [
    Item("d", categories=("jazz", "live"), group="one", attributes={"label": "blue", "years": [1, 2]}),
    Item("a", categories=("jazz",), group="one"),
    Item("c", categories=("pop",), attributes={"label": "red"}),
    Item("b"),
]


def fitted(learner: SegmentPopularity, times: list[int] | None = None) -> SegmentItems:
    rows = table(
        np.array([0, 1, 2, 0, 1, 2, 0]),
        np.array([2, 2, 2, 0, 0, 1, 3]),
        3,
        [item.id for item in CATALOG],
        times=None if times is None else np.array(times) * DAY_US,
    )
    model = learner.fit(LocalEngine(), Table(rows.table, rows.items, rows.users, content=content_of(CATALOG)))
    assert isinstance(model, SegmentItems)
    return model


def asked(model: SegmentItems, *histories: str) -> Requests:
    return Requests(Histories.of([model.items.positions(history) for history in histories]))


def test_scores_are_those_of_the_formula() -> None:
    model = fitted(SegmentPopularity(shrinkage=2))
    (scores,) = model.scores(asked(model, "ac"))
    popularity = {"a": 1, "b": 1, "c": 3, "d": 2}
    share = {"jazz": 2 / 7, "live": 1 / 7, "pop": 3 / 7, "": 1 / 7}
    mine = {name: ((name in ("jazz", "pop")) + 2 * share[name]) / 4 for name in share}
    kinds = {"a": ["jazz"], "b": [""], "c": ["pop"], "d": ["jazz", "live"]}
    expected = [popularity[item] * np.mean([mine[kind] / share[kind] for kind in kinds[item]]) for item in "abcd"]
    assert scores == pytest.approx(expected, rel=1e-6)


def test_without_a_history_it_is_popularity() -> None:
    model = fitted(SegmentPopularity())
    assert model.scores(asked(model, ""))[0].tolist() == model.popularity().tolist()
    assert model.personal
    plain = Popularity().fit(LocalEngine(), mixed())
    ours = SegmentPopularity().fit(LocalEngine(), mixed())
    nobody = Requests(Histories.of([[]]))
    assert np.array_equal(plain.scores(nobody), ours.scores(nobody))


def test_a_long_history_counts_more() -> None:
    model = fitted(SegmentPopularity(shrinkage=10))
    short, long = model.scores(asked(model, "a", "ad"))
    assert long[0] > short[0] > model.popularity()[0]
    assert long[2] < short[2] < model.popularity()[2]


@pytest.mark.parametrize(("by", "together"), [("group", "ad"), ("label", "d"), ("years", "d"), ("categories", "ad")])
def test_segments_by_what_the_catalog_has(by: str, together: str) -> None:
    model = fitted(SegmentPopularity(by=by))
    (scores,) = model.scores(asked(model, "d"))
    risen = model.items.take(np.flatnonzero(scores > model.popularity()))
    assert risen == sorted(together)


def test_an_attribute_that_no_item_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"segment_popularity, by.*'lable'\n.*'label'.*categories"):
        fitted(SegmentPopularity(by="lable"))


def test_a_dataset_without_a_catalog_is_refused() -> None:
    with pytest.raises(DataError, match="segment_popularity learns from what the catalog says"):
        SegmentPopularity().fit(LocalEngine(), table(np.array([0]), np.array([0]), 1, ["x"]))


def test_shares_are_those_of_the_moment() -> None:
    model = fitted(SegmentPopularity(half_life_days=1), [9, 9, 9, 1, 1, 1, 1])
    before = Requests(asked(model, "a").histories, now=2 * DAY_US)
    assert model.scores(before)[0, 2] == 0
    assert model.scores(before)[0, 0] > 0


@given(st.lists(st.integers(0, 3), max_size=6), st.floats(0.01, 100), st.sampled_from(["none", "log"]))
@settings(max_examples=30, deadline=None)
def test_reasons_sum_to_the_score(history: list[int], shrinkage: float, weighting: Any) -> None:
    model = fitted(SegmentPopularity(shrinkage=shrinkage, weighting=weighting))
    request = Requests(Histories.of([history]))
    for reasons, score in zip(
        model.reasons(request, np.arange(4, dtype=np.int32)), model.scores(request)[0], strict=True
    ):
        assert sum(part.score for part in reasons.contributions) == pytest.approx(score, rel=1e-5)
        assert reasons.contributions[-1].label == "popularity"
