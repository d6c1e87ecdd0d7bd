"""Every aggregate and every learner under the contract suites, on ordinary and on hard data, by NumPy and by kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.domain.errors import DataError
from segue.engines.engine import Aggregate
from segue.engines.local import LocalEngine
from segue.learn import ease, folded, gram, item_knn, neighbours, slim, sparse_items, top, whitened
from segue.learn.gram import ItemCounts, ItemGram, choose
from segue.learn.item_knn import ItemKNN
from segue.learn.learner import Learner, learner, learners
from segue.learn.popularity import DailyWeights
from segue.testing import check_aggregate, check_learner
from segue.testing.datasets import hard, mixed, table

LEARNERS: dict[str, Learner] = {name: learner(name, {}) for name in learners()} | {
    "bm25": ItemKNN(similarity="bm25"),
    "trending by z": learner("trending", {"window_days": 20, "measure": "z"}),
    "segments by an attribute": learner("segment_popularity", {"by": "size", "half_life_days": None, "shrinkage": 0.5}),
    "few factors for new items": learner("cold_start", {"part": {"learner": "als", "factors": 3}, "text": 0}),
    "content by bm25": learner("content", {"similarity": "bm25", "k": 4}),
    "walk": ItemKNN(similarity="walk"),
    "popularity with a half life": learner("popularity", {"half_life_days": 30}),
    "ease of few items": learner("ease", {"max_items": 5}),
    "ease of few weights": learner("ease", {"keep": 4, "dropout": 0.3, "popularity": 0.5}),
    "slim, positive": learner("slim", {"k": 7, "signs": "positive", "sparsity": 0.2, "regularization": 2}),
    "gf-cf": learner("spectral", {"sharpness": 0, "alpha": 0.3, "person_power": 1, "target_power": 0.5}),
    "nearest neighbour": ItemKNN(k=1, min_people=1),
}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernel is used, even where another test has loaded them."""
    for module in (ease, gram, item_knn, neighbours, slim, sparse_items, top):
        monkeypatch.setattr(module, "worthwhile", lambda *_: False)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tiny: every compiled kernel is used."""
    for module in (ease, gram, neighbours, slim, sparse_items, top, whitened):
        monkeypatch.setattr(module, "TINY", -1)
    monkeypatch.setattr(item_knn, "TINY_ROWS", -1)
    monkeypatch.setattr(item_knn, "TINY_SCORES", -1)
    monkeypatch.setattr(top, "PRODUCTS", -1)
    monkeypatch.setattr(top, "FEW", -1)
    monkeypatch.setattr(folded, "FEW", -1)


def aggregates() -> dict[str, Aggregate[Any]]:
    dataset = mixed()
    canonical, _ = dataset.items.canonical()
    counts = LocalEngine().fold(ItemCounts(), dataset)
    chosen = choose(counts, dataset.items, canonical, 1, 20)
    return {
        "counts": ItemCounts(),
        "gram": ItemGram(chosen),
        "days": DailyWeights("log"),
        "days, linear": DailyWeights("linear"),
    }


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", aggregates())
def test_aggregates(name: str) -> None:
    check_aggregate(aggregates()[name])


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", aggregates())
def test_aggregates_by_kernel(name: str) -> None:
    check_aggregate(aggregates()[name])


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in learners() else pytest.mark.slow) for name in LEARNERS]
)
def test_learners(name: str) -> None:
    check_learner(LEARNERS[name])


@pytest.mark.slow
@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", LEARNERS)
def test_learners_by_kernel(name: str) -> None:
    check_learner(LEARNERS[name])


@pytest.mark.slow
@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("case", hard())
@pytest.mark.parametrize("name", LEARNERS)
def test_learners_on_hard_data(name: str, case: str) -> None:
    if name in ("popularity with a half life", "trending", "trending by z") and case != "times before 1970":
        return  # these have no times: test_popularity.py and test_trending.py hold the refusal
    check_learner(LEARNERS[name], hard()[case])


@pytest.mark.parametrize("rows", [0, 3])
@pytest.mark.parametrize("name", sorted(learners().keys() - {"content"}))  # which does not look at interactions
def test_nothing_to_learn_from(name: str, rows: int) -> None:
    weightless = table(np.zeros(rows), np.zeros(rows), 1, ["a", "b"], weights=np.zeros(rows))
    with pytest.raises(DataError, match=rf"{name} has nothing to learn from.*weigh more than 0\n.*ingest events"):
        LEARNERS[name].fit(LocalEngine(), weightless)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_weights_of_zero_are_ignored(name: str) -> None:
    """The kernel and NumPy aside: leaving such rows out changes nothing."""
    from segue.engines.local import Table
    from segue.testing.recommender import saved_bytes

    dataset = mixed()
    positive = dataset.table.filter(dataset.table["weight"].to_numpy() > 0)
    without = Table(positive, dataset.items, dataset.users, dataset.types, dataset.content)
    whole, less = (LEARNERS[name].fit(LocalEngine(), rows) for rows in (dataset, without))
    assert saved_bytes(whole) == saved_bytes(less)
