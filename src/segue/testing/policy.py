"""What holds of every policy: it says the probabilities by which the sampler then really draws."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from segue.decide.policy import Policy
from segue.decide.sample import Drawn, draw

TOLERANCE = 1e-9
SIGNIFICANCE_Z = 4.0  # a right policy is refused in 1 of 30,000 checks


Order: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """Candidates to draw from: standardised scores, descending; groups of which one item each may be shown."""

    scores: tuple[float, ...]
    groups: tuple[int, ...]
    k: int
    top: int


CASES = (
    Case((1.2, 0.3, -0.4, -1.1), (0, 1, 2, 3), k=2, top=4),
    Case((0.0, 0.0, 0.0), (0, 1, 2), k=3, top=3),
    Case((1.5, 0.9, 0.1, -0.6, -1.9), (0, 0, 1, 1, 2), k=3, top=5),
    Case((1.0, 0.5, -0.2, -0.9, -1.0), (0, 1, 2, 3, 4), k=4, top=3),
    Case((0.7,), (0,), k=2, top=1),
    Case((4.0, 0.0, -4.0), (0, 1, 1), k=2, top=3),
)


def check_policy(policy: Policy, draws: int = 5_000, cases: Sequence[Case] = CASES) -> None:
    """Hold a policy against its laws, on a few small sets of candidates; an `AssertionError` says which one it breaks.

    - the probabilities are 0 where an item is not feasible, and sum to 1 over those that are, above whatever stands
      in the list already;
    - the same input gives the same answer, and the same seed the same list;
    - a list holds one item of each group, and as many as there are groups or places;
    - the list's propensity (the product over its places) is the frequency with which it is drawn (chi-squared over all
      ordered lists of `draws` draws).
    """
    for case in cases:
        _check_probabilities(policy, case)
        _check_frequencies(policy, case, draws)


def _check_probabilities(policy: Policy, case: Case) -> None:
    scores, groups = np.array(case.scores), np.array(case.groups)
    for feasible in _feasible(groups):
        window = feasible[: case.top]
        if not window.any():
            continue
        chances = policy.probabilities(scores[: case.top], window.copy())
        where = f"{policy.name}: scores {case.scores[: case.top]}, feasible {window.tolist()}: {chances.tolist()}"
        assert chances.shape == window.shape, f"expected {len(window)} probabilities: {where}"
        assert (chances[window] >= 0).all(), f"a probability is negative or no number: {where}"
        assert (chances[~window] == 0).all(), f"an item that is not feasible has a probability: {where}"
        assert abs(chances.sum() - 1) < TOLERANCE, f"the probabilities sum to {chances.sum()}: {where}"
        again = policy.probabilities(scores[: case.top], window.copy())
        assert (chances == again).all(), f"the same input gives another answer: {where}"


def _feasible(groups: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.bool_]]:
    """What is left in every set of groups that may stand above."""
    distinct = np.unique(groups)
    for chosen in range(2 ** len(distinct)):
        shown = [group for place, group in enumerate(distinct.tolist()) if chosen >> place & 1]
        yield ~np.isin(groups, shown)


def _check_frequencies(policy: Policy, case: Case, draws: int) -> None:
    counts: Counter[Order] = Counter()
    told: dict[Order, float] = {}
    for seed in range(draws):
        drawn = _drawn(policy, case, seed)
        order = tuple(drawn.order)
        propensity = math.prod(drawn.propensities)
        assert 0 < propensity <= 1 + TOLERANCE, f"{policy.name}: the list {order} is said to have {propensity}"
        assert abs(told.setdefault(order, propensity) - propensity) < TOLERANCE, f"{policy.name}: {order} has two"
        counts[order] += 1
    for order in counts:
        _check_list(policy, case, order)
    assert _drawn(policy, case, 0) == _drawn(policy, case, 0), f"{policy.name}: the same seed gives another list"
    _check_fit(policy, counts, told, draws)


def _drawn(policy: Policy, case: Case, seed: int) -> Drawn:
    return draw(policy, np.array(case.scores), np.array(case.groups), case.k, seed, case.top)


def _check_list(policy: Policy, case: Case, order: Order) -> None:
    groups = [case.groups[index] for index in order]
    assert len(set(groups)) == len(groups), f"{policy.name}: {order} shows two items of one group {groups}"
    length = min(case.k, len(set(case.groups)))
    assert len(order) == length, f"{policy.name}: expected {length} items, found {order}"


def _check_fit(policy: Policy, counts: Counter[Order], told: dict[Order, float], draws: int) -> None:
    """Pearson's chi-squared; lists that are expected fewer than five times, or were never drawn, are one cell."""
    common = sorted((order for order in told if told[order] * draws >= 5), key=told.__getitem__)
    expected = [told[order] * draws for order in common]
    found = [counts[order] for order in common]
    rest, rare = draws - math.fsum(expected), draws - sum(found)
    assert rest > -TOLERANCE * draws, f"{policy.name}: the propensities of the lists sum to more than 1"
    if rest >= 5:
        expected, found = [*expected, rest], [*found, rare]
    else:
        assert rare <= 25, f"{policy.name}: {rare} of {draws} draws are lists that their propensities all but rule out"
        expected, found = [expected[0] + rest, *expected[1:]], [found[0] + rare, *found[1:]]
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in zip(found, expected, strict=True))
    limit = chi_squared_limit(len(expected) - 1)
    assert statistic <= limit, (
        f"{policy.name}: the frequencies of {len(expected)} lists do not fit their propensities "
        f"(chi-squared {statistic:.1f}, at most {limit:.1f} expected)"
    )


def chi_squared_limit(degrees: int) -> float:
    """What chi-squared passes as rarely as a normal passes `SIGNIFICANCE_Z` (Wilson and Hilferty, 1931)."""
    if degrees < 1:
        return 1e-6
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + SIGNIFICANCE_Z * math.sqrt(spread)) ** 3


__all__ = ["CASES", "Case", "check_policy"]
