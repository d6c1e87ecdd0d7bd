"""The learners of sequences with other parameters than those that test_contract.py tries."""

from __future__ import annotations

import pytest

from segue.learn.learner import Learner, learner
from segue.testing import check_learner
from segue.testing.datasets import hard

LEARNERS: dict[str, Learner] = {
    "first-order markov": learner("markov", {"window": 1, "backoff": 0}),
    "slist, fading once, of few items": learner("slist", {"decays": [1.0], "max_items": 5}),
    "vsknn": learner("session_knn", {"method": "vsknn", "idf": 0.5, "k": 3}),
    "basket": learner("basket", {"min_baskets": 1}),
    "basket of everything": learner("basket", {"gap_minutes": None, "k": 3, "max_items": 7}),
}
DAYS = 60.0 * 24 * 3


@pytest.mark.parametrize("name", LEARNERS)
def test_learners(name: str) -> None:
    check_learner(LEARNERS[name])


@pytest.mark.slow
@pytest.mark.parametrize("case", hard())
@pytest.mark.parametrize("name", LEARNERS)
def test_learners_on_hard_data(name: str, case: str) -> None:
    check_learner(LEARNERS[name], hard()[case])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["markov", "slist", "session_knn", "basket", "repeats"])
def test_learners_of_sessions(name: str) -> None:
    check_learner(learner(name, {"gap_minutes": DAYS}))
