"""A small real workspace for the service's tests: a lake, two models, two releases, by the rooms' own functions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from segue.data.histories.state import UserState
from segue.data.interactions import interactions
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.decide.surface import Exploration, Surface
from segue.domain.experiment import Experiment, Metric, Variant
from segue.engines.local import LocalEngine
from segue.learn.registry import learner
from segue.operate.registry import Registry
from segue.operate.train import train
from segue.serve.auth import create_key

KINDS = ("Kitchen", "Garden", "Travel", "Office")
SURFACES = {
    "home": Surface(sources=("ease", "popular"), k=10, exploration=Exploration(policy="plackett-luce")),
    "plain": Surface(sources=("ease", "popular"), k=10),
    "tested": Surface(sources=("popular",), k=10),
}
EXPERIMENTS = {
    "learned": Experiment(
        surface="tested",
        variants={"popularity": Variant(), "ease": Variant(surface={"sources": ["ease", "popular"]})},
        metrics={"clicks": Metric(types=("click",))},
    )
}
START = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = EventSource()


def shop(folder: Path, people: int = 60, items: int = 80, seed: int = 0) -> Path:
    """A workspace in which everybody likes one kind of thing, with two releases; the second is current."""
    lake = Lake(folder / "lake")
    lake.put_items(_catalog(items), "items")
    lake.put_users(_users(people), "users")
    lake.append_events(_events(people, items, seed), "events")
    snapshot = lake.snapshot()
    dataset = interactions(snapshot, SOURCE)
    models = {"ease": learner("ease", {"regularization": 5.0}), "popular": learner("popularity", {})}
    for name, model in models.items():
        train(name, model, LocalEngine(), dataset, folder / "models", now=datetime.now(UTC))
    UserState(folder, SOURCE).update(snapshot)
    for _ in range(2):
        Registry(folder).release([], SURFACES, EXPERIMENTS, snapshot)
    return folder


def keys(folder: Path) -> dict[str, str]:
    """A key of each role."""
    return {role: create_key(folder, role) for role in ("service", "admin")}


def _catalog(items: int) -> pl.DataFrame:
    kinds = [KINDS[item % len(KINDS)] for item in range(items)]
    return pl.DataFrame(
        {
            "id": [f"i{item:03}" for item in range(items)],
            "title": [f"{kind} thing <{item}>" for item, kind in enumerate(kinds)],
            "categories": [[kind] for kind in kinds],
            "price": [5.0 + item % 40 for item in range(items)],
            "currency": ["EUR"] * items,
        }
    )


def _users(people: int) -> pl.DataFrame:
    names = [json.dumps({"name": f"Person {person:02}", "town": "Aarhus"}) for person in range(people)]
    return pl.DataFrame({"id": [f"u{person:02}" for person in range(people)], "attributes": names})


def _events(people: int, items: int, seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        own = np.arange(person % len(KINDS), items, len(KINDS))
        liked = random.choice(own, min(10, len(own)), replace=False).tolist()
        for item in [*liked, *random.choice(items, 3, replace=False).tolist()]:
            time = START + timedelta(minutes=int(random.integers(60 * 24 * 90)))
            rows.append({"user": f"u{person:02}", "item": f"i{item:03}", "time": time})
    frame = pl.DataFrame(rows).with_columns(pl.lit("view").alias("type"))
    return frame.with_columns(pl.Series("id", [f"past-{row}" for row in range(len(rows))]))
