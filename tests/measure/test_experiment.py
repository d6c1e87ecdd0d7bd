"""The readout: figures where there are some, and otherwise exactly why there are none."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.histories.state import UserState
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.journal.log import Log
from segue.data.lake.lake import Lake
from segue.domain.decisions import Decision
from segue.domain.events import Event
from segue.domain.experiment import Experiment, Metric, Variant
from segue.measure.experiment import readout
from segue.measure.readout import Readout
from segue.measure.verdict import UNITS

from .logs import START, decision, decisions_of, event, events_of, many_decisions, many_events

BUY = {"bought": Metric("proportion", ("buy",))}
NOTHING = events_of()


def experiment(metrics: dict[str, Metric] | None = None, *variants: str) -> Experiment:
    return Experiment("home", {name: Variant() for name in variants or ("A", "B")}, BUY if metrics is None else metrics)


def arms(*sizes: int) -> list[str]:
    return [name for name, size in zip("ABC", sizes, strict=False) for _ in range(size)]


def read(variants: list[str], events: pl.LazyFrame, declared: Experiment | None = None) -> Readout:
    return readout("x", declared or experiment(), many_decisions(variants), events)


def shares(variants: list[str], **share: float) -> pl.LazyFrame:
    """Buys of the first share of each arm."""
    which = np.array(variants)
    counts = np.zeros(len(which), int)
    for name, part in share.items():
        units = np.flatnonzero(which == name)
        counts[units[: round(part * len(units))]] = 1
    return many_events("buy", counts)


def test_a_difference_is_said_with_its_figures():
    variants = arms(1000, 1000)
    found = read(variants, shares(variants, A=0.10, B=0.15))
    assert found.finding == "difference"
    assert found.verdict.startswith(
        "bought is higher under B than under A: 15.00% against 10.00%; difference +5.00 points (+2.11 to +7.89)"
    )
    assert "+50.0% relative" in found.verdict
    comparison = found.metrics[0].comparisons[0]
    error = np.sqrt((0.1 * 0.9 + 0.15 * 0.85) / 999)
    assert comparison.difference.value == pytest.approx(0.05)
    assert comparison.difference.high - 0.05 == pytest.approx(1.961 * error, rel=1e-3)
    assert comparison.detectable == pytest.approx(2.8016 * error, rel=1e-3)
    assert comparison.power == pytest.approx(0.922, abs=0.005)


def test_a_loss_is_said_as_one():
    variants = arms(1000, 1000)
    found = read(variants, shares(variants, A=0.15, B=0.10))
    assert found.verdict.startswith("bought is lower under B than under A")


def test_no_difference_says_what_could_have_been_found():
    variants = arms(1000, 1000)
    found = read(variants, shares(variants, A=0.10, B=0.11))
    assert found.finding == "no difference"
    assert "No difference in bought is shown between B and A" in found.verdict
    assert "would be found 8 times in 10" in found.verdict


def test_nobody_exposed():
    found = readout("x", experiment(), decisions_of(decision("d1", "ann", None)), NOTHING)
    assert found.finding == "too early"
    assert "nobody has been exposed to 'x' yet" in found.verdict
    assert [arm.share for arm in found.arms] == [None, None]
    assert found.sample_ratio is None


def test_nobody_left_once_mixed_units_are_out():
    both = decisions_of(decision("d1", "ann", "A"), decision("d2", "ann", "B"))
    found = readout("x", experiment(), both, NOTHING)
    assert found.mixed == 1
    assert "1 units met more than one variant" in found.verdict


def test_one_arm_empty_with_few_units():
    found = read(arms(4, 0), NOTHING)
    assert found.verdict == "Too early: B has no units yet, of 4 exposed in all."


def test_one_arm_empty_with_many_units_is_not_chance():
    found = read(arms(1000, 0), NOTHING)
    assert found.finding == "do not trust"
    assert "B 0 (declared 50.0%)" in found.verdict


def test_too_few_units():
    found = read(arms(UNITS, UNITS - 1), NOTHING)
    assert found.verdict.startswith(f"Too early: B has {UNITS - 1} units; at least {UNITS} are needed in each variant")


def test_no_variance():
    found = read(arms(200, 200), NOTHING)
    assert found.finding == "too early"
    assert "within each arm every unit has the same value" in found.verdict
    assert found.metrics[0].comparisons[0].p is None


def test_an_interval_of_no_width_is_never_a_result():
    """The trap: everybody in B and nobody in A bought; with no variance that must not come out as [1, 1] and p = 0."""
    variants = arms(200, 200)
    found = read(variants, shares(variants, A=0, B=1))
    assert found.finding == "too early"
    assert found.metrics[0].comparisons[0].difference is None


def test_arms_of_the_wrong_size():
    variants = arms(1000, 700)
    found = read(variants, shares(variants, A=0.1, B=0.3))
    assert found.finding == "do not trust"
    assert found.verdict.startswith("Do not trust these figures")
    assert "A 1,000 (declared 50.0%), B 700 (declared 50.0%)" in found.verdict
    assert found.metrics[0].comparisons[0].difference is not None


def test_a_control_without_anything_has_a_difference_but_no_lift():
    variants = arms(1000, 1000)
    comparison = read(variants, shares(variants, B=0.1)).metrics[0].comparisons[0]
    assert comparison.difference.low > 0
    assert comparison.lift is None
    assert comparison.detectable_lift is None
    assert "A's own value is too near zero" in comparison.why_not


def test_a_treatment_without_anything_is_not_blamed_on_the_control():
    variants = arms(1000, 1000)
    comparison = read(variants, shares(variants, A=0.5)).metrics[0].comparisons[0]
    assert comparison.difference.high < 0
    assert comparison.lift is None
    assert comparison.why_not.startswith("no relative lift: nothing at all happened in B")


def test_a_ratio_per_what_never_happened():
    found = read(arms(200, 200), NOTHING, experiment({"rate": Metric("ratio", ("click",), ("impression",))}))
    assert found.verdict == "Too early to compare rate: nothing that the ratio is per happened in A."
    assert [arm.value for arm in found.metrics[0].arms] == [None, None]


def test_no_metric_declared():
    found = read(arms(200, 200), NOTHING, experiment({}))
    assert "declares no metric" in found.verdict
    assert found.metric_rows() == []


def test_one_variant_only():
    found = read(arms(200), NOTHING, experiment(BUY, "A"))
    assert "there is one variant only" in found.verdict


def test_three_variants_are_each_held_to_the_first():
    variants = arms(500, 500, 500)
    found = read(variants, shares(variants, A=0.1, B=0.2, C=0.1), experiment(BUY, "A", "B", "C"))
    assert [(it.variant, it.control) for it in found.metrics[0].comparisons] == [("B", "A"), ("C", "A")]
    assert "bought is higher under B" in found.verdict
    assert "No difference in bought is shown between C and A" in found.verdict
    assert any("2 comparisons" in note for note in found.notes)


def test_the_log_itself_is_read_drained_or_not(tmp_path):
    """Decisions and events through the journal: one half drained into the lake, the other not yet."""
    journal, lake = SQLiteJournal(tmp_path / "journal"), Lake(tmp_path / "lake")
    state = UserState(tmp_path, journal=journal)
    declared = experiment()
    people = [f"p{number}" for number in range(400)]
    variants = {person: declared.variant_of("x", f"u:{person}") for person in people}
    for half in (people[:200], people[200:]):
        journal.record([made(person, variants[person]) for person in half])
        buyers = [person for person in half if variants[person] == "B" and int(person[1:]) % 4 == 0]
        journal.append([Event(f"e-{who}", "buy", user=who, item="i", decision=f"d-{who}") for who in buyers], START)
        if half[0] == "p0":
            assert drain(lake, journal, state, START).decisions == 200
    log = Log(lake, journal)
    found = readout("x", declared, log.decisions(), log.events())
    journal.close()
    sizes = Counter(variants.values())
    bought = sum(variant == "B" and int(person[1:]) % 4 == 0 for person, variant in variants.items())
    assert {arm.variant: arm.units for arm in found.arms} == sizes
    assert [arm.value for arm in found.metrics[0].arms] == pytest.approx([0, bought / sizes["B"]])
    assert found.verdict.startswith("bought is higher under B than under A")


def made(person: str, variant: str) -> Decision:
    """A decision as the service records it."""
    return Decision(
        id=f"d-{person}",
        request_id=f"r-{person}",
        time=START,
        surface="home",
        release="1",
        policy="none",
        seed=1,
        user=person,
        visitor=None,
        context={},
        assignments={"x": variant},
        candidates=(),
        drops=(),
        shown=(),
    )


def test_declared_weights_are_what_sizes_are_held_to():
    declared = Experiment("home", {"A": Variant(weight=3), "B": Variant(weight=1)}, BUY)
    assert read(arms(750, 250), NOTHING, declared).sample_ratio.p == pytest.approx(1)
    assert read(arms(500, 500), NOTHING, declared).finding == "do not trust"


def test_units_whose_window_is_not_over_are_counted():
    metrics = {"bought": Metric("proportion", ("buy",), window_days=7)}
    variants = arms(150, 150)
    found = read(variants, shares(variants, A=0.1, B=0.1), experiment(metrics))
    assert found.metrics[0].unfinished == 300
    assert any("window of 300 units is not over" in note for note in found.notes)


def test_what_does_not_count_is_noted():
    decisions = decisions_of(*(decision(f"d{n}", f"p{n}", "AB"[n % 2], hours=5) for n in range(400)))
    events = events_of(event("buy", "p1"), event("buy", "p1", decision="gone"), event("buy", "p2", hours=None))
    bought = {"bought": Metric("proportion", ("buy",), on_surface=False)}
    notes = readout("x", experiment(bought), decisions, events).notes
    assert "bought: 2 events of exposed units came before the exposure and do not count" in notes
    assert "1 events name a decision that is not in the log: no metric of the surface has them" in notes
    assert "1 events of the log have no time and answer no decision: not placed" in notes


def test_everything_is_plain_data():
    variants = arms(300, 300)
    found = read(variants, shares(variants, A=0.1, B=0.2))
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["verdict"] == found.verdict
    assert plain["first"] == "2026-01-01T00:00:00Z"
    rows = found.metric_rows()
    assert [(row["metric"], row["variant"], row["units"]) for row in rows] == [
        ("bought", "A", 300),
        ("bought", "B", 300),
    ]
    assert rows[0]["difference"] is None
    assert rows[1]["difference"] == pytest.approx(0.1)
    assert [row["units"] for row in found.arm_rows()] == [300, 300]


def test_a_unit_with_a_thousand_events_is_one_unit():
    """What one person does a thousand times is no more certain than what a thousand people do."""
    counts = np.zeros(400, int)
    counts[-1] = 1000
    found = read(arms(200, 200), many_events("click", counts), experiment({"clicks": Metric("count", ("click",))}))
    assert found.finding == "no difference"
    assert found.metrics[0].comparisons[0].p > 0.3


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from("ABCZ"), max_size=40),
    st.integers(0, 8),
    st.sampled_from(["proportion", "count", "sum", "ratio"]),
    st.data(),
)
def test_it_is_never_blank_and_never_fails(variants, copies, kind, data):
    variants = variants * copies
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(variants), max_size=len(variants))), int)
    metric = Metric(kind, ("buy",), ("buy", "click") if kind == "ratio" else ())
    found = read(variants, many_events("buy", counts), experiment({"m": metric}, "A", "B", "C"))
    assert found.verdict.endswith(".")
    assert sum(arm.units for arm in found.arms) + sum(found.unknown.values()) == len(variants)
    json.dumps(found.as_dict(), allow_nan=False)
