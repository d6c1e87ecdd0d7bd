"""Every policy draws by the probabilities that it says, and the suite that holds it to that finds those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.decide.policy import BestFirst, EpsilonGreedy, PlackettLuce, Policy, policy_of
from segue.decide.surface import Exploration
from segue.testing import check_policy
from segue.testing.policy import chi_squared_limit

POLICIES = [
    BestFirst(),
    EpsilonGreedy(0.2),
    PlackettLuce(0.5),
]
LIMITS = [EpsilonGreedy(0.0), EpsilonGreedy(1.0), PlackettLuce(0.01), PlackettLuce(20.0)]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_built_in_policies_keep_the_laws(policy: Policy) -> None:
    check_policy(policy, draws=1_500)


@pytest.mark.slow
@pytest.mark.parametrize("policy", LIMITS, ids=repr)
def test_at_the_limits_of_their_settings_too(policy: Policy) -> None:
    check_policy(policy, draws=1_500)


@dataclass(frozen=True)
class Boastful:
    """Says more than there is."""

    name: str = "boastful"

    def probabilities(self, scores: np.ndarray, feasible: np.ndarray) -> np.ndarray:
        return feasible / feasible.sum() * 1.1


@dataclass(frozen=True)
class Deaf:
    """Draws what is not feasible."""

    name: str = "deaf"

    def probabilities(self, scores: np.ndarray, feasible: np.ndarray) -> np.ndarray:
        return np.full(len(scores), 1 / len(scores))


class Moody:
    """Answers another way each time."""

    name = "moody"

    def __init__(self) -> None:
        self.asked = 0

    def probabilities(self, scores: np.ndarray, feasible: np.ndarray) -> np.ndarray:
        self.asked += 1
        weights = feasible * np.exp(scores * (1 + self.asked % 2))
        return weights / weights.sum()


@pytest.mark.parametrize(
    ("policy", "law"),
    [(Boastful(), "sum to 1.1"), (Deaf(), "not feasible"), (Moody(), "another answer")],
    ids=["boastful", "deaf", "moody"],
)
def test_the_suite_finds_a_policy_that_breaks_a_law(policy: Policy, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_policy(policy, draws=500)


def test_the_suite_finds_propensities_that_are_not_the_frequencies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that draws from flattened probabilities and logs the true ones is caught by the chi-squared test."""
    from segue.decide import sample

    def flattened(policy: Policy, scores: np.ndarray, feasible: np.ndarray, chance: float) -> tuple[int, float]:
        chances = policy.probabilities(scores, feasible)
        flat = np.sqrt(chances)
        index = int(flat.cumsum().searchsorted(chance * flat.sum(), side="right"))
        return index, float(chances[index])

    monkeypatch.setattr(sample, "_one", flattened)
    with pytest.raises(AssertionError, match="do not fit their propensities"):
        check_policy(PlackettLuce(1.0), draws=1_500)


@given(
    scores=st.lists(st.floats(-50, 50), min_size=1, max_size=40).map(lambda some: sorted(some, reverse=True)),
    temperature=st.floats(1e-6, 1e6),
    data=st.data(),
)
def test_plackett_luce_is_the_softmax_over_what_is_feasible(
    scores: list[float], temperature: float, data: st.DataObject
) -> None:
    feasible = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    feasible[data.draw(st.integers(0, len(scores) - 1))] = True
    chances = PlackettLuce(temperature).probabilities(np.array(scores), feasible)
    assert np.isfinite(chances).all()
    assert chances.sum() == pytest.approx(1)
    assert (chances[~feasible] == 0).all()
    left = np.array(scores)[feasible]
    with np.errstate(under="ignore"):
        weights = np.exp((left - left.max()) / temperature)
    assert chances[feasible] == pytest.approx(weights / weights.sum())


def test_a_temperature_near_zero_is_best_first_and_a_large_one_uniform() -> None:
    scores, feasible = np.array([2.0, 1.0, 0.0]), np.array([False, True, True])
    assert PlackettLuce(1e-3).probabilities(scores, feasible).tolist() == [0, 1, 0]
    assert PlackettLuce(1e6).probabilities(scores, feasible) == pytest.approx([0, 0.5, 0.5], abs=1e-5)


def test_a_surface_gets_the_policy_that_it_declares() -> None:
    assert policy_of(Exploration()) == BestFirst()
    assert policy_of(Exploration("epsilon-greedy", epsilon=0.3)) == EpsilonGreedy(0.3)
    assert policy_of(Exploration("plackett-luce", temperature=2.0)) == PlackettLuce(2.0)
    assert {policy_of(Exploration(name)).name for name in ("none", "epsilon-greedy", "plackett-luce")} == {
        "none",
        "epsilon-greedy",
        "plackett-luce",
    }


def test_the_limit_of_chi_squared_is_that_of_the_tables() -> None:
    """scipy.stats.chi2.isf(norm.sf(4), df), to 10 %."""
    from scipy.stats import chi2, norm

    for degrees in (1, 2, 5, 11, 60):
        assert chi_squared_limit(degrees) == pytest.approx(chi2.isf(norm.sf(4), degrees), rel=0.1)
