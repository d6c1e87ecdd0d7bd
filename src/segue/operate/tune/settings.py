"""What the declaration may say about tuning: other ranges than a learner's own, by model and parameter."""

from __future__ import annotations

from typing import Any, TypeAlias

from segue.domain.settings import Settings


class Between(Settings, frozen=True):
    """A parameter is looked for from `low` to `high`.

    low   the smallest value
    high  the largest value; with `low` and of a parameter that is a whole number, whole numbers in between
    log   whether every factor is as likely as any other, instead of every difference
    """

    low: int | float
    high: int | float
    log: bool = False


Said: TypeAlias = dict[str, Between | tuple[Any, ...]]
"""By parameter: between which values, or one of which values it is looked for. A single value keeps it there."""


__all__ = ["Between", "Said"]
