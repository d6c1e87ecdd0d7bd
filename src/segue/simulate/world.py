"""A world: people with known tastes, items that suit them or not, what happened between them. Seeded, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segue.simulate.behaviour import Behaviour
from segue.simulate.breakage import BROKEN_SHARES
from segue.simulate.catalog import Catalog, make_catalog
from segue.simulate.files import Truth, write_world
from segue.simulate.history import History, make_history
from segue.simulate.naming import Flavour, Style, style
from segue.simulate.people import Crowd, make_crowd

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """A shop or a record shop, its people and its past. The same arguments are the same world.

    `days` is how long the history is, from midnight UTC of `start`; `robots` come on top of `people`.

    >>> world = World("shop", seed=7, people=50, items=40, days=14)
    >>> len(world.catalog), len(world.crowd)
    (40, 50)
    >>> world.liking([0], [0]).shape
    (1,)
    """

    flavour: Flavour = "shop"
    seed: int = 1
    people: int = 2_000
    items: int = 600
    days: int = 60
    start: date = date(2026, 1, 5)
    robots: int = 4
    behaviour: Behaviour = field(default_factory=Behaviour)

    @cached_property
    def catalog(self) -> Catalog:
        """The items, with what only the world knows of them."""
        return make_catalog(self.flavour, self.seed, self.items, self.start, self.days)

    @cached_property
    def crowd(self) -> Crowd:
        """The people and their tastes."""
        return make_crowd(self.seed, self.people, self.catalog, self.days)

    @cached_property
    def history(self) -> History:
        """What happened, in the order of time."""
        weekday = self.start.weekday()
        return make_history(self.seed, self.crowd, self.catalog, self.behaviour, self.days, weekday, self.robots)

    @property
    def style(self) -> Style:
        """What this flavour calls its shelves and its events."""
        return style(self.flavour)

    @cached_property
    def item_positions(self) -> dict[str, int]:
        """Where each item id stands in the catalog."""
        return {item.id: position for position, item in enumerate(self.catalog.items)}

    def liking(
        self, people: Sequence[int] | Ints, items: Sequence[int] | Ints, day: int | None = None
    ) -> npt.NDArray[np.float64]:
        """How much each person likes each item (row by row): the logit of opening it, on the last day unless said."""
        who, what = np.broadcast_arrays(np.asarray(people, np.int64), np.asarray(items, np.int64))
        days = np.full(who.shape, self.days if day is None else day, np.int64)
        return self.behaviour.liking(self.crowd, self.catalog, who.ravel(), what.ravel(), days.ravel()).reshape(
            who.shape
        )

    def write(self, folder: Path, broken: dict[str, float] | None = None) -> Truth:
        """Write events (one CSV a week), items (JSON lines), users (CSV) and the truth aside (`truth.json`).

        `broken` is the share of rows that each kind of damage gets, `BROKEN_SHARES` unless said; {} leaves all whole.
        """
        shares = BROKEN_SHARES if broken is None else broken
        return write_world(folder, self.seed, self.start, self.crowd, self.catalog, self.history, self.style, shares)
