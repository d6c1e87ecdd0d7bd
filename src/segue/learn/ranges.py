"""Between which values a parameter of a learner is looked for when it is tuned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high`; where `log`, every factor is as likely as any other.

    >>> round(Real(1, 1000, log=True).at(0.5), 1)
    31.6
    """

    low: float
    high: float
    log: bool = False

    def at(self, share: float) -> float:
        """The value at a share of the way from `low` to `high`, 0 to 1."""
        if self.log:
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`, both included; where `log`, every factor is as likely as any other.

    >>> [Whole(1, 4).at(share) for share in (0.0, 0.3, 1.0)]
    [1, 2, 4]
    """

    low: int
    high: int
    log: bool = False

    def at(self, share: float) -> int:
        """The value at a share of the way from `low` to `high`, 0 to 1."""
        if self.log:
            return min(round(Real(self.low, self.high, log=True).at(share)), self.high)
        return min(self.low + int(share * (self.high - self.low + 1)), self.high)


@dataclass(frozen=True)
class Choice:
    """One of several values.

    >>> Choice(("cosine", "bm25")).at(0.9)
    'bm25'
    """

    values: tuple[Any, ...]

    def at(self, share: float) -> Any:
        """The value at a share of the way from the first to the last, 0 to 1."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]


Range: TypeAlias = Real | Whole | Choice


def drawn(ranges: dict[str, Range], random: np.random.Generator) -> dict[str, Any]:
    """One value for each parameter, drawn independently."""
    return {name: ranges[name].at(random.random()) for name in sorted(ranges)}
