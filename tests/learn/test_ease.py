"""EASE held against the textbook formula."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.errors import DataError
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import ease
from segue.learn.ease import EASE, LinearItems, ease_weights
from segue.testing.datasets import mixed, table


def binary(dataset: Table) -> npt.NDArray[np.float64]:
    """The matrix of people and items, items in canonical order."""
    counted = dataset.table.filter(dataset.table["weight"].to_numpy() > 0)
    matrix = np.zeros((dataset.users, len(dataset.items)))
    translation = dataset.items.translation(dataset.items.canonical()[0])
    matrix[counted["user"].to_numpy(), translation[counted["item"].to_numpy()]] = 1
    return matrix


def textbook(matrix: npt.NDArray[np.float64], regularization: float) -> npt.NDArray[np.float64]:
    """Steck, 2019, equation 8."""
    inverse = np.linalg.inv(matrix.T @ matrix + regularization * np.eye(matrix.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("regularization", [0.01, 1.0, 500.0])
def test_weights_are_those_of_the_formula(regularization: float) -> None:
    model = EASE(regularization=regularization, min_people=1).fit(LocalEngine(), mixed())
    assert isinstance(model, LinearItems)
    matrix = binary(mixed())
    has = matrix.any(axis=0)
    assert model.learned.tolist() == np.flatnonzero(has).tolist()
    assert np.allclose(model.weights, textbook(matrix[:, has], regularization), atol=1e-4)


def test_scores_are_the_history_times_the_weights() -> None:
    model = EASE(min_people=1).fit(LocalEngine(), mixed())
    history = Histories.of([[3, 5, 3, 24], []])
    expected = np.zeros(25)
    expected[model.learned] = model.weights[np.searchsorted(model.learned, [3, 5, 24])].sum(axis=0)
    scores = model.scores(Requests(history))
    assert np.allclose(scores[0], expected, atol=1e-7)
    assert not scores[1].any()


def test_numpy_and_the_kernel_agree_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    people = np.repeat(np.arange(60), 40)
    dataset = table(people, random.integers(0, 300, len(people)), 60, [f"{i:03}" for i in range(300)])
    model = EASE(regularization=3).fit(LocalEngine(), dataset)
    requests = Requests(Histories.of([random.permutation(300)[:70] for _ in range(9)]))
    monkeypatch.setattr(ease, "worthwhile", lambda *_: False)
    expected = model.scores(requests)
    monkeypatch.setattr(ease, "worthwhile", lambda *_: True)
    assert np.array_equal(model.scores(requests), expected)


def test_the_most_popular_items_are_kept_and_ties_go_by_id() -> None:
    users, items = np.array([0, 1, 2, 0, 1, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 2, 2, 3])
    dataset = table(users, items, 3, ["d", "c", "b", "a"])
    model = EASE(max_items=2, min_people=1).fit(LocalEngine(), dataset)
    assert isinstance(model, LinearItems)
    assert [model.items[place] for place in model.learned] == ["b", "d"]
    assert model.scores(Requests(Histories.of([[0]]))).tolist() == [[0, 0, 0, 0]]


def test_what_cannot_be_inverted_says_so() -> None:
    gram = np.array([[2**30, 2**30], [0, 2**30]], np.int32)
    with pytest.raises(DataError, match="raise `regularization`"):
        ease_weights(gram, 1e-12)
