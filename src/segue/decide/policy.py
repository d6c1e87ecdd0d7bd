"""How a sampler departs from best-first: a policy says, at each position, how probable each feasible item is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from segue.decide.surface import Exploration

Floats = npt.NDArray[np.float64]
Feasible = npt.NDArray[np.bool_]


class Policy(Protocol):
    """A distribution over what is feasible, given what stands above. It holds no state: same input, same answer.

    Laws, held by `segue.testing.check_policy`: the probabilities are float64[n], sum to 1 over the feasible items and
    are 0 for all others.
    """

    @property
    def name(self) -> str:
        """What a decision calls it."""
        ...

    def probabilities(self, scores: Floats, feasible: Feasible) -> Floats:
        """float64[n]: how probable each item is at this position.

        `scores` are standardised and descending; at least one item is feasible.
        """
        ...


@dataclass(frozen=True)
class BestFirst:
    """The best feasible item, always."""

    name: str = "none"

    def probabilities(self, scores: Floats, feasible: Feasible) -> Floats:
        chances = np.zeros(len(scores))
        chances[feasible.argmax()] = 1.0
        return chances


@dataclass(frozen=True)
class EpsilonGreedy:
    """The best feasible item, but with probability `epsilon` a uniform draw from all that are feasible."""

    epsilon: float
    name: str = "epsilon-greedy"

    def probabilities(self, scores: Floats, feasible: Feasible) -> Floats:  # noqa: ARG002
        chances = feasible * (self.epsilon / np.count_nonzero(feasible))
        chances[feasible.argmax()] += 1.0 - self.epsilon
        return chances


@dataclass(frozen=True)
class PlackettLuce:
    """A draw in proportion to exp(score / temperature) (Luce, "Individual Choice Behavior", 1959; Plackett, 1975)."""

    temperature: float
    name: str = "plackett-luce"

    def probabilities(self, scores: Floats, feasible: Feasible) -> Floats:
        best = scores[feasible.argmax()]  # descending, so what is above it is not feasible
        chances: Floats = np.exp(np.minimum(scores - best, 0.0) / self.temperature)
        chances *= feasible
        chances /= np.add.reduce(chances)
        return chances


def policy_of(exploration: Exploration) -> Policy:
    """The policy that a surface declares."""
    if exploration.policy == "epsilon-greedy":
        return EpsilonGreedy(exploration.epsilon)
    if exploration.policy == "plackett-luce":
        return PlackettLuce(exploration.temperature)
    return BestFirst()
