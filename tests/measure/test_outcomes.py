"""Exposures and outcomes, event by event."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.errors import DeclarationError
from segue.domain.experiment import Experiment, Metric, Variant
from segue.measure.outcomes import exposures, outcomes

from .logs import START, decision, decisions_of, event, events_of


def experiment(**metrics: Metric) -> Experiment:
    return Experiment("home", {"A": Variant(), "B": Variant()}, metrics)


def measured(metric: Metric, events: pl.LazyFrame, decisions: pl.LazyFrame | None = None) -> dict[str, float]:
    """The metric of each exposed unit; by default ann is in A and bob in B, both since hour 0."""
    if decisions is None:
        decisions = decisions_of(decision("d1", "ann", "A"), decision("d2", "bob", "B"))
    declared = experiment(m=metric)
    done = outcomes(exposures(decisions, "x", declared), decisions, events, declared)
    return dict(done.units.select("unit", "m").iter_rows())


def test_exposure_is_the_first_decision_under_the_experiment():
    decisions = decisions_of(
        decision("d3", "ann", "A", hours=5),
        decision("d1", "ann", None, hours=0),
        decision("d2", "ann", "A", hours=2),
        decision("d4", None, "B", hours=3, visitor="ann"),
        decision("d5", "eve", None, hours=1),
    )
    found = exposures(decisions, "x", experiment())
    assert found.units.rows() == [
        ("u:ann", "A", START + timedelta(hours=2)),
        ("v:ann", "B", START + timedelta(hours=3)),
    ]
    assert found.first == START + timedelta(hours=2)


def test_who_met_two_variants_is_counted_and_left_out():
    decisions = decisions_of(
        decision("d1", "ann", "A"),
        decision("d2", "ann", "B", hours=1),
        decision("d3", "bob", "B"),
        decision("d4", "bob", "B"),
    )
    found = exposures(decisions, "x", experiment())
    assert found.units["unit"].to_list() == ["u:bob"]
    assert found.mixed == 1


def test_an_undeclared_variant_is_counted_and_left_out():
    decisions = decisions_of(decision("d1", "ann", "A"), decision("d2", "bob", "C"), decision("d3", "eve", "C"))
    found = exposures(decisions, "x", experiment())
    assert found.units["unit"].to_list() == ["u:ann"]
    assert found.unknown == {"C": 2}


def test_another_experiments_assignment_is_not_this_ones():
    both = [{"experiment": "y", "variant": "B"}, {"experiment": "x", "variant": "A"}]
    decisions = decisions_of(
        decision("d1", "ann", None, assignments=both), decision("d2", "bob", None, assignments=both[:1])
    )
    assert exposures(decisions, "x", experiment()).units.select("unit", "variant").rows() == [("u:ann", "A")]


def test_assignments_may_be_a_struct():
    rows = decisions_of(decision("d1", "ann", "A"), decision("d2", "bob", "B")).with_columns(
        assignments=pl.struct(x=pl.Series(["A", None]), y=pl.Series(["B", "B"]))
    )
    assert exposures(rows, "x", experiment()).units["unit"].to_list() == ["u:ann"]
    assert exposures(rows, "z", experiment()).units.is_empty()


def test_an_empty_log_has_nobody():
    found = exposures(decisions_of(), "x", experiment())
    assert (len(found.units), found.mixed, found.unknown, found.first) == (0, 0, {}, None)


def test_only_what_comes_after_the_exposure_counts():
    decisions = decisions_of(decision("d1", "ann", "A", hours=2))
    events = events_of(event("buy", "ann", hours=1), event("buy", "ann", hours=2), event("buy", "ann", hours=3))
    assert measured(Metric("count", ("buy",), on_surface=False), events, decisions) == {"u:ann": 2}


def test_only_what_comes_within_the_window_counts():
    events = events_of(event("buy", "ann", hours=23.9), event("buy", "ann", hours=24), event("buy", "bob", hours=25))
    metric = Metric("count", ("buy",), window_days=1, on_surface=False)
    assert measured(metric, events) == {"u:ann": 1, "u:bob": 0}


def test_on_the_surface_an_event_has_to_answer_one_of_its_decisions():
    decisions = decisions_of(
        decision("d1", "ann", "A"), decision("d2", "bob", "B"), decision("d3", "ann", None, hours=1, surface="basket")
    )
    events = events_of(
        event("click", "ann", decision="d1"),
        event("click", "ann", decision="d3"),
        event("click", "ann", decision="gone"),
        event("click", "ann"),
        event("click", "bob"),
    )
    assert measured(Metric("count", ("click",)), events, decisions) == {"u:ann": 1, "u:bob": 0}
    assert measured(Metric("count", ("click",), on_surface=False), events, decisions) == {"u:ann": 4, "u:bob": 1}


def test_an_answer_belongs_to_whom_the_decision_was_for():
    """A visitor is shown a list, signs in, and buys as a user: the answer is the visitor's."""
    decisions = decisions_of(decision("d1", None, "A", visitor="v1"))
    events = events_of(event("buy", "ann", decision="d1"))
    assert measured(Metric("count", ("buy",)), events, decisions) == {"v:v1": 1}
    assert measured(Metric("count", ("buy",), on_surface=False), events, decisions) == {"v:v1": 0}


