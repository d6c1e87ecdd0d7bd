"""A decision from real models: filters, sources in turn, fallbacks in plain words, one decision for one request."""

from __future__ import annotations

import math
import weakref
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.decide.ask import Ask
from segue.decide.decide import decide, decide_all
from segue.decide.surface import Exploration, Surface
from segue.domain.decisions import Decision
from segue.domain.errors import RequestError, UnknownName
from segue.find.past import Named
from tests.decide.world import ITEMS, NOW, ask, models, sources

EASE = Surface(("ease",))
EXPLORING = Exploration("plackett-luce", temperature=1.0)


def test_the_best_of_the_first_source_is_shown_without_what_was_seen() -> None:
    history = ("i01", "i06", "i11")
    decision = decide(EASE, sources(), ask(user="ann", history=history, k=5))
    scores = models()["ease"].scores(
        sources().trail(tuple(map(Named, history))).request(sources().source("ease"), 0, {})
    )
    order = [item for item in sorted(ITEMS, key=lambda item: -_score(scores, item)) if item not in history]
    assert [shown.item for shown in decision.shown] == order[:5]
    assert [shown.position for shown in decision.shown] == [0, 1, 2, 3, 4]
    assert {shown.propensity for shown in decision.shown} == {1.0}
    assert decision.fallback == ""
    assert [(drop.stage, drop.rule, drop.items, drop.count) for drop in decision.drops] == [
        ("filter", "seen", ("i11", "i06", "i01"), 3)
    ]


def _score(scores, item: str) -> float:
    return float(scores[0, models()["ease"].items.position(item)])


@given(
    history=st.lists(st.sampled_from([*ITEMS, "stranger"]), max_size=50),
    k=st.integers(1, 200),
    policy=st.sampled_from(["none", "epsilon-greedy", "plackett-luce"]),
    names=st.lists(st.sampled_from(["ease", "knn", "popularity"]), min_size=1, max_size=3, unique=True),
    filters=st.sampled_from([(), ("seen",), ("available",), ("seen", "available")]),
    deny=st.lists(st.sampled_from([*ITEMS, "stranger"]), max_size=5),
)
def test_whatever_is_asked_k_items_come_as_long_as_k_may_be_shown(
    history: list[str], k: int, policy: str, names: list[str], filters: tuple[str, ...], deny: list[str]
) -> None:
    surface = Surface(tuple(names), filters=filters, deny=tuple(deny), exploration=Exploration(policy))
    asked = ask(user="ann", history=tuple(history), k=k)
    decision = decide(surface, sources(i40={"available_to": NOW}, i41={}), asked)
    barred = set(deny) | (set(history) if "seen" in filters else set()) | ({"i40"} if "available" in filters else set())
    showable = {*ITEMS, "i40", "i41"} - barred
    shown = [each.item for each in decision.shown]
    assert len(shown) == len(set(shown)) == min(k, len(showable))
    assert set(shown) <= showable
    assert set(shown) <= {candidate.item for candidate in decision.candidates}
    assert sum(drop.count for drop in decision.drops) == 42 - len(showable)
    for each in decision.shown:
        parts = math.fsum([part for _, part in each.reason.contributions]) + each.reason.rest
        assert parts == pytest.approx(each.score, abs=1e-12)
        assert each.reason.text
    assert decision == decide(surface, sources(i40={"available_to": NOW}, i41={}), asked)
    assert msgspec.json.decode(msgspec.json.encode(decision), type=Decision) == decision


@given(
    people=st.lists(
        st.fixed_dictionaries(
            {
                "history": st.lists(st.sampled_from([*ITEMS, "stranger"]), max_size=40),
                "past": st.lists(st.sampled_from([Named("i03", "buy"), Named("i30", "impression", 0.0)]), max_size=2),
                "k": st.sampled_from([None, 1, 5, 40, 200]),
                "context": st.sampled_from([{}, {"device": "tv"}]),
                "user": st.sampled_from([None, "ann"]),
                "visitor": st.sampled_from([None, "c7"]),
            }
        ),
        max_size=12,
    ),
    minutes=st.lists(st.integers(-1, 1), min_size=12, max_size=12),
    policy=st.sampled_from(["none", "epsilon-greedy", "plackett-luce"]),
    names=st.lists(st.sampled_from(["ease", "knn", "popularity"]), min_size=1, max_size=3, unique=True),
    filters=st.sampled_from([(), ("seen",), ("seen", "available")]),
    groups=st.integers(2, 60),
)
def test_many_at_once_get_what_each_gets_alone(
    people: list[dict], minutes: list[int], policy: str, names: list[str], filters: tuple[str, ...], groups: int
) -> None:
    surface = Surface(tuple(names), filters=filters, exploration=Exploration(policy))
    shop = sources(
        **{item: {"group": str(place % groups)} for place, item in enumerate(ITEMS)}, i40={"available_to": NOW}
    )
    asks = [
        replace(ask(str(number), **person), now=NOW + timedelta(minutes=minute))
        for number, (person, minute) in enumerate(zip(people, minutes, strict=False))
    ]
    assert list(decide_all(surface, shop, asks)) == [decide(surface, shop, each) for each in asks]


