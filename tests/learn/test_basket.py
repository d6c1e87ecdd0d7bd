"""Baskets held against loops, intervals against their coverage, substitutes against a world that has them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.errors import DataError, UnknownName
from segue.domain.requests import NO_TIME, Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import basket_counts
from segue.learn.basket import Basket, BasketItems, lift_of, ratio_of
from segue.learn.basket_counts import FIXED_POINT, BasketCounts, BasketPairs
from segue.learn.gram import choose
from segue.testing import check_aggregate
from segue.testing.datasets import mixed

DAY = 86_400_000_000
Shop = list[list[list[str]]]  # people, their baskets, their items
shops = st.lists(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), min_size=1, max_size=4), min_size=1, max_size=4
)


def table(shop: Shop) -> Table:
    rows = [
        (f"p{p}", item, b * DAY)
        for p, baskets in enumerate(shop)
        for b, basket in enumerate(baskets)
        for item in basket
    ]
    people, items, times = zip(*rows, strict=True)
    return Table.of(people, items, times=times)


def pairs_of(dataset: Table, gap_minutes: float | None = 30) -> dict[str, Any]:
    counts = LocalEngine().fold(BasketCounts(gap_minutes), dataset)
    canonical, _ = dataset.items.canonical()
    chosen = choose({"people": counts["baskets"]}, dataset.items, canonical, 1, 100)
    return LocalEngine().fold(BasketPairs(chosen, gap_minutes), dataset)


@pytest.mark.parametrize("kernel", [False, True])
@given(shop=shops)
@settings(max_examples=40)
def test_pairs_are_counted_as_told(kernel: bool, shop: Shop) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basket_counts, "worthwhile", lambda *_: kernel)
        dataset = table(shop)
        found = pairs_of(dataset)
    ids = dataset.items.canonical()[0].ids
    for (i, one), (j, other) in itertools.combinations(enumerate(ids), 2):
        told = dict.fromkeys(("together", "again", "both", "exchanged", "expected"), 0)
        for baskets in shop:
            sets = [set(basket) for basket in baskets]
            a, b = (sum(item in basket for basket in sets) for item in (one, other))
            with_both = sum({one, other} <= basket for basket in sets)
            told["together"] += with_both
            told["both"] += a > 0 and b > 0
            if len(sets) > 1:
                told["again"] += with_both
                told["expected"] += a * b * FIXED_POINT // len(sets)
            for before, after in itertools.pairwise(sets):
                told["exchanged"] += {one, other} & (before - after) != set() and {one, other} & (
                    after - before
                ) != set()
        assert {name: int(found[name][i, j]) for name in told} == told


def test_baskets_are_counted_by_people_and_moments() -> None:
    shop = [[["a", "b"], ["a"]], [["a", "c"]]]
    state = LocalEngine().fold(BasketCounts(30), table(shop))
    assert state["baskets"].tolist() == [3, 1, 1]
    assert state["people"].tolist() == [2, 1, 1]
    assert state["totals"].tolist() == [3, 2]
    assert LocalEngine().fold(BasketCounts(None), table(shop))["totals"].tolist() == [2, 2]


@pytest.mark.parametrize("gap", [None, 0.0, 60 * 24 * 3.0])
def test_counts_add_up_and_can_be_taken_away(gap: float | None) -> None:
    check_aggregate(BasketCounts(gap))
    dataset = mixed()
    counts = LocalEngine().fold(BasketCounts(gap), dataset)
    chosen = choose({"people": counts["baskets"]}, dataset.items, dataset.items.canonical()[0], 2, 20)
    check_aggregate(BasketPairs(chosen, gap))


def test_intervals_of_lift_hold_the_truth_19_times_in_20() -> None:
    random = np.random.default_rng(0)
    both, ours, theirs, total = 0.06, 0.2, 0.15, 2000
    drawn = random.multinomial(total, [both, ours - both, theirs - both, 1 - ours - theirs + both], size=4000)
    pair, one, other = drawn[:, 0], drawn[:, 0] + drawn[:, 1], drawn[:, 0] + drawn[:, 2]
    _, low, high = zip(
        *(lift_of(p[None, None], o[None], t[None], total) for p, o, t in zip(pair, one, other, strict=True)),
        strict=True,
    )
    truth = both / (ours * theirs)
    covered = (np.ravel(low) <= truth) & (truth <= np.ravel(high))
    assert 0.94 < covered.mean() < 0.96


def test_intervals_of_counts_hold_the_truth_19_times_in_20() -> None:
    found = np.random.default_rng(0).poisson(6.0, 4000)
    _, low, high = ratio_of(found, np.full(len(found), 6.0))
    assert 0.94 < ((low <= 1) & (high >= 1)).mean() < 0.98  # counts are whole, so not less than 19 in 20
    assert ratio_of(np.array([0]), np.array([0.0]))[2][0] == np.inf


def a_shop(seed: int = 0) -> Shop:
    """Half of the people buy coffee of brand one or two, never both, mostly with filters; bread by chance."""
    random = np.random.default_rng(seed)
    shop: Shop = []
    for person in range(300):
        baskets = []
        for _ in range(8):
            basket = [item for item in ("bread", "milk", "soap") if random.random() < 0.4]
            if person % 2 and random.random() < 0.7:
                basket.append(str(random.choice(["coffee one", "coffee two"])))
                basket += ["filters"] if random.random() < 0.6 else []
            baskets.append(basket or ["bread"])
        shop.append(baskets)
    return shop


def test_substitutes_are_told_from_complements() -> None:
    model: Any = Basket().fit(LocalEngine(), table(a_shop()))
    assert isinstance(model, BasketItems)
    assert [pair.item for pair in model.goes_with("coffee one")] == ["filters"]
    assert [pair.item for pair in model.substitutes("coffee one")] == ["coffee two"]
    assert model.substitutes("bread") == []
    [pair] = model.goes_with("coffee one")
    assert 1 < pair.low < pair.ratio < pair.high
    assert pair.support == sum({"coffee one", "filters"} <= set(b) for baskets in a_shop() for b in baskets)
    [other] = model.substitutes("coffee one")
    assert other.ratio == 0
    assert other.high < 0.1
    assert [pair.item for pair in model.goes_with("filters")] == ["coffee one", "coffee two"] or [
        pair.item for pair in model.goes_with("filters")
    ] == ["coffee two", "coffee one"]


def test_a_basket_is_completed_by_what_is_in_it_not_by_what_was_before() -> None:
    model: Any = Basket().fit(LocalEngine(), table(a_shop()))
    coffee, filters, soap = (model.items.position(item) for item in ("coffee one", "filters", "soap"))
    plain = Histories.of([[coffee, soap], [coffee, soap]])
    times = np.array([0, 0, 0, DAY], np.int64)
    scores = model.scores(Requests(Histories(plain.offsets, plain.items, plain.weights, times, plain.types)))
    [pair] = model.goes_with("coffee one")
    assert scores[0, filters] == pytest.approx(np.log(pair.low), abs=1e-5)
    assert not scores[1].any()  # soap goes with nothing
    assert model.scores(Requests(plain))[1, filters] > 0  # without times, all of the history is the basket
    assert (plain.times == NO_TIME).all()


def test_what_is_unknown_or_too_large_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = Basket().fit(LocalEngine(), table(a_shop()))
    with pytest.raises(UnknownName, match="no item is called 'cofee one'"):
        model.goes_with("cofee one")
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "100")
    with pytest.raises(DataError, match=r"counting all pairs of 6 items needs about .*\n.*set max_items = 1"):
        Basket().fit(LocalEngine(), table(a_shop()))


def test_the_counts_of_every_thread_need_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", str(24 * 17 * 6**2 - 1))
    with pytest.raises(DataError, match="set max_items = 5"):
        Basket().fit(LocalEngine(threads=1), table(a_shop()))


def test_without_times_all_that_a_person_did_is_one_basket() -> None:
    people = [f"person {number}" for number in range(40)]
    timeless = Table.of(people * 2, ["bread", "milk"] * 20 + ["knife", "soap"] * 20)
    model = Basket(min_baskets=1).fit(LocalEngine(), timeless)
    assert [pair.item for pair in model.goes_with("bread")] == ["knife"]
    assert model.substitutes("bread") == []