def test_an_answer_without_a_time_is_placed_where_it_was_received():
    received = START + timedelta(hours=30)
    events = events_of(
        event("click", "ann", hours=None, decision="d1", received=received),
        event("click", "bob", hours=None, received=received),  # answers nothing: it may be from long before
    )
    assert measured(Metric("count", ("click",), on_surface=False), events) == {"u:ann": 1, "u:bob": 0}
    assert measured(Metric("count", ("click",)), events) == {"u:ann": 1, "u:bob": 0}
    assert measured(Metric("count", ("click",), window_days=1), events) == {"u:ann": 0, "u:bob": 0}


def test_a_decision_that_is_in_the_log_twice_counts_its_answers_once():
    decisions = decisions_of(decision("d1", "ann", "A"), decision("d1", "ann", "A"))
    events = events_of(event("click", "ann", decision="d1"))
    assert measured(Metric("count", ("click",)), events, decisions) == {"u:ann": 1}


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (Metric("proportion", ("buy",), on_surface=False), {"u:ann": 1, "u:bob": 0}),
        (Metric("count", ("buy", "click"), on_surface=False), {"u:ann": 3, "u:bob": 1}),
        (Metric("sum", ("buy",), on_surface=False), {"u:ann": 12.5, "u:bob": 0}),
        (Metric("sum", ("buy",), column="quantity", on_surface=False), {"u:ann": 3, "u:bob": 0}),
        (Metric("count", on_surface=False), {"u:ann": 3, "u:bob": 1}),
        (Metric("proportion", ("return",), on_surface=False), {"u:ann": 0, "u:bob": 0}),
    ],
)
def test_each_kind_of_metric(metric, expected):
    events = events_of(
        event("impression", "ann"),
        event("impression", "bob"),
        event("click", "ann"),
        event("click", "bob"),
        event("buy", "ann", value=10.0, quantity=3.0),
        event("buy", "ann", value=2.5),
        event("buy", "eve", value=99.0),
    )
    assert measured(metric, events) == expected


def test_a_missing_or_broken_amount_is_nothing():
    events = events_of(event("buy", "ann", value=float("nan")), event("buy", "ann"), event("buy", "ann", value=4.0))
    assert measured(Metric("sum", ("buy",), on_surface=False), events) == {"u:ann": 4, "u:bob": 0}


def test_a_ratio_has_both_its_sides():
    declared = experiment(rate=Metric("ratio", ("click",), ("impression",)))
    decisions = decisions_of(decision("d1", "ann", "A"), decision("d2", "bob", "B"))
    seen = [event("impression", "ann", decision="d1") for _ in range(3)]
    events = events_of(*seen, event("click", "ann", decision="d1"), event("click", "bob", decision="d2"))
    done = outcomes(exposures(decisions, "x", declared), decisions, events, declared)
    assert done.units.select("unit", "rate", "rate/per").rows() == [("u:ann", 1, 3), ("u:bob", 1, 0)]


