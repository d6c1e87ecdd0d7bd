"""Item neighbours held against plain loops over the formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.errors import DataError
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import item_knn, neighbours
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


def off_diagonal(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.eye(len(matrix)) == 1, 0, matrix)


def test_cosine() -> None:
    values = np.log2(1 + summed(mixed()))
    norms = np.sqrt((values**2).sum(axis=0))
    expected = values.T @ values / (np.outer(norms, norms) + 5)
    np.fill_diagonal(expected, 0)
    assert np.allclose(
        dense(fitted(ItemKNN(similarity="cosine", k=50, shrinkage=5, min_people=1))), expected, atol=2e-4
    )


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


def test_tfidf() -> None:
    matrix = summed(mixed())
    lengths = (matrix > 0).sum(axis=1)
    values = np.log2(1 + matrix) * np.log1p((matrix > 0).any(axis=0).sum() / np.maximum(lengths, 1))[:, None]
    norms = np.sqrt((values**2).sum(axis=0))
    expected = off_diagonal(values.T @ values / (np.outer(norms, norms) + 2))
    assert np.allclose(dense(fitted(ItemKNN(similarity="tfidf", shrinkage=2, min_people=1))), expected, rtol=1e-5)


def test_tversky_and_lift_count_people() -> None:
    has = (summed(mixed()) > 0).astype(float)
    both, people = has.T @ has, has.sum(axis=0)
    alone, other = people[:, None] - both, people[None, :] - both
    expected = off_diagonal(both / (both + 0.7 * alone + 0.2 * other + 3))
    found = fitted(ItemKNN(similarity="tversky", alpha=0.7, beta=0.2, shrinkage=3, min_people=1))
    assert np.allclose(dense(found), expected, rtol=1e-5)
    chance = np.outer(people, people) / (has.sum(axis=1) > 0).sum()
    found = fitted(ItemKNN(similarity="lift", shrinkage=3, min_people=1))
    assert np.allclose(dense(found), off_diagonal(both / (chance + 3)), rtol=1e-5)


def test_a_walk_from_item_to_person_to_item() -> None:
    has = (summed(mixed()) > 0).astype(float)
    people, lengths = np.maximum(has.sum(axis=0), 1), np.maximum(has.sum(axis=1), 1)
    to_item, to_person = has / lengths[:, None], has.T / people[:, None]
    expected = off_diagonal(to_person @ to_item / people**0.6)
    found = fitted(ItemKNN(similarity="walk", alpha=1, beta=0.6, weighting="none", min_people=1))
    assert np.allclose(dense(found), expected, rtol=1e-4)


@pytest.mark.parametrize("similarity", ["cosine", "tfidf", "bm25", "tversky", "lift", "walk"])
@pytest.mark.parametrize("weighting", ["log", "none"])
def test_the_kernel_changes_nothing(similarity: Any, weighting: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = ItemKNN(similarity=similarity, weighting=weighting, k=5)
    found = []
    for kernel in (False, True):
        monkeypatch.setattr(neighbours, "worthwhile", lambda *_, kernel=kernel: kernel)
        found.append(saved_bytes(fitted(learner)))
    assert found[0] == found[1]


def test_of_a_long_history_the_newest_items_count() -> None:
    newer, older = ["c", "a"], ["b", "a", "c"]
    long = Table.of(["ann"] * 5 + ["bob"] * 2, [*older, *newer, "a", "c"])
    short = Table.of(["ann"] * 4 + ["bob"] * 2, ["a", "c", *newer, "a", "c"])
    capped = ItemKNN(similarity="cosine", max_history=2, min_people=1).fit(LocalEngine(), long)
    whole = ItemKNN(similarity="cosine", min_people=1).fit(LocalEngine(), short)
    assert isinstance(capped, NeighbourItems)
    assert isinstance(whole, NeighbourItems)
    assert capped.items.take(capped.neighbours[0, :1]) == whole.items.take(whole.neighbours[0, :1]) == ["c"]
    assert capped.likeness[0, 0] == whole.likeness[0, 0]
    assert not capped.likeness[capped.items.positions(["b"])].any()


def test_sums_stay_within_their_whole_numbers() -> None:
    """The largest sum there can be, of many people and of a large value, fits; so does one person's."""
    for largest, people in [(1.0, 1), (1.0, 2**31), (127.9, 140_000), (3.0, 7), (1e-9, 5)]:
        scale = neighbours._scale(largest, people)
        assert largest * scale <= 2**30
        assert people * (largest * scale) ** 2 <= 2**62


def test_more_than_memory_holds_is_refused_with_what_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "5000")
    with pytest.raises(DataError, match=r"23 neighbours of each of 25 items needs.*\n.*set k = 4, or raise min_people"):
        fitted(ItemKNN())


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
