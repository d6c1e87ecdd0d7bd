"""What the page shows of a record: words, sums and pictures."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.histories.state import Past
from segue.domain.catalog import Item
from segue.domain.decisions import Decision, Reason, Shown
from segue.domain.requests import NO_TIME
from segue.serve.art import art
from segue.serve.views import LATELY, Names, cards, happenings, policy_in_words

DAY = 86_400
NAMES = Names(
    {"a": Item("a", "Blue <b>", categories=("Music", "Folk", "Old"), price=12.5, currency="EUR"), "b": Item("b")}
)


def decided(shown: Shown) -> Decision:
    now = datetime.now(UTC)
    return Decision("d", "r", now, "home", "rel", "none", 1, "u", None, {}, {}, (), (), (shown,))


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=10))
def test_a_picture_is_sound_markup_whatever_the_title(item: str, title: str, category: str) -> None:
    picture = art(item, title, category)
    assert picture == art(item, title, category)
    if title.isprintable():
        assert ElementTree.fromstring(str(picture)).tag == "svg"


def test_pictures_of_one_category_are_alike_and_of_two_items_differ() -> None:
    assert art("a", "A", "Music") != art("b", "A", "Music")


def test_names_fall_back_to_what_is_there() -> None:
    assert (NAMES.title("a"), NAMES.title("b"), NAMES.title("zzz")) == ("Blue <b>", "b", "zzz")
    assert (NAMES.meta("a"), NAMES.meta("zzz")) == ("Music · Folk", "")
    assert (NAMES.price("a"), NAMES.price("b"), NAMES.price("zzz")) == ("€12.50", "", "")


def test_bars_and_the_rest_sum_to_the_score() -> None:
    reason = Reason("Because", (("a", 0.5), ("popularity", -0.25)), rest=0.125)
    card = cards(decided(Shown("b", 0, 0.375, 0.25, "ease", reason)), NAMES)[0]
    assert [(bar.label, bar.width, bar.rest) for bar in card.bars] == [
        ("Blue <b>", 100, False),
        ("popularity", 50, False),
        ("everything else", 25, True),
    ]
    assert sum(bar.value for bar in card.bars) == pytest.approx(0.375)
    assert (card.score, card.propensity, card.source) == ("0.375", "25.0%", "ease")


@pytest.mark.parametrize(("propensity", "words"), [(1.0, "certain"), (0.5, "50.0%"), (0.00001, "under 0.1%")])
def test_chances_in_words(propensity: float, words: str) -> None:
    assert cards(decided(Shown("b", 0, 1.0, propensity, "ease", Reason("x"))), NAMES)[0].propensity == words


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (5, "just now"),
        (61, "1 minute ago"),
        (7300, "2 hours ago"),
        (DAY * 8, "1 week ago"),
        (DAY * 800, "2 years ago"),
    ],
)
def test_times_in_words(ago: int, words: str) -> None:
    at = int((time.time() - ago) * 1e6)
    assert happenings([Past("a", "view", 1.0, at)], NAMES)[0].when == words


def test_without_times_there_are_none_and_the_newest_come_first() -> None:
    past = [Past(str(number), "add_to_list", 1.0, NO_TIME) for number in range(30)]
    told = happenings(past, NAMES)
    assert [each.item for each in told] == [str(29 - place) for place in range(LATELY)]
    assert {(each.when, each.verb) for each in told} == {("", "add to list")}


def test_policies_have_words() -> None:
    assert policy_in_words("none") == "best first"
    assert policy_in_words("of somebody") == "of somebody"
