"""People with planted tastes, small: what the tests of tuning learn from."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from segue.data.split.split import Split, split_by_time
from segue.domain.items import Items
from segue.engines.engine import INTERACTIONS, Dataset, Key
from segue.engines.local import LocalEngine, Table
from segue.learn.ease import EASE
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


def ticking(step: float = 1.0) -> Callable[[], float]:
    """A clock on which a step passes between two looks at it."""
    looks = itertools.count()
    return lambda: next(looks) * step


def tuned(
    folder: Path, candidate: Candidate | None = None, judged: Validation | None = None, **said: object
) -> TunedModel:
    """One model, tuned by the ticking clock."""
    options = {"budget": 1000.0, "most": 12, "clock": ticking()} | said
    (found,) = tune([candidate or ease()], judged or judges(), LocalEngine(), folder, **options)  # type: ignore[arg-type]
    return found
