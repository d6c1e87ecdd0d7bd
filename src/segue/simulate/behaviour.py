"""How people behave before a list: how far they look, what they open, what they buy. Declared, not learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.simulate.catalog import Catalog
from segue.simulate.people import Crowd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Behaviour:
    """The declared laws. The weights are logits: how much each part moves the decision to open an item.

    position_bias  P(look at position p, from 0) = (1 + p) ** -position_bias: people look from the top and stop
    base           the logit of opening something that a person neither likes nor dislikes
    taste          per unit of cosine between a person's taste and an item
    appeal         per standard deviation of what everybody likes
    novelty        for something released today, halving every `novelty_days`
    noise          the share of decisions to open that are made by accident, without looking at tastes
    accident       how often such an accident opens something
    purchase       the logit of buying what was opened and is liked as much as it costs
    resolve        how much more willing to buy those are who wanted to open it
    """

    position_bias: float = 0.55
    base: float = -3.4
    taste: float = 4.2
    appeal: float = 0.45
    novelty: float = 0.4
    novelty_days: float = 10.0
    noise: float = 0.03
    accident: float = 0.2
    purchase: float = -1.3
    resolve: float = 0.5

    def look(self, positions: Ints) -> Floats:
        """The probability that a person looks as far down as each position (from 0)."""
        return np.asarray((1.0 + positions) ** -self.position_bias, np.float64)

    def depth(self, luck: Floats, length: int) -> Ints:
        """How many of `length` positions each person looks at, from uniform numbers: the inverse of `look`."""
        with np.errstate(divide="ignore", over="ignore"):
            deepest = np.maximum(luck, 1e-12) ** (-1.0 / self.position_bias)
        return np.minimum(np.floor(deepest), length).astype(np.int64)

    def liking(self, crowd: Crowd, catalog: Catalog, people: Ints, items: Ints, days: Ints) -> Floats:
        """The logit of each person opening each item that they look at, on their day; one value a row."""
        cosine = np.einsum("rf,rf->r", crowd.taste(people, days), catalog.vectors[items]).astype(np.float64)
        age = np.maximum(days - catalog.released[items], 0)
        dear = np.maximum(catalog.log_price[items] - crowd.budget[people], 0.0)
        return np.asarray(
            self.base
            + self.taste * cosine
            + self.appeal * catalog.appeal[items]
            + self.novelty * 0.5 ** (age / self.novelty_days)
            - crowd.sensitivity[people] * dear,
            np.float64,
        )

    def opens(self, liking: Floats) -> Floats:
        """The probability of opening an item that is looked at."""
        return (1 - self.noise) * _sigmoid(liking) + self.noise * self.accident

    def buys(self, liking: Floats) -> Floats:
        """The probability of buying an item that was opened."""
        return _sigmoid(self.purchase + self.resolve * liking)


def _sigmoid(logit: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), np.float64)
