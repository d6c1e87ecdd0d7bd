"""One visit is fixed by the person, the visit and the items; the position bias is the declared one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.experiment import Metric
from segue.simulate.respond import Plan, plan_visits, respond
from segue.simulate.truth import Effect, true_effect
from segue.simulate.visit import Visited
from segue.simulate.world import World

WORLD = World("shop", seed=9, people=400, items=120, days=14)
IDS = [item.id for item in WORLD.catalog.items]
lists = st.lists(st.sampled_from(IDS), unique=True, max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 399), st.integers(0, 5), lists)
def test_the_same_visit_ends_the_same_way(person, number, shown):
    assert respond(WORLD, person, number, shown) == respond(WORLD, person, number, shown)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 399), st.integers(0, 5), lists, st.randoms(use_true_random=False))
def test_another_order_changes_only_what_is_looked_at(person, number, shown, random):
    """An item that is looked at in both orders is opened in both or in neither."""
    other = random.sample(shown, len(shown))
    first, second = respond(WORLD, person, number, shown), respond(WORLD, person, number, other)
    assert first.looked == second.looked
    both = set(shown[: first.looked]) & set(other[: second.looked])
    assert both & {shown[place] for place in first.opened} == both & {other[place] for place in second.opened}
    assert both & {shown[place] for place in first.bought} == both & {other[place] for place in second.bought}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 399), st.integers(0, 5), lists)
def test_bought_within_opened_within_looked_at(person, number, shown):
    response = respond(WORLD, person, number, shown)
    assert set(response.bought) <= set(response.opened) <= set(range(response.looked))
    assert response.looked <= len(shown)


def test_an_item_that_the_world_does_not_know_is_never_opened():
    for number in range(50):
        assert respond(WORLD, 3, number, ["nobody-sells-this"] * 5).opened == ()


def test_position_bias_measured_over_visits_is_the_one_declared():
    looked = np.array([respond(WORLD, person, number, IDS[:20]).looked for person in range(400) for number in range(5)])
    declared = WORLD.behaviour.look(np.arange(20))
    measured = np.array([(looked > position).mean() for position in range(20)])
    assert (np.abs(measured - declared) <= 4.5 * np.sqrt(declared * (1 - declared) / len(looked)) + 1e-12).all()


@pytest.mark.slow
def test_how_often_people_open_is_what_their_liking_says():
    people = np.repeat(np.arange(400), 20)
    opened = sum(len(respond(WORLD, person, 0, IDS[start : start + 1]).opened) for person, start in _pairs())
    expected = sum(float(WORLD.behaviour.opens(WORLD.liking([person], [start]))[0]) for person, start in _pairs())
    assert len(people) == 8_000
    assert opened == pytest.approx(expected, abs=4.5 * expected**0.5)


def _pairs():
    return [(person, (7 * person + 13 * nth) % 120) for person in range(400) for nth in range(8)]


def test_plans_are_seeded_and_number_each_persons_visits():
    plan = plan_visits(WORLD, 900, seed=1)
    again = plan_visits(WORLD, 900, seed=1)
    assert (plan.people == again.people).all()
    assert (plan_visits(WORLD, 900, seed=2).people != plan.people).any()
    for person in np.unique(plan.people):
        numbers = plan.numbers[plan.people == person]
        assert numbers.tolist() == list(range(len(numbers)))


def test_active_people_come_more_often():
    plan = plan_visits(WORLD, 20_000)
    visits = np.bincount(plan.people, minlength=400)
    assert np.corrcoef(visits, WORLD.crowd.activity)[0, 1] > 0.95


def _visited(opened, bought, spent):
    plan = Plan(np.array([4, 7, 4]), np.array([0, 0, 1]))
    counts = (np.array(each, np.int64) for each in ([5, 5, 5], opened, bought))
    return Visited(plan, np.ones(3, np.bool_), *counts, np.array(spent, np.float64), {200: 6}, 1.0)


@pytest.mark.parametrize(
    ("metric", "control", "treatment"),
    [
        (Metric(kind="proportion", types=("click",)), 0.5, 1.0),
        (Metric(kind="count", types=("click",)), 1.0, 2.5),
        (Metric(kind="count", types=("click", "buy")), 1.0, 3.0),
        (Metric(kind="sum", types=("buy",), column="value"), 0.0, 10.0),
        (Metric(kind="ratio", types=("click",), per=("impression",)), 2 / 15, 5 / 15),
    ],
)
def test_the_true_effect_by_hand(metric, control, treatment):
    a, b = _visited([1, 0, 1], [0, 0, 0], [0, 0, 0]), _visited([1, 2, 2], [0, 1, 0], [0, 20, 0])
    effect = true_effect(metric, WORLD.style, a, b)
    assert effect == Effect(pytest.approx(control), pytest.approx(treatment))
    assert effect.difference == pytest.approx(treatment - control)


def test_a_lift_over_nothing_is_not_a_number():
    assert np.isnan(Effect(0.0, 1.0).lift)
    assert Effect(2.0, 3.0).lift == 0.5
