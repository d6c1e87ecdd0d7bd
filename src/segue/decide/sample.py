"""The one sampler: it draws a list position by position, and returns the probability of each draw as it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from segue.decide.policy import BestFirst, Floats, Policy
from segue.domain.decisions import CANDIDATES_KEPT

BELOW_ONE = 1.0 - 2.0**-53


@dataclass(frozen=True)
class Drawn:
    """A list: which candidates, best place first, and how probable each was at its place.

    order         the indices of the candidates
    propensities  P(this item at this position | the items above it, what was feasible)
    """

    order: list[int]
    propensities: list[float]


def draw(
    policy: Policy, scores: Floats, groups: npt.NDArray[np.integer], k: int, seed: int, top: int = CANDIDATES_KEPT
) -> Drawn:
    """At most `k` of the candidates, one of each group, drawn one position after the other.

    scores  float64[n] standardised, descending
    groups  int[n]; once an item is drawn, no other of its group is feasible
    top     how many of the first candidates the policy draws from; when none of them is feasible any more, the
            rest follows best first with probability 1
    """
    if isinstance(policy, BestFirst):
        return _best_first(groups.tolist(), k)
    feasible = np.ones(len(scores), np.bool_)
    window, seen_by_policy = feasible[:top], scores[:top]
    alone = len(set(groups.tolist())) == len(groups)
    drawn = Drawn([], [])
    for chance in np.random.Generator(np.random.PCG64(seed)).random(min(k, len(scores))).tolist():
        if window.any():
            index, propensity = _one(policy, seen_by_policy, window, chance)
        elif feasible.any():
            index, propensity = int(feasible.argmax()), 1.0
        else:
            break
        drawn.order.append(index)
        drawn.propensities.append(propensity)
        feasible[index if alone else groups == groups[index]] = False
    return drawn


def _best_first(groups: Sequence[int], k: int) -> Drawn:
    """What `draw` comes to where nothing is left to chance."""
    held: dict[int, int] = {}
    for index, group in enumerate(groups):
        if len(held) == k:
            break
        held.setdefault(group, index)
    return Drawn(list(held.values()), [1.0] * len(held))


def standardised(scores: npt.NDArray[np.float32], origins: npt.NDArray[np.integer], top: int) -> Floats:
    """float64[n] descending scores on one scale, from scores that are comparable within one source only.

    The scores of each source (`origins`, in runs, each descending) get mean 0 and deviation 1 over those among the
    first `top`; a later source is lowered so that its best comes no higher than the worst of the source before.
    """
    scaled = np.empty(len(scores))
    ceiling = np.inf
    bounds = np.flatnonzero(np.diff(origins, prepend=-1, append=-1))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        run = scores[start:stop].astype(np.float64)
        head = run[: max(1, top - start)]
        deviation = head.std()
        run = (run - head.mean()) / (deviation if deviation > 0 else 1.0)
        run -= max(0.0, run[0] - ceiling)
        scaled[start:stop] = run
        ceiling = run[-1]
    return scaled


def seed_of(surface: str, request_id: str) -> int:
    """The seed of a decision, 0 to 2**63 - 1: the same request is the same draw, in every process."""
    return int.from_bytes(_digest(surface, request_id)[:8], "big") >> 1


def decision_id(surface: str, request_id: str) -> str:
    """The name of a decision, 32 hexadecimal digits: the same request is the same decision."""
    return _digest(surface, request_id)[8:].hex()


def _digest(surface: str, request_id: str) -> bytes:
    return blake2b(f"{len(surface)}:{surface}{request_id}".encode(), digest_size=24, person=b"segue-decision").digest()


def _one(policy: Policy, scores: Floats, feasible: npt.NDArray[np.bool_], chance: float) -> tuple[int, float]:
    """The item at which the running sum of the probabilities passes `chance`, and its probability."""
    chances = policy.probabilities(scores, feasible)
    sums = chances.cumsum()
    index = int(sums.searchsorted(chance * sums[-1] * BELOW_ONE, side="right"))
    return index, float(chances[index])
