"""Retrieval and its masks: sources in turn, groups enough for a list, at most 200, drops recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.catalog import Item
from segue.domain.decisions import CANDIDATES_KEPT, DROPS_KEPT
from segue.domain.requests import Requests
from segue.engines.local import LocalEngine, Table
from segue.find.filters import Filter
from segue.find.past import Named
from segue.find.retrieval import CATALOG, PEOPLE, Candidates, Wanted, people_at_once, retrieve
from segue.find.sources import Sources
from segue.learn.popularity import Popularity
from tests.decide.world import models, sources

MANY = [f"n{number:04}" for number in range(1000)]


@pytest.fixture(scope="module")
def thousand():
    """A model of a thousand items, the first the most popular."""
    users, items = [], []
    for place, item in enumerate(MANY):
        for person in range(1 + (len(MANY) - place) // 4):
            users.append(f"p{person}")
            items.append(item)
    return Popularity().fit(LocalEngine(), Table.of(users, items))


def every(shop: Sources, *names: str, history: tuple[str, ...] = ("i01",), k: int = 20) -> Candidates:
    return one(shop, names, np.ones(len(shop.items), np.bool_), k, history)


def one(
    shop: Sources, names: Sequence[str], allowed: npt.NDArray[np.bool_], k: int, history: Sequence[str] = ()
) -> Candidates:
    [found] = retrieve(shop, [Wanted(names, shop.trail([Named(item) for item in history]), allowed, k)])
    return found


def test_no_more_than_200_come_in_and_they_are_the_best(thousand) -> None:
    found = every(Sources({"popularity": thousand}, {}), "popularity", history=())
    assert len(found) == CANDIDATES_KEPT
    assert (np.diff(found.scores) <= 0).all()
    scores = np.sort(thousand.scores(found.requests["popularity"])[0])[::-1]
    assert found.scores.tolist() == scores[:CANDIDATES_KEPT].tolist()


def test_masks_come_before_the_best_are_taken(thousand) -> None:
    shop = Sources({"popularity": thousand}, {})
    allowed = np.zeros(len(shop.items), np.bool_)
    allowed[-30:] = True  # the least popular
    found = one(shop, ("popularity",), allowed, 20)
    assert sorted(found.positions.tolist()) == list(range(970, 1000))


def test_no_item_comes_twice_and_each_from_the_first_source_that_has_it() -> None:
    found = every(sources(), "knn", "ease", "popularity")
    assert len(set(found.positions.tolist())) == len(found)
    assert (np.diff(found.origins) >= 0).all()
    assert found.names == ("knn", "ease", "popularity", CATALOG)


def test_groups_are_enough_for_the_list_even_if_one_group_fills_the_best(thousand) -> None:
    """The 300 most popular are one shirt in 300 sizes; ten other things must still be found."""
    catalog = {item: Item(item, group="shirt" if place < 300 else None) for place, item in enumerate(MANY)}
    shop = Sources({"popularity": thousand}, catalog)
    found = every(shop, "popularity", history=(), k=10)
    assert len(np.unique(shop.groups[found.positions])) >= 10
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores[0] == thousand.scores(found.requests["popularity"]).max()


def test_a_source_of_one_group_leaves_room_for_the_next(thousand) -> None:
    """190 sizes of one shirt from the first source must not keep the second from filling a list of 20."""
    users = [f"p{place}" for place in range(190)]
    shirts = Popularity().fit(LocalEngine(), Table.of(users, MANY[:190]))
    catalog = {item: Item(item, group="shirt") for item in MANY[:190]}
    shop = Sources({"shirts": shirts, "popularity": thousand}, catalog)
    found = every(shop, "shirts", "popularity", history=())
    assert found.origins[0] == 0
    assert len(np.unique(shop.groups[found.positions])) >= 20


@given(
    groups=st.lists(st.integers(0, 12), min_size=40, max_size=40),
    allowed=st.lists(st.booleans(), min_size=40, max_size=40),
    k=st.integers(1, 40),
    history=st.lists(st.sampled_from([f"i{number:02}" for number in range(40)]), max_size=4),
    names=st.lists(st.sampled_from(["ease", "knn", "popularity"]), unique=True, max_size=3),
)
def test_k_groups_are_found_wherever_k_are_allowed(
    groups: list[int], allowed: list[bool], k: int, history: list[str], names: list[str]
) -> None:
    shop = sources(**{f"i{place:02}": {"group": str(group)} for place, group in enumerate(groups)})
    mask = np.array(allowed)
    found = one(shop, names, mask, k, history)
    assert mask[found.positions].all()
    assert len(set(found.positions.tolist())) == len(found)
    assert len(set(shop.groups[found.positions].tolist())) >= min(k, len(set(shop.groups[mask].tolist())))
    for origin in set(found.origins.tolist()):
        assert (np.diff(found.scores[found.origins == origin]) <= 0).all()


def test_nothing_allowed_is_nothing_found() -> None:
    shop = sources()
    found = one(shop, ("ease",), np.zeros(len(shop.items), np.bool_), 5, ("i01",))
    assert len(found) == 0
    empty = Sources({}, {})
    assert len(one(empty, (), np.empty(0, np.bool_), 5)) == 0


def test_the_allowed_mask_of_the_caller_is_left_as_it_was() -> None:
    shop = sources()
    allowed = np.ones(len(shop.items), np.bool_)
    one(shop, ("ease",), allowed, 5, ("i01",))
    assert allowed.all()


def test_a_model_is_asked_once_for_all_who_turn_to_it() -> None:
    """Whoever the first model has nothing for turns to the next while the others are at the first."""
    shop, asked = sources("ease", "popularity"), list[tuple[str, int]]()

    class Heard(type(shop.source("ease").recommender)):  # type: ignore[misc]
        def top(self, requests: Requests, *rest: Any, **named: Any) -> Any:
            asked.append(("ease", len(requests)))
            return super().top(requests, *rest, **named)

    ease = shop.source("ease").recommender
    heard = Sources({"ease": Heard(ease.items, ease.learned, ease.weights), "popularity": models()["popularity"]}, {})
    mask = np.ones(len(heard.items), np.bool_)
    wanted = [Wanted(("ease", "popularity"), heard.trail([Named(item)]), mask, 5) for item in ("i01", "i02", "i03")]
    together = retrieve(heard, [*wanted, Wanted(("popularity",), heard.trail([]), mask, 5)])
    assert asked == [("ease", 3)]
    assert [found.names[found.origins[0]] for found in together] == ["ease", "ease", "ease", "popularity"]


def test_the_larger_the_catalog_the_fewer_people_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = sources()
    assert people_at_once(shop) == people_at_once(Sources({}, {})) == PEOPLE
    monkeypatch.setattr("segue.find.retrieval.MARKS", 4 * len(shop.items) + 1)
    assert people_at_once(shop) == 4
    monkeypatch.setattr("segue.find.retrieval.MARKS", 1)
    assert people_at_once(shop) == 1


def test_drops_keep_a_hundred_by_name_newest_first_and_say_how_many_there_were() -> None:
    shop = Sources({}, {item: Item(item) for item in MANY})
    barred = Filter(shop)
    barred.seen([Named(item) for item in MANY[:150] + MANY[:3]])
    (drop,) = barred.drops
    assert drop.count == 150
    assert len(drop.items) == DROPS_KEPT
    assert drop.items[:4] == (MANY[2], MANY[1], MANY[0], MANY[149])
    assert np.count_nonzero(barred.allowed) == 850


def test_a_rule_that_takes_nothing_leaves_no_record() -> None:
    barred = Filter(sources())
    barred.seen([Named("stranger")])
    barred.available(0)
    barred.deny(["stranger"])
    assert barred.drops == []
    assert barred.allowed.all()
