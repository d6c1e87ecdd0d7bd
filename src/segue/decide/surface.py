"""What the declaration may say about a surface: a place where decisions show."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from segue.domain.decisions import CANDIDATES_KEPT
from segue.domain.settings import Settings


class Exploration(Settings, frozen=True):
    """How the sampler departs from the best-first list, so that the log can teach what the model does not know.

    policy       "none", "epsilon-greedy" or "plackett-luce"
    epsilon      of epsilon-greedy: the probability of a uniform draw at each position
    temperature  of Plackett-Luce: of the standardised scores; near 0 is best-first, large is uniform
    top          how many of the best candidates take part in the draw
    """

    policy: Literal["none", "epsilon-greedy", "plackett-luce"] = "none"
    epsilon: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 0.3
    top: Annotated[int, msgspec.Meta(ge=1, le=CANDIDATES_KEPT)] = 100


class Surface(Settings, frozen=True):
    """Source models -> filters -> exploration inside the sequential sampler -> evidence.

    sources    models, best first: a later one fills the places that the earlier ones cannot
    k          how many items a list has where the request does not say
    filters    "seen" (what the person already has, by item group) and "available" (by the catalog's dates)
    seen       the event types that make an item seen; all but impressions where empty. What weighs 0 for learning is
               in no history and hides nothing: for ["impression"], give impressions a weight in [events.types]
    deny       item ids that are never shown here
    """

    sources: tuple[str, ...]
    k: Annotated[int, msgspec.Meta(ge=1, le=CANDIDATES_KEPT)] = 20
    filters: tuple[Literal["seen", "available"], ...] = ("seen", "available")
    seen: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    exploration: Exploration = Exploration()