def test_no_more_of_a_history_is_held_than_is_needed() -> None:
    """Of ten thousand people at a time, at most the numbers; `decide_all` takes them one by one."""
    gone: list[int] = []

    class Held(list[Named]):
        pass

    def asking(number: int) -> Ask:
        past = Held([Named("i01", "view"), Named("i02", "buy")])
        weakref.finalize(past, gone.append, number)
        return ask(str(number), user="ann", past=past)

    decisions = decide_all(EASE, sources(), (asking(number) for number in range(4)))
    first = next(decisions)
    assert sorted(gone) == [0, 1, 2, 3]
    assert first.shown[0].reason.text.startswith(("Because you bought Thing 02", "Because you looked at Thing 01"))
    assert len(list(decisions)) == 3


def test_a_later_source_fills_what_the_earlier_cannot() -> None:
    decision = decide(Surface(("knn", "popularity")), sources(), ask(history=("i01",), k=20))
    origins = [shown.source for shown in decision.shown]
    assert origins == sorted(origins)  # "knn" before "popularity"
    assert set(origins) == {"knn", "popularity"}


def test_the_fallback_completes_a_list_that_no_source_can() -> None:
    decision = decide(Surface(("knn",)), sources(), ask(history=("i01",), k=20))
    assert [shown.source for shown in decision.shown][-1] == "popularity"
    assert len(decision.shown) == 20
    assert decision.fallback == ""
    assert len(decision.candidates) == 20  # no more of it than the list needs


@pytest.mark.parametrize(
    ("named", "begins"),
    [
        ({"user": "zoe"}, "Nothing that user 'zoe' did is known, so this list is not personal"),
        ({"visitor": "c7"}, "Nothing that visitor 'c7' did is known, so this list is not personal"),
        ({}, "The history is empty, so this list is not personal"),
        ({"history": ("stranger",)}, "No model here knows the one item of the history, so"),
        ({"history": ("stranger", "odd")}, "No model here knows any of the 2 items of the history, so"),
    ],
)
def test_who_is_not_known_gets_what_everyone_gets_and_is_told(named: dict, begins: str) -> None:
    decision = decide(EASE, sources(), ask(k=5, **named))
    assert decision.fallback.startswith(begins)
    assert decision.fallback.endswith("it is what 'popularity' shows everyone.")
    assert {shown.source for shown in decision.shown} == {"popularity"}


def test_without_any_model_for_strangers_the_list_says_that_it_is_in_no_order() -> None:
    decision = decide(EASE, sources("ease"), ask(user="zoe", k=3))
    assert [shown.item for shown in decision.shown] == ["i00", "i01", "i02"]
    assert "in the order of the item ids" in decision.fallback
    assert decision.shown[0].source == "catalog"


def test_items_of_a_history_are_counted_once_however_often_they_were_turned_to() -> None:
    often = [Named("x1", "view"), Named("x1", "purchase")]
    decision = decide(EASE, sources(), ask(user="zoe", past=often))
    assert decision.fallback.startswith("No model here knows the one item of the history")
    decision = decide(EASE, sources(), ask(user="zoe", past=[*often, Named("x2", "view")]))
    assert decision.fallback.startswith("No model here knows any of the 2 items of the history")


def test_a_surface_that_asks_for_no_personal_list_falls_back_on_nothing() -> None:
    assert decide(Surface(("popularity",)), sources(), ask(user="zoe")).fallback == ""


