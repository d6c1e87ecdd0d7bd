"""Item neighbours held against plain loops over the formulas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import item_knn
from segue.learn.item_knn import ItemKNN, NeighbourItems
from segue.testing.datasets import mixed
from segue.testing.recommender import saved_bytes


def summed(dataset: Table) -> npt.NDArray[np.float64]:
    """People by items, weights added up, items in canonical order."""
    matrix = np.zeros((dataset.users, len(dataset.items)))
    translation = dataset.items.translation(dataset.items.canonical()[0])
    rows = (dataset.table[name].to_numpy() for name in ("user", "item", "weight"))
    for user, item, weight in zip(*rows, strict=True):
        matrix[user, translation[item]] += weight
    return matrix


def fitted(learner: ItemKNN) -> NeighbourItems:
    model = learner.fit(LocalEngine(), mixed())
    assert isinstance(model, NeighbourItems)
    return model


def dense(model: NeighbourItems) -> npt.NDArray[np.float64]:
    whole = np.zeros((len(model.items), len(model.items)))
    for item, (near, likeness) in enumerate(zip(model.neighbours, model.likeness, strict=True)):
        whole[item, near[near >= 0]] = likeness[near >= 0]
    return whole


def test_cosine() -> None:
    values = np.log2(1 + summed(mixed()))
    norms = np.sqrt((values**2).sum(axis=0))
    expected = values.T @ values / (np.outer(norms, norms) + 5)
    np.fill_diagonal(expected, 0)
    assert np.allclose(dense(fitted(ItemKNN(k=50, shrinkage=5, min_people=1))), expected, atol=2e-4)


def test_bm25() -> None:
    matrix = summed(mixed())
    has = matrix > 0
    people, lengths = has.sum(axis=0), has.sum(axis=1)
    average, total = lengths[lengths > 0].mean(), (lengths > 0).sum()
    norms = 0.9 * (1 - 0.4 + 0.4 * lengths / average)
    values = np.where(has, np.log2(1 + matrix) * 1.9 / (np.log2(1 + matrix) + norms[:, None]), 0)
    idf = np.log(1 + (total - people + 0.5) / (people + 0.5))
    expected = np.outer(idf, idf) * (values.T @ values)
    np.fill_diagonal(expected, 0)
    found = dense(fitted(ItemKNN(similarity="bm25", k=50, k1=0.9, b=0.4, min_people=1)))
    assert np.allclose(found, expected, rtol=2e-3, atol=2e-4)


def test_only_the_nearest_are_kept_nearest_first() -> None:
    many, few = fitted(ItemKNN(k=50, min_people=1)), fitted(ItemKNN(k=3, min_people=1))
    assert np.array_equal(few.neighbours, many.neighbours[:, :3])
    assert (np.diff(few.likeness, axis=1) <= 0).all()


@pytest.mark.parametrize("similarity", ["cosine", "bm25"])
def test_blocks_change_nothing(similarity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = ItemKNN(similarity=similarity)  # type: ignore[arg-type]
    expected = saved_bytes(fitted(learner))
    for kernel in (False, True):
        monkeypatch.setattr(item_knn, "worthwhile", lambda *_, kernel=kernel: kernel)
        monkeypatch.setattr(item_knn, "BLOCK_BYTES", 8 * 25 * 4)  # four items at a time
        assert saved_bytes(fitted(learner)) == expected


def test_a_score_is_the_sum_of_worth_times_likeness(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(ItemKNN(min_people=1))
    plain = Histories.of([[2, 7, 2], []])
    weights = np.array([1, 3, 6], np.float32)
    requests = Requests(Histories(plain.offsets, plain.items, weights, plain.times, plain.types))
    expected = 3 * dense(model)[2] + 2 * dense(model)[7]  # log2(1 + 7), log2(1 + 3)
    monkeypatch.setattr(item_knn, "worthwhile", lambda *_: False)
    scores = model.scores(requests)
    assert np.allclose(scores, [expected, np.zeros(25)], atol=1e-5)
    monkeypatch.setattr(item_knn, "worthwhile", lambda *_: True)
    assert np.array_equal(model.scores(requests), scores)
