"""What was decided: which items were shown to whom, by which policy, with which probability, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

CANDIDATES_KEPT = 200  # all that the sampler saw, at most this many
DROPS_KEPT = 100  # of the items that one rule took out, at most this many by name


class Candidate(msgspec.Struct, frozen=True):
    """An item that the sampler could have shown: where it came from and the score it had there."""

    item: str
    source: str
    score: float


class Drop(msgspec.Struct, frozen=True):
    """Items that a rule took out: `stage` is where ("filter"), `rule` which ("seen", "deny", "available").

    `items` keeps at most `DROPS_KEPT` of them, `count` is how many there were.
    """

    stage: str
    rule: str
    items: tuple[str, ...]
    count: int = 0


class Reason(msgspec.Struct, frozen=True):
    """A reason that a person can read, and the parts of the score that it was computed from.

    `contributions` maps an item of the history (or a label) to its part of the score, largest first; where `exact`,
    all of them with `rest` sum to the score.
    """

    text: str
    contributions: tuple[tuple[str, float], ...] = ()
    rest: float = 0.0
    exact: bool = True


class Shown(msgspec.Struct, frozen=True):
    """One item of the list. `propensity` is P(item at this position | the items above it, what was feasible)."""

    item: str
    position: int
    score: float
    propensity: float
    source: str
    reason: Reason


class Decision(msgspec.Struct, frozen=True):
    """One list, shown once. The same `request_id` is the same decision.

    `propensity` of the whole list is the product of the propensities of `shown`. `fallback` says, in plain words, why
    the list is not the personal one that was asked for; it is empty where it is.
    """

    id: str
    request_id: str
    time: datetime
    surface: str
    release: str
    policy: str
    seed: int
    user: str | None
    visitor: str | None
    context: dict[str, Any]
    assignments: dict[str, str]
    candidates: tuple[Candidate, ...]
    drops: tuple[Drop, ...]
    shown: tuple[Shown, ...]
    fallback: str = ""
