"""The contract suites catch what breaks the laws: a suite that cannot fail holds nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from segue.domain.items import Items
from segue.domain.recommender import Contribution, Reasons, Recommender
from segue.domain.requests import Requests
from segue.engines.engine import Dataset, Engine, Key
from segue.engines.local import LocalEngine, Prepared
from segue.learn.ease import EASE, LinearItems
from segue.learn.gram import CountState, ItemCounts
from segue.learn.learner import Learner, Validate
from segue.learn.popularity import PopularItems, Popularity
from segue.testing import check_aggregate, check_engine, check_learner, check_recommender
from segue.testing.datasets import mixed

State = CountState


class CountsBatches(ItemCounts):
    def update(self, state: State, batch: pa.RecordBatch) -> State:
        return {**super().update(state, batch), "batches": state.get("batches", np.zeros(1)) + 1}


class NeedsWhole(ItemCounts):
    key = None


class KeepsTheLeft(ItemCounts):
    def merge(self, left: State, right: State) -> State:
        return left if left["totals"][0] else right


class AddsFloats(ItemCounts):
    def update(self, state: State, batch: pa.RecordBatch) -> State:
        weight = float(np.float32(batch.num_rows) / np.float32(3)) * 1e-3
        return {**super().update(state, batch), "totals": state["totals"] + weight}


class ForgetsToSubtract(ItemCounts):
    def subtract(self, state: State, part: State) -> State:
        return state


class StartsAtOne(ItemCounts):
    def init(self) -> State:
        return {"people": np.zeros(0, np.int64), "totals": np.ones(2, np.int64)}


@pytest.mark.parametrize(
    "broken", [CountsBatches, NeedsWhole, KeepsTheLeft, AddsFloats, ForgetsToSubtract, StartsAtOne]
)
def test_broken_aggregates_are_caught(broken: type[ItemCounts]) -> None:
    with pytest.raises(AssertionError):
        check_aggregate(broken())


class Unsorted(LocalEngine):
    def prepare(self, dataset: Dataset, key: Key) -> Dataset:
        prepared = super().prepare(dataset, key)
        assert isinstance(prepared, Prepared)
        return dataclasses.replace(prepared, arrays={**prepared.arrays, "order": prepared.arrays["order"][::-1]})


class Loses(LocalEngine):
    def map(self, function: Any, dataset: Dataset) -> Dataset:
        mapped: Any = super().map(function, dataset)
        mapped.batches = mapped.batches[: 1 if self.partitions > 2 else None]
        return mapped  # type: ignore[no-any-return]


class Twice(LocalEngine):
    def fold(self, aggregate: Any, dataset: Dataset) -> Any:
        state = super().fold(aggregate, dataset)
        return aggregate.merge(state, state) if self.partitions == 7 else state


class SplitsKeys(Prepared):
    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        parts = [list(part) for part in super().partitions(count, columns)]
        return [iter([half for b in part for half in (b.slice(0, 5), b.slice(5))]) for part in parts]


class Splits(LocalEngine):
    def prepare(self, dataset: Dataset, key: Key) -> Dataset:
        prepared = super().prepare(dataset, key)
        return SplitsKeys(**{field.name: getattr(prepared, field.name) for field in dataclasses.fields(Prepared)})


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Unsorted, "not in the order|depends on the order"),
        (Loses, "loses rows"),
        (Twice, "in 7 parts is another"),
        (Splits, "is split between batches"),
    ],
)
def test_broken_engines_are_caught(broken: type[LocalEngine], law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_engine(lambda partitions: broken(partitions=partitions, threads=1))


class TiesBackwards(PopularItems):
    def top(self, requests: Requests, k: int, allow: Any = None, deny: Any = None) -> Any:
        places, values = super().top(requests, k, allow, deny)
        if k > 1 and values.size and (values[:, 0] == values[:, 1]).all():
            places[:, :2] = places[:, [1, 0]]
        return places, values


class IgnoresDeny(PopularItems):
    def top(self, requests: Requests, k: int, allow: Any = None, deny: Any = None) -> Any:
        return super().top(requests, k, allow)


class OtherReasons(PopularItems):
    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        return [
            dataclasses.replace(r, contributions=(Contribution(7.0, label="?"),))
            for r in super().reasons(requests, items)
        ]


class SavesHalf(PopularItems):
    @classmethod
    def load(cls, folder: Path, items: Items) -> Any:
        whole = super().load(folder, items)
        return dataclasses.replace(whole, weights=whole.weights * 0.5)


class NotFinite(PopularItems):
    def score_rows(self, rows: Any, requests: Requests) -> npt.NDArray[np.float32]:
        return super().score_rows(rows, requests) + np.float32(np.inf)


class SaysPersonal(LinearItems):
    personal = False


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (TiesBackwards, "ties by position"),
        (IgnoresDeny, "denied or not allowed|not filled by -1"),
        (OtherReasons, "do not sum to the score"),
        (SavesHalf, "saved and loaded scores differently"),
        (NotFinite, "not finite"),
        (SaysPersonal, "not personal"),
    ],
)
def test_broken_recommenders_are_caught(broken: type[Any], law: str) -> None:
    learner = EASE() if issubclass(broken, LinearItems) else Popularity()
    sound: Any = learner.fit(LocalEngine(), mixed())
    fields = {field.name: getattr(sound, field.name) for field in dataclasses.fields(sound)}
    if issubclass(broken, TiesBackwards):
        fields["weights"] = np.ones_like(fields["weights"])
        fields["positions"] = (np.arange(len(fields["weights"])) % len(sound.items)).astype(np.int32)[::-1]
        fields["weights"][:] = 0
    with pytest.raises(AssertionError, match=law):
        check_recommender(broken(**fields))


class Rowdy(Learner, frozen=True):
    """Learns from whichever row comes first."""

    name = "rowdy"
    recommender = PopularItems

    def fit(self, engine: Engine, dataset: Dataset, validate: Validate | None = None) -> Recommender:
        model: Any = Popularity().fit(engine, dataset)
        first = next(dataset.partitions(1)[0])["item"][0].as_py()
        return dataclasses.replace(model, weights=model.weights * (first + 2))


def test_a_learner_that_depends_on_the_order_of_rows_is_caught() -> None:
    with pytest.raises(AssertionError, match="from the same rows in another order"):
        check_learner(Rowdy())