def test_a_ratio_per_nothing_is_refused():
    declared = experiment(rate=Metric("ratio", ("click",)))
    found = exposures(decisions_of(), "x", declared)
    with pytest.raises(DeclarationError, match="ratio metric 'rate' does not say what it is per") as refusal:
        outcomes(found, decisions_of(), events_of(), declared)
    assert "metrics.rate" in refusal.value.where
    assert 'per = ["impression"]' in refusal.value.mend


def test_the_end_of_the_log_and_what_has_no_time_are_told():
    declared = experiment(m=Metric("count", ("buy",)))
    decisions = decisions_of(decision("d1", "ann", "A"))
    events = events_of(event("buy", "ann", hours=None), event("buy", "eve", hours=9))
    done = outcomes(exposures(decisions, "x", declared), decisions, events, declared)
    assert (done.end, done.untimed) == (START + timedelta(hours=9), 1)
    assert done.units["m"].to_list() == [0]


@pytest.mark.parametrize("on_surface", [True, False])
def test_an_answer_never_comes_before_its_decision_whatever_the_clients_clock_says(on_surface):
    decisions = decisions_of(decision("d1", "ann", "A", hours=5), decision("d2", "bob", "B", hours=5))
    events = events_of(
        event("click", "ann", hours=4.9, decision="d1", received=START + timedelta(hours=5.1)),  # six minutes behind
        event("click", "ann", hours=-9_000, decision="d1"),
        event("click", "bob", hours=4.9),  # answers nothing: that was before
    )
    metric = Metric("count", ("click",), window_days=1, on_surface=on_surface)
    assert measured(metric, events, decisions) == {"u:ann": 2, "u:bob": 0}


def test_an_event_comes_no_later_than_it_was_received():
    """One client whose clock is a year ahead: its click is in the window, and nobody's window is over for it."""
    declared = experiment(m=Metric("count", ("click",), window_days=1))
    decisions = decisions_of(decision("d1", "ann", "A"), decision("d2", "bob", "B", hours=2))
    events = events_of(event("click", "ann", hours=9_000, decision="d1", received=START + timedelta(hours=1)))
    done = outcomes(exposures(decisions, "x", declared), decisions, events, declared)
    assert done.end == START + timedelta(hours=2)
    assert done.units.select("unit", "m").rows() == [("u:ann", 1), ("u:bob", 0)]


def test_what_does_not_count_is_counted():
    metrics = {"here": Metric("count", ("click",)), "anywhere": Metric("proportion", ("buy",), on_surface=False)}
    decisions = decisions_of(
        decision("d0", "ann", None, hours=1), decision("d1", "ann", "A", hours=2), decision("d2", "eve", None)
    )
    events = events_of(
        event("click", "ann", hours=1.5, decision="d0"),  # of the list before the experiment
        event("click", "ann", hours=1.5, decision="d1"),
        event("click", "ann", hours=3, decision="gone"),
        event("buy", "ann", hours=0),
        event("buy", "ann", hours=1),
        event("buy", "eve", hours=0),
        event("click", "eve", hours=0, decision="d2"),
    )
    done = outcomes(exposures(decisions, "x", experiment(**metrics)), decisions, events, experiment(**metrics))
    assert done.units.select("unit", "here", "anywhere").rows() == [("u:ann", 1, 0)]
    assert (done.early, done.strays, done.untimed) == ({"here": 1, "anywhere": 2}, 1, 0)


happenings = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.sampled_from(["click", "buy"]), st.integers(0, 60)),
    max_size=15,
)


@pytest.mark.slow
@given(happenings, st.integers(0, 30), st.sampled_from([None, 1.0]))
def test_outcomes_are_what_a_loop_counts(rows, since, window):
    decisions = decisions_of(decision("d1", "ann", "A", hours=since), decision("d2", "bob", "B"))
    events = events_of(*(event(kind, user, hours=hour) for user, kind, hour in rows))
    start = {"ann": since, "bob": 0}
    expected = dict.fromkeys(["u:ann", "u:bob"], 0)
    for user, kind, hour in rows:
        late = window is not None and user in start and hour >= start[user] + 24
        if user in start and kind == "buy" and hour >= start[user] and not late:
            expected[f"u:{user}"] += 1
    metric = Metric("count", ("buy",), window_days=window, on_surface=False)
    assert measured(metric, events, decisions) == expected
