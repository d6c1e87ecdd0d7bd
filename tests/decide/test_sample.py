"""The sampler: masks inside, one item of a group, deterministic by seed, propensities of what was really drawn."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.decide.policy import BestFirst, EpsilonGreedy, PlackettLuce, Policy
from segue.decide.sample import decision_id, draw, seed_of, standardised

GOLDEN_SEED = 5298215591162945436
GOLDEN_ID = "4d7cf831d96eb200b89ac18cd227980f"

POLICIES = st.sampled_from([BestFirst(), EpsilonGreedy(0.3), PlackettLuce(0.3), PlackettLuce(1e-4)])


PLACES, SEEDS = st.integers(1, 70), st.integers(0, 2**63 - 1)


@st.composite
def candidates(draw_: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    scores = sorted(draw_(st.lists(st.floats(-5, 5), max_size=60)), reverse=True)
    groups = draw_(st.lists(st.integers(0, 20), min_size=len(scores), max_size=len(scores)))
    return np.array(scores), np.array(groups, np.int64)


@given(given_=candidates(), policy=POLICIES, k=PLACES, top=PLACES, seed=SEEDS)
def test_a_list_is_as_long_as_it_can_be_and_shows_one_item_of_a_group(
    given_: tuple[np.ndarray, np.ndarray], policy: Policy, k: int, top: int, seed: int
) -> None:
    scores, groups = given_
    drawn = draw(policy, scores, groups, k, seed, top)
    shown = groups[drawn.order].tolist() if drawn.order else []
    assert len(set(shown)) == len(shown) == min(k, len(set(groups.tolist())))
    assert all(0 < propensity <= 1 + 1e-12 for propensity in drawn.propensities)
    assert drawn == draw(policy, scores, groups, k, seed, top)


@given(given_=candidates(), k=PLACES, seed=SEEDS)
def test_best_first_is_the_order_of_the_scores_for_certain(
    given_: tuple[np.ndarray, np.ndarray], k: int, seed: int
) -> None:
    scores, groups = given_
    drawn = draw(BestFirst(), scores, groups, k, seed)
    first = list(dict.fromkeys(groups.tolist()))[:k]
    assert drawn.order == [groups.tolist().index(group) for group in first]
    assert set(drawn.propensities) <= {1.0}


def test_the_propensities_of_all_lists_sum_to_one() -> None:
    """Worked out for every ordered list of 3 of 4 items, and held against what the sampler says of those it draws."""
    scores, temperature = np.array([1.0, 0.2, -0.5, -0.7]), 0.8
    weights = np.exp(scores / temperature)
    exact = {}
    for order in permutations(range(4), 3):
        left, chance = weights.sum(), 1.0
        for index in order:
            chance *= weights[index] / left
            left -= weights[index]
        exact[order] = chance
    assert math.fsum(exact.values()) == pytest.approx(1)
    for seed in range(300):
        drawn = draw(PlackettLuce(temperature), scores, np.arange(4), 3, seed)
        assert math.prod(drawn.propensities) == pytest.approx(exact[tuple(drawn.order)])


def test_what_is_below_the_top_follows_best_first_when_the_top_is_used_up() -> None:
    drawn = draw(EpsilonGreedy(1.0), np.array([3.0, 2.0, 1.0, 0.0, -1.0]), np.arange(5), 5, seed=3, top=2)
    assert sorted(drawn.order[:2]) == [0, 1]
    assert drawn.propensities == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert drawn.order[2:] == [2, 3, 4]


def test_epsilon_greedy_says_what_it_does() -> None:
    scores, groups = np.array([1.0, 0.0, -1.0, -2.0]), np.arange(4)
    for seed in range(200):
        drawn = draw(EpsilonGreedy(0.2), scores, groups, 1, seed)
        assert drawn.propensities == [pytest.approx(0.85 if drawn.order == [0] else 0.05)]


def test_the_sampler_never_draws_past_the_end() -> None:
    """Probabilities that sum to a little less than 1, and a draw as close to 1 as there is."""
    from segue.decide.sample import _one

    class Short:
        name = "short"

        def probabilities(self, scores: np.ndarray, feasible: np.ndarray) -> np.ndarray:
            return np.array([0.5, 0.5 - 1e-12, 0.0])

    assert _one(Short(), np.zeros(3), np.ones(3, np.bool_), 1 - 2.0**-53)[0] == 1
    assert _one(Short(), np.zeros(3), np.ones(3, np.bool_), 0.0)[0] == 0


@given(
    runs=st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50), max_size=4),
    top=st.integers(1, 200),
)
def test_standardised_scores_keep_the_order_of_sources_and_scores(runs: list[list[float]], top: int) -> None:
    scores = np.array([score for run in runs for score in sorted(run, reverse=True)], np.float32)
    origins = np.repeat(np.arange(len(runs)), [len(run) for run in runs]).astype(np.int8)
    scaled = standardised(scores, origins, top)
    assert np.isfinite(scaled).all()
    assert (np.diff(scaled) <= 1e-9).all()


def test_scores_of_one_source_get_mean_0_and_deviation_1_over_the_top() -> None:
    scaled = standardised(np.array([9, 7, 5, 1, 0], np.float32), np.zeros(5, np.int8), top=3)
    assert scaled[:3].mean() == pytest.approx(0)
    assert scaled[:3].std() == pytest.approx(1)
    assert standardised(np.full(4, 2, np.float32), np.zeros(4, np.int8), top=4).tolist() == [0, 0, 0, 0]


def test_a_request_has_one_seed_and_one_name_in_every_process() -> None:
    """Fixed: logs of earlier versions must stay readable by replay."""
    assert seed_of("home", "r1") == seed_of("home", "r1") == GOLDEN_SEED
    assert decision_id("home", "r1") == GOLDEN_ID
    assert decision_id("homer", "1") != decision_id("home", "r1")
    assert len({seed_of(surface, request) for surface in "ab" for request in "cd"}) == 4


@given(surface=st.text(max_size=20), request=st.text(max_size=40))
def test_seeds_and_names_are_of_their_kind(surface: str, request: str) -> None:
    assert 0 <= seed_of(surface, request) < 2**63
    assert len(decision_id(surface, request)) == 32
