"""What may be declared about an experiment, and who gets which variant of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.experiment import Experiment, Variant


def experiment(**fields) -> Experiment:
    plain = {"surface": "home", "variants": {"A": {}, "B": {}}, "metrics": {}} | fields
    return msgspec.convert(plain, Experiment)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8))
def test_shares_sum_to_one(weights):
    shares = experiment(variants={f"v{place}": {"weight": weight} for place, weight in enumerate(weights)}).shares()
    assert sum(shares.values()) == pytest.approx(1)


def test_a_person_keeps_the_variant_and_the_seed_moves_it():
    people = [f"u:{number}" for number in range(200)]
    one = experiment()
    assert [one.variant_of("x", person) for person in people] == [one.variant_of("x", person) for person in people]
    assert [one.variant_of("x", person) for person in people] != [one.variant_of("y", person) for person in people]
    seeded = experiment(seed="x")
    assert [seeded.variant_of("y", person) for person in people] == [one.variant_of("x", person) for person in people]


def test_with_little_coverage_most_take_no_part():
    few = experiment(coverage=0.1)
    taking_part = [few.variant_of("x", f"u:{number}") for number in range(2_000)]
    assert 120 < sum(variant is not None for variant in taking_part) < 280


@pytest.mark.parametrize(
    "fields",
    [
        {"variants": {"A": {"weight": 0}}},
        {"variants": {"A": {"weight": -1}}},
        {"coverage": 0},
        {"coverage": 1.5},
        {"alpha": 0},
        {"alpha": 1},
        {"metric": {}},
        {"metrics": {"m": {"kind": "mean"}}},
        {"metrics": {"m": {"colum": "value"}}},
    ],
)
def test_what_cannot_be_meant_is_refused(fields):
    with pytest.raises(msgspec.ValidationError):
        experiment(**fields)


def test_a_declaration_cannot_be_changed():
    with pytest.raises(AttributeError):
        Variant().weight = 2.0
