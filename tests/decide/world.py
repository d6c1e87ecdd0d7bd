"""A small shop with real models, for the tests of this room."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from segue.decide.ask import Ask
from segue.domain.catalog import Item
from segue.domain.recommender import Recommender
from segue.engines.local import LocalEngine, Table
from segue.find.sources import Sources
from segue.learn.ease import EASE
from segue.learn.item_knn import ItemKNN
from segue.learn.popularity import Popularity

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ITEMS = [f"i{number:02}" for number in range(40)]


@cache
def table() -> Table:
    """60 people, each with seven of the 40 items; early items are had by more."""
    users, items = [], []
    for person in range(60):
        for step in range(7):
            users.append(f"p{person}")
            items.append(ITEMS[(person * 5 + step * (1 + person % 3)) % (20 + person % 21)])
    return Table.of(users, items)


@cache
def models() -> dict[str, Recommender]:
    """A personal model that knows most items, a personal one that knows few neighbours, one for everybody."""
    engine = LocalEngine()
    return {
        "ease": EASE(regularization=5.0, min_people=1).fit(engine, table()),
        "knn": ItemKNN(k=3).fit(engine, table()),
        "popularity": Popularity().fit(engine, table()),
    }


def catalog(**changes: dict[str, Any]) -> dict[str, Item]:
    """Every item with a title; `changes` sets other fields by id, and adds items that no model knows."""
    return {id_: Item(id_, title=f"Thing {id_[1:]}", **changes.get(id_, {})) for id_ in [*ITEMS, *changes]}


def sources(*names: str, **changes: dict[str, Any]) -> Sources:
    """These models (all where none are named) over the catalog."""
    return Sources({name: models()[name] for name in names or models()}, catalog(**changes))


def ask(request_id: str = "r", **named: Any) -> Ask:
    """A request to the surface `home`."""
    return Ask("home", request_id, NOW, **named)