def test_a_person_who_has_everything_that_the_model_offers_is_told() -> None:
    decision = decide(EASE, sources(i40={}), ask(user="ann", history=tuple(ITEMS)))
    assert [shown.item for shown in decision.shown] == ["i40"]
    left_out = (
        "'ease' has nothing more to offer for this history (what is in it is left out, by the filter \"seen\"), so"
    )
    assert decision.fallback.startswith(left_out)
    emptied = decide(EASE, sources(), ask(user="ann", history=tuple(ITEMS)))
    assert emptied.shown == ()
    assert emptied.fallback == "There is nothing left to show: the filters took out all 40 items."


def test_what_was_only_shown_is_not_seen_unless_the_surface_says_so() -> None:
    past = [Named("i01", "view"), Named("i02", "impression", 0.0)]
    assert _dropped(EASE, past) == ("i01",)
    assert _dropped(Surface(("ease",), seen=("impression",)), past) == ("i02",)
    assert _dropped(Surface(("ease",), seen=("impression", "view")), past) == ("i02", "i01")


def _dropped(surface: Surface, past: list[Named]) -> tuple[str, ...]:
    return decide(surface, sources(), ask(user="ann", past=past)).drops[0].items


def test_variants_of_what_was_seen_are_seen() -> None:
    shop = sources(i01={"group": "shirt"}, i02={"group": "shirt"}, i03={"group": "i04"})
    decision = decide(EASE, shop, ask(history=("i01",), k=40))
    assert decision.drops[0].items == ("i01", "i02")
    shown = {shown.item for shown in decision.shown}
    assert {"i03", "i04"} <= shown  # a group is not the item that happens to be called like it


def test_one_item_of_a_group_is_shown_whatever_the_draw() -> None:
    shop = sources(**{item: {"group": f"g{number % 6}"} for number, item in enumerate(ITEMS)})
    for seed in range(30):
        surface = Surface(("ease",), exploration=EXPLORING, filters=())
        decision = decide(surface, shop, ask(str(seed), history=("i01",), k=10))
        assert len({int(shown.item[1:]) % 6 for shown in decision.shown}) == len(decision.shown) == 6


def test_what_is_not_on_offer_now_is_not_shown() -> None:
    hour = timedelta(hours=1)
    shop = sources(
        i01={"available_from": NOW + hour},
        i02={"available_to": NOW - hour},
        i03={"available_from": NOW, "available_to": NOW + hour},
        i04={"available_to": NOW},
    )
    decision = decide(Surface(("popularity",)), shop, ask(k=40))
    assert (decision.drops[0].rule, set(decision.drops[0].items), decision.drops[0].count) == (
        "available",
        {"i01", "i02", "i04"},
        3,
    )
    assert "i03" in {shown.item for shown in decision.shown}


def test_denied_items_count_as_denied_even_where_they_are_seen_too() -> None:
    decision = decide(Surface(("ease",), deny=("i01", "unheard-of")), sources(), ask(history=("i01", "i02")))
    assert [(drop.rule, drop.items) for drop in decision.drops] == [("deny", ("i01",)), ("seen", ("i02",))]


def test_the_same_request_is_the_same_decision_and_another_is_another_draw() -> None:
    surface = Surface(("ease",), k=10, exploration=EXPLORING)
    one, other = (decide(surface, sources(), ask(name, history=("i01",))) for name in ("r1", "r2"))
    assert one == decide(surface, sources(), ask("r1", history=("i01",)))
    assert one.id != other.id
    assert [shown.item for shown in one.shown] != [shown.item for shown in other.shown]
    assert one.policy == "plackett-luce"


def test_what_was_asked_is_carried_through() -> None:
    asked = ask(visitor="c7", context={"device": "tv", "slots": [1, 2]}, release="r-1", assignments={"test": "B"})
    decision = decide(EASE, sources(), asked)
    assert (decision.user, decision.visitor, decision.context) == (None, "c7", {"device": "tv", "slots": [1, 2]})
    assert (decision.release, decision.assignments, decision.time) == ("r-1", {"test": "B"}, NOW)
    assert (decision.surface, decision.request_id) == ("home", "r")


@pytest.mark.parametrize("k", [0, -1, 201])
def test_a_length_that_cannot_be_is_refused(k: int) -> None:
    with pytest.raises(RequestError, match=f"expected k from 1 to 200, found {k}") as caught:
        decide(EASE, sources(), ask(k=k))
    assert caught.value.status == 422


def test_a_model_that_the_release_lacks_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ease'"):
        decide(Surface(("eas",)), sources(), ask())
