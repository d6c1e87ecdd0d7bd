"""The contract suites: what our own parts pass, for third parties to run on theirs. No test framework is needed.

Each `check_*` raises an `AssertionError` that says which law is broken, and returns nothing where all hold.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "check_aggregate": "segue.testing.aggregate",
    "check_engine": "segue.testing.engine",
    "check_journal": "segue.testing.journal",
    "check_learner": "segue.testing.recommender",
    "check_policy": "segue.testing.policy",
    "check_recommender": "segue.testing.recommender",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'segue.testing' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "check_aggregate",
    "check_engine",
    "check_journal",
    "check_learner",
    "check_policy",
    "check_recommender",
]
