"""One vocabulary for models and catalog: positions joined by id, groups, dates, trails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.catalog import Item
from segue.domain.errors import UnknownName
from segue.domain.items import UNKNOWN
from segue.domain.requests import NO_TIME
from segue.engines.local import LocalEngine, Table
from segue.find.past import Named
from segue.find.sources import Sources, microseconds
from segue.learn.popularity import Popularity


def popularity(*items: str):
    return Popularity().fit(LocalEngine(), Table.of([f"p{place}" for place in range(len(items))], list(items)))


def test_items_of_different_models_meet_by_id() -> None:
    sources = Sources({"one": popularity("b", "d"), "two": popularity("d", "a")}, {"c": Item("c"), "b": Item("b")})
    assert sources.items.ids == ("a", "b", "c", "d")
    assert sources.source("one").to_all.tolist() == [1, 3]
    assert sources.source("two").to_all.tolist() == [0, 3]
    assert sources.source("one").from_all.tolist() == [UNKNOWN, 0, UNKNOWN, 1]


@given(one=st.sets(st.sampled_from("abcdefgh"), min_size=1), two=st.sets(st.sampled_from("abcdefgh"), min_size=1))
def test_translations_go_there_and_back(one: set[str], two: set[str]) -> None:
    sources = Sources({"one": popularity(*one), "two": popularity(*two)}, {})
    for source in sources.models.values():
        assert sources.items.take(source.to_all) == list(source.recommender.items.ids)
        assert source.from_all[source.to_all].tolist() == list(range(len(source.to_all)))
        assert np.count_nonzero(source.from_all != UNKNOWN) == len(source.to_all)


def test_the_fallback_is_the_first_model_that_needs_no_history() -> None:
    assert Sources({"one": popularity("a"), "two": popularity("a")}, {}).fallback == "one"
    assert Sources({"one": popularity("a"), "two": popularity("a")}, {}, "two").fallback == "two"
    assert Sources({}, {}).fallback is None


def test_a_trail_holds_what_weighs_something_and_is_known() -> None:
    sources = Sources({"one": popularity("a", "b")}, {})
    past = [Named("b", "view", 2.0, 5), Named("zzz"), Named("a", "impression", 0.0), Named("a", "view", 1.0, NO_TIME)]
    trail = sources.trail(past)
    assert (trail.positions.tolist(), trail.weights.tolist(), trail.times.tolist()) == ([1, 0], [2, 1], [5, NO_TIME])
    request = trail.request(sources.source("one"), 7, {"device": "tv"})
    assert (request.histories.items.tolist(), request.now, request.contexts) == ([1, 0], 7, ({"device": "tv"},))
    assert len(sources.trail([])) == 0


def test_a_request_leaves_out_what_the_model_does_not_know() -> None:
    sources = Sources({"one": popularity("a")}, {"b": Item("b")})
    trail = sources.trail([Named("b"), Named("a")])
    assert trail.request(sources.source("one"), None, {}).histories.items.tolist() == [0]
    assert sources.source("one").knows(trail)
    assert not sources.source("one").knows(sources.trail([Named("b")]))


def test_groups_share_a_number_and_never_with_an_item_of_that_name() -> None:
    catalog = {name: Item(name, group=group) for name, group in [("a", "g"), ("b", "g"), ("c", None), ("g", None)]}
    sources = Sources({}, catalog)
    assert sources.groups.tolist() == [0, 0, 1, 2]
    assert sources.grouped
    assert not Sources({}, {"a": Item("a"), "b": Item("b", group="only")}).grouped


def test_dates_are_kept_only_where_there_are_any() -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    sources = Sources({}, {"a": Item("a", available_from=day), "b": Item("b")})
    assert sources.closes is None
    assert sources.opens is not None
    assert sources.opens[0] == microseconds(day)
    assert sources.opens[1] < 0


@given(st.datetimes(), st.integers(-720, 720))
def test_microseconds_are_exact_and_a_moment_without_a_zone_is_utc(moment: datetime, minutes: int) -> None:
    assert microseconds(moment) == microseconds(moment.replace(tzinfo=UTC))
    exact = moment.replace(tzinfo=UTC)
    assert microseconds(exact + timedelta(microseconds=1) if exact.year < 9999 else exact) - microseconds(exact) in (
        0,
        1,
    )
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(exact)) == exact


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownName, match="no model is called 'easy'"):
        Sources({}, {}).source("easy")


def test_titles_fall_back_on_ids() -> None:
    sources = Sources({}, {"a": Item("a", title="Alpha"), "b": Item("b")})
    assert [sources.title(item) for item in ("a", "b", "c")] == ["Alpha", "b", "c"]
