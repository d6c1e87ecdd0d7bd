"""Reasons: words from the titles of what really speaks for an item, parts that sum to the score."""

from __future__ import annotations

import math

import numpy as np
import pytest

from segue.decide.decide import decide
from segue.decide.surface import Surface
from segue.decide.wording import because, popular
from segue.domain.recommender import Contribution, Reasons, Recommender
from segue.find.past import Named
from segue.find.sources import Sources
from tests.decide.world import ask, catalog, models, sources


def test_a_reason_names_the_titles_of_the_two_that_speak_most_for_it() -> None:
    past = [Named(item, "purchase") for item in ("i01", "i06", "i11", "i16", "i21", "i26", "i31")]
    decision = decide(Surface(("ease",), k=3), sources(), ask(user="ann", past=past))
    request = sources().trail(past).request(sources().source("ease"), None, {})
    model = models()["ease"]
    for shown in decision.shown:
        told = model.reasons(request, np.array([model.items.position(shown.item)], np.int32))[0]
        parts = sorted(((part.score, model.items[part.item]) for part in told.contributions), reverse=True)
        assert [value for _, value in shown.reason.contributions] == pytest.approx([value for value, _ in parts[:5]])
        assert shown.reason.rest == pytest.approx(sum(value for value, _ in parts[5:]), abs=1e-6)
        first, second = (f"Thing {item[1:]}" for item, _ in shown.reason.contributions[:2])
        assert shown.reason.text == f"Because you bought {first} and {second}"


def test_the_event_that_weighs_most_gives_the_verb() -> None:
    past = [Named("i01", "view"), Named("i01", "purchase", 5.0), Named("i01", "view"), Named("i01", "return", 0.0)]
    assert (
        decide(Surface(("ease",), k=1), sources(), ask(past=past)).shown[0].reason.text == "Because you bought Thing 01"
    )


@pytest.mark.parametrize("name", ["ease", "knn"])
def test_reasons_are_the_same_from_objects_as_from_one_array(name: str) -> None:
    past = [Named(item, "view") for item in ("i01", "i06", "i11", "i16", "i21", "i26")]
    shop = sources()
    fast = decide(Surface((name,), k=15), shop, ask(past=past))
    slow = decide(Surface((name,), k=15), Sources({**models(), name: _Slow(models()[name])}, catalog()), ask(past=past))
    for one, other in zip(fast.shown, slow.shown, strict=True):
        assert one.item == other.item
        assert sorted(one.reason.contributions) == [
            (item, pytest.approx(value)) for item, value in sorted(other.reason.contributions)
        ]
        assert one.reason.rest == pytest.approx(other.reason.rest, abs=1e-6)


class _Slow:
    """A real model that hides its `parts`."""

    def __init__(self, model: Recommender) -> None:
        self._model = model
        self.items, self.personal, self.nbytes = model.items, model.personal, model.nbytes
        self.scores, self.top, self.reasons = model.scores, model.top, model.reasons


class _Labelled(_Slow):
    """A real model that knows a part of its scores by a label, and is sure of none."""

    personal = True

    def __init__(self, model: Recommender, label: str, *, personal: bool) -> None:
        super().__init__(model)
        self.personal = personal
        self.reasons = lambda requests, items: [
            Reasons(item, 9.0, (Contribution(-1.0, 1), Contribution(2.0, label=label)), exact=False) for item in items
        ]


def test_labels_are_parts_and_speak_where_nothing_of_the_history_does() -> None:
    shop = Sources({"odd": _Labelled(models()["ease"], "freshness", personal=True)}, catalog())
    reason = decide(Surface(("odd",), k=1), shop, ask(history=("i01",))).shown[0].reason
    assert reason.contributions == (("freshness", 2.0), ("i01", -1.0))
    assert not reason.exact
    assert reason.text == "Freshness"
    shop = Sources({"odd": _Labelled(models()["ease"], "popularity", personal=True)}, catalog())
    assert decide(Surface(("odd",), k=1), shop, ask(history=("i01",))).shown[0].reason.text == "Popular with everyone"
    label = "popular in the last 30 days: 1,204 people"
    shop = Sources({"odd": _Labelled(models()["popularity"], label, personal=False)}, catalog())
    shown = decide(Surface(("odd",), k=1), shop, ask()).shown[0]
    assert shown.reason.text == "Popular in the last 30 days: 1,204 people"


def test_what_is_popular_says_its_place_among_all() -> None:
    decision = decide(Surface(("popularity",), k=30), sources(), ask(history=("i03",)))
    every = np.sort(
        models()["popularity"].scores(sources().trail([]).request(sources().source("popularity"), None, {}))[0]
    )
    for shown in decision.shown:
        rank = int(np.count_nonzero(every > np.float32(shown.score))) + 1
        assert shown.reason.text == f"Popular with everyone: number {rank} of {len(every)}"
        assert shown.reason.contributions == (("popularity", shown.score),)


def test_what_no_model_speaks_for_says_so_and_no_more() -> None:
    decision = decide(Surface(("popularity",), k=60), sources(i50={}), ask())
    assert decision.shown[-1].item == "i50"
    assert decision.shown[-1].reason.text == "No model here speaks for it: it fills the list"
    stranger = decide(Surface(("ease",), k=3), sources("ease"), ask(user="zoe"))  # many have these, nobody told a model
    assert {shown.reason.text for shown in stranger.shown} == {"No model here speaks for it: it fills the list"}


def test_items_without_a_title_are_called_by_their_id() -> None:
    decision = decide(Surface(("ease",), k=1), Sources(models(), {}), ask(past=[Named("i01", "play")]))
    assert decision.shown[0].reason.text == "Because you played i01"


def test_rest_and_contributions_sum_to_the_score_to_the_last_bit() -> None:
    past = [Named(f"i{number:02}", "view") for number in range(0, 40, 2)]
    for shown in decide(Surface(("ease",)), sources(), ask(past=past)).shown:
        parts = [value for _, value in shown.reason.contributions]
        assert math.fsum([*parts, shown.reason.rest]) == shown.score


@pytest.mark.parametrize(
    ("titles", "types", "text"),
    [
        (["A"], ["play"], "Because you played A"),
        (["A", "B"], ["Purchase", "ORDER"], "Because you bought A and B"),
        (["A", "B"], ["add_to_cart", "view"], "Because you put A in your basket and looked at B"),
        (["A", "B", "C"], ["rating"] * 3, "Because you rated A, B and C"),
        (["A", "B"], ["play", "something-else"], "Goes with A and B"),
        (["{A}"], [""], "Goes with {A}"),
    ],
)
def test_wording(titles: list[str], types: list[str], text: str) -> None:
    assert because(titles, types) == text


def test_ranks_are_written_for_people() -> None:
    assert popular(1204, 34000) == "Popular with everyone: number 1,204 of 34,000"
