"""What the declaration may say about an experiment: variants of one surface, and what they are judged by."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from segue.domain.assignment import assign
from segue.domain.settings import Settings


class Variant(Settings, frozen=True):
    """One variant: its share of the units, and the fields of the surface that it sets differently."""

    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    surface: dict[str, Any] = msgspec.field(default_factory=dict)


class Metric(Settings, frozen=True):
    """What a unit did after its first exposure, within `window_days` (or until the end of the log).

    kind    "proportion": did it at all; "count": how often; "sum": of `column`;
            "ratio": events of `types` per event of `per` (delta method over units)
    types   the event types that count
    on_surface  only events that answer a decision of the experiment's surface
    """

    kind: Literal["proportion", "count", "sum", "ratio"] = "proportion"
    types: tuple[str, ...] = ()
    per: tuple[str, ...] = ()
    column: Literal["value", "quantity"] = "value"
    window_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    on_surface: bool = True


class Experiment(Settings, frozen=True):
    """Two or more variants of a surface. The first is the control that the others are compared with.

    Assignment is a pure hash of `seed` (the experiment's name where empty) and the person, so it needs no table.
    """

    surface: str
    variants: dict[str, Variant]
    metrics: dict[str, Metric]
    coverage: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    seed: str = ""
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.05

    def shares(self) -> dict[str, float]:
        """The share of the units that each variant is meant to get; they sum to 1."""
        total = sum(variant.weight for variant in self.variants.values())
        return {name: variant.weight / total for name, variant in self.variants.items()}

    def variant_of(self, name: str, person: str) -> str | None:
        """The variant of a person (as `person_key` names it), or None where the person does not take part."""
        shares = self.shares()
        index = assign(self.seed or name, person, list(shares.values()), self.coverage)
        return None if index is None else list(shares)[index]
