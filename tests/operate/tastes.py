"""People with planted tastes, small: what the tests of tuning learn from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from segue.data.split.split import Split, split_by_time
from segue.domain.items import Items
from segue.engines.engine import INTERACTIONS, Dataset, Engine, Key
from segue.engines.local import LocalEngine, Table
from segue.learn.ease import EASE, LinearItems
from segue.learn.learner import Learner, Validate
from segue.learn.ranges import Range, Real
from segue.measure.settings import EvaluationSettings
from segue.operate.tune.result import TunedModel
from segue.operate.tune.tune import Candidate, tune
from segue.operate.tune.validation import Validation, validation

PEOPLE, ITEMS, EACH = 90, 24, 10
DAY_US = 86_400_000_000
SAID = EvaluationSettings(test_fraction=0.2)
RANGES: dict[str, Range] = {"regularization": Real(1, 1000, log=True), "dropout": Real(0, 0.8)}


def rows(seed: int = 0) -> pa.Table:
    """Everybody meets `EACH` different items, mostly of one half of the catalog, one a day."""
    random = np.random.default_rng(seed)
    item = np.empty((PEOPLE, EACH), np.int32)
    for person in range(PEOPLE):
        likes = np.where(np.arange(ITEMS) % 2 == person % 2, 6.0, 1.0) / (1 + np.arange(ITEMS) // 4)
        item[person] = random.choice(ITEMS, EACH, replace=False, p=likes / likes.sum())
    count = PEOPLE * EACH
    day = np.tile(np.arange(EACH), PEOPLE)
    return pa.table(
        {
            "user": np.repeat(np.arange(PEOPLE, dtype=np.int32), EACH),
            "item": item.ravel(),
            "type": np.zeros(count, np.int8),
            "weight": np.ones(count, np.float32),
            "time": day * DAY_US + np.repeat(np.arange(PEOPLE), EACH),
            "order": np.arange(count),
        },
        schema=INTERACTIONS,
    )


def dataset(table: pa.Table | None = None) -> Dataset:
    """The rows as a dataset prepared by user."""
    items = Items(f"i{number:02}" for number in range(ITEMS))
    return LocalEngine().prepare(Table(rows() if table is None else table, items, PEOPLE), Key.USER)


def split(table: pa.Table | None = None) -> Split:
    """The last two days are the test."""
    return split_by_time(dataset(table), None, 0.2)


def judges(table: pa.Table | None = None) -> Validation:
    """What is cut from the training part of that split."""
    return validation(split(table), SAID, metric="ndcg@5")


def ease(**parameters: float) -> Candidate:
    """EASE, declared with these parameters."""
    return Candidate("ease", EASE(**({"min_people": 1} | parameters)), RANGES)  # type: ignore[arg-type]


class Together(Learner, frozen=True):
    """What people have together, in so few lines that it takes no time: B = X'X / (its diagonal + regularization)."""

    name: ClassVar[str] = "together"
    recommender = LinearItems

    regularization: float = 10.0
    power: float = 1.0

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> LinearItems:
        batches = [batch for part in dataset.partitions(1, ["user", "item"]) for batch in part]
        seen = np.zeros((dataset.users, len(dataset.items)))
        for batch in batches:
            seen[batch["user"].to_numpy(), batch["item"].to_numpy()] = 1
        counts = seen.T @ seen
        weights = (counts / (counts.diagonal() + self.regularization) ** self.power).astype(np.float32)
        np.fill_diagonal(weights, 0)
        canonical, _ = dataset.items.canonical()
        return LinearItems(canonical, np.arange(len(canonical), dtype=np.int32), weights)


def together(**parameters: float) -> Candidate:
    """That, declared with these parameters."""
    ranges: dict[str, Range] = {"regularization": Real(1, 1000, log=True), "power": Real(0, 2)}
    return Candidate("together", Together(**parameters), ranges)


def ticking(step: float = 1.0) -> Callable[[], float]:
    """A clock on which a step passes between two looks at it."""
    looks = itertools.count()
    return lambda: next(looks) * step


def tuned(
    folder: Path, candidate: Candidate | None = None, judged: Validation | None = None, **said: object
) -> TunedModel:
    """One model, tuned by the ticking clock."""
    options = {"budget": 1000.0, "most": 12, "clock": ticking()} | said
    (found,) = tune([candidate or together()], judged or judges(), LocalEngine(threads=1), folder, **options)  # type: ignore[arg-type]
    return found
