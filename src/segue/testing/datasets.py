"""Small datasets that are hard on purpose: what the contract suites run on."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from segue.domain import columns
from segue.domain.catalog import Item
from segue.domain.items import Items
from segue.domain.requests import NO_TIME
from segue.engines.content import content_of
from segue.engines.engine import INTERACTIONS
from segue.engines.local import Table

DAY_US = 86_400_000_000
START_US = 1_750_000_000_000_000


def mixed(seed: int = 0, users: int = 40, items: int = 25, rows: int = 600) -> Table:
    """Repeated pairs, equal times, weights of 0, several types, codes without rows; item codes are not canonical.

    People have tastes (two camps), so that there is something to learn.

    >>> mixed().rows
    600
    """
    random = np.random.default_rng(seed)
    who = random.integers(0, users - 1, rows)  # the last person did nothing
    camp = (who % 2) * (items // 2)
    what = np.where(random.random(rows) < 0.8, camp + random.integers(0, items // 2, rows), 0)
    weights = random.choice(np.array([0, 0.5, 1, 1, 1, 3], np.float32), rows)
    times = START_US + random.integers(0, 90, rows) * DAY_US
    ids = [f"item-{(7 * code) % items:03d}" for code in range(items)]
    types = random.integers(0, 2, rows)
    return with_content(table(who, what, users, ids, weights=weights, times=times, types=types))


def table(
    users: np.ndarray,
    items: np.ndarray,
    user_count: int,
    ids: list[str],
    *,
    weights: np.ndarray | None = None,
    times: np.ndarray | None = None,
    types: np.ndarray | None = None,
) -> Table:
    """A table of these codes; weight 1, no time and type 0 where not given; `order` is the row."""
    rows = len(users)
    return Table(
        pa.table(
            {
                columns.USER: np.asarray(users, np.int32),
                columns.ITEM: np.asarray(items, np.int32),
                columns.TYPE: np.zeros(rows, np.int8) if types is None else np.asarray(types, np.int8),
                columns.WEIGHT: np.ones(rows, np.float32) if weights is None else np.asarray(weights, np.float32),
                columns.TIME: np.full(rows, NO_TIME, np.int64) if times is None else np.asarray(times, np.int64),
                columns.ORDER: np.arange(rows, dtype=np.int64),
            }
        ),
        Items(ids),
        user_count,
        ("view", "buy"),
    )


def told_of(ids: list[str]) -> pa.Table:
    """What a catalog says of items: the first half lamps, the others sofas, of every second nothing but that.

    >>> told_of(["x", "y"])["title"].to_pylist()
    ['Lamp x', '']
    """
    kinds = ["lamp" if place < len(ids) // 2 else "sofa" for place in range(len(ids))]
    return content_of(
        Item(name, categories=(kind,))
        if place % 2
        else Item(name, f"{kind.title()} {name}", f"A {kind}, № {place % 4}", (kind,), attributes={"size": place % 3})
        for place, (name, kind) in enumerate(zip(ids, kinds, strict=True))
    )


def shuffled(dataset: Table, seed: int = 1) -> Table:
    """The same rows in another order: the same dataset to whoever sorts by time and order."""
    rows = np.random.default_rng(seed).permutation(dataset.rows)
    return Table(dataset.table.take(pa.array(rows)), dataset.items, dataset.users, dataset.types, dataset.content)


def empty() -> Table:
    """Two items, one person, nothing done."""
    return Table(INTERACTIONS.empty_table(), Items(["a", "b"]), 1)


def hard() -> dict[str, Table]:
    """Datasets at the edge, by what is special about them; every learner must learn something finite from each."""
    people = np.repeat(np.arange(6), 3)
    same = np.tile(np.arange(3), 6)
    ids = ["c", "a", "b"]
    varied = (people + same) % 3
    cases = {
        "one user": table(np.zeros(3, int), np.arange(3), 1, ids),
        "one item": table(np.arange(5), np.zeros(5, int), 5, ["a"]),
        "one user, one item": table(np.zeros(1, int), np.zeros(1, int), 1, ["a"]),
        "all users equal": table(people, same, 6, ids),
        "huge weights": table(people, varied, 6, ids, weights=np.full(18, 3e38)),
        "small weights": table(people, varied, 6, ids, weights=np.full(18, 1e-38)),
        "only one row that counts": table(people, varied, 6, ids, weights=np.eye(1, 18)[0]),
        "the same event again and again": table(np.zeros(50, int), np.zeros(50, int), 2, ids),
        "times before 1970": table(people, varied, 6, ids, times=np.arange(-18, 0) * DAY_US),
    }
    return {name: with_content(its) for name, its in cases.items()}


def with_content(dataset: Table) -> Table:
    """The same rows with a catalog: see `told_of`."""
    content = told_of(list(dataset.items.ids))
    return Table(dataset.table, dataset.items, dataset.users, dataset.types, content)
