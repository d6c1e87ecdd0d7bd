"""EASE held against the textbook formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.errors import DataError
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import ease, symmetric
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
        ease_weights(gram, np.full(2, 1e-12))


@pytest.mark.parametrize(("dropout", "popularity"), [(0.3, 0.0), (0.0, 1.0), (0.6, 0.5)])
def test_penalties_are_those_of_the_formulas(dropout: float, popularity: float) -> None:
    """Steck, 2020, section 3: the full-rank solution with all emphasis on what was dropped out."""
    model = EASE(regularization=4, dropout=dropout, popularity=popularity, min_people=1).fit(LocalEngine(), mixed())
    assert isinstance(model, LinearItems)
    matrix = binary(mixed())[:, model.learned]
    people = matrix.sum(axis=0)
    raised = np.diag(4 * (people / people.mean()) ** popularity + people * dropout / (1 - dropout))
    inverse = np.linalg.inv(matrix.T @ matrix + raised)
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(model.weights, expected, atol=1e-5)


def test_dropout_is_ridge_regression_on_histories_with_holes() -> None:
    """The closed form is the limit of the least squares over many random holes in everybody's history."""
    random = np.random.default_rng(0)
    matrix = (random.random((300, 4)) < 0.4) * 1.0
    share, penalty = 0.4, 2.0
    holes = np.concatenate([matrix * (random.random(matrix.shape) >= share) / (1 - share) for _ in range(800)])
    whole = np.tile(matrix, (800, 1))
    gram = np.triu(matrix.T @ matrix).astype(np.int32)
    people = matrix.sum(axis=0)
    weights = ease_weights(gram, penalty + people * share / (1 - share))
    for item in range(4):
        others = np.delete(np.arange(4), item)
        seen = holes[:, others]
        expected = np.linalg.solve(seen.T @ seen / 800 + penalty * np.eye(3), seen.T @ whole[:, item] / 800)
        assert np.allclose(weights[others, item], expected, atol=0.01)


@pytest.mark.parametrize("condition", [1e4, 0.0], ids=["float32", "float64"])
def test_the_model_lies_in_the_memory_of_the_counts(monkeypatch: pytest.MonkeyPatch, condition: float) -> None:
    monkeypatch.setattr(symmetric, "FLOAT32_CONDITION", condition)
    gram = np.triu(np.random.default_rng(0).integers(0, 9, (700, 700))).astype(np.int32)
    assert np.shares_memory(ease_weights(gram, np.full(700, 5000.0)), gram)


def test_where_float32_does_not_do_the_inverse_is_made_in_float64() -> None:
    """Two items that always go together, and hardly any regularization."""
    gram = np.array([[1000, 1000, 3], [0, 1000, 3], [0, 0, 1000]], np.int32)
    whole = np.triu(gram) + np.triu(gram, 1).T
    inverse = np.linalg.inv(whole + 1e-3 * np.eye(3))
    expected = inverse / -np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert np.allclose(ease_weights(gram, np.full(3, 1e-3)), expected, atol=1e-5)


def test_the_largest_weights_are_kept_and_the_others_are_0() -> None:
    whole = EASE(regularization=2, min_people=1).fit(LocalEngine(), mixed())
    some = EASE(regularization=2, min_people=1, keep=3).fit(LocalEngine(), mixed())
    everything = EASE(regularization=2, min_people=1, keep=1000).fit(LocalEngine(), mixed())
    assert isinstance(whole, LinearItems)
    each = Requests(Histories.of([[item] for item in range(25)]))
    dense, sparse = whole.scores(each), some.scores(each)
    assert np.array_equal(everything.scores(each), dense)
    assert ((sparse != 0).sum(axis=0) <= 3).all()
    assert np.array_equal(sparse[sparse != 0], dense[sparse != 0])
    for item in range(25):
        left_out = np.abs(dense[:, item])[sparse[:, item] == 0]
        assert left_out.max() <= np.abs(sparse[:, item][sparse[:, item] != 0]).min(initial=np.inf)


def test_more_items_than_memory_is_refused_before_and_says_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "100000")
    people = np.repeat(np.arange(9), 300)
    dataset = table(people, np.tile(np.arange(300), 9), 9, [f"{item:03}" for item in range(300)])
    with pytest.raises(DataError, match=r"EASE of 300 items needs.*\n.*max_items = 100 .*slim"):
        EASE().fit(LocalEngine(), dataset)
    EASE(max_items=100).fit(LocalEngine(), dataset)


@pytest.mark.parametrize("regularization", [1e37, 1e39, 1e300])
def test_weights_are_numbers_however_much_they_are_regularized(regularization: float) -> None:
    model = EASE(regularization=regularization, min_people=1).fit(LocalEngine(), mixed())
    assert isinstance(model, LinearItems)
    assert np.isfinite(model.weights).all()


@pytest.mark.parametrize("lines", [1, 7, 100])
def test_what_is_too_large_for_lapack_is_swept(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    penalties = np.linspace(5, 9, 40)
    expected = ease_weights(upper_gram(), penalties)
    monkeypatch.setattr(symmetric, "LAPACK_LINES", 0)
    monkeypatch.setattr(symmetric, "SWEPT", lines)
    assert np.allclose(ease_weights(upper_gram(), penalties), expected, atol=1e-5)
    invert = only_in_float64(np.linalg.inv)
    monkeypatch.setattr(np.linalg, "inv", invert)  # float64 is made of what lies below the diagonal
    assert np.allclose(ease_weights(upper_gram(), penalties), expected, atol=1e-5)


def upper_gram() -> npt.NDArray[np.int32]:
    has = (np.random.default_rng(0).random((200, 40)) < 0.2).astype(np.int32)
    return np.triu(has.T @ has)


def only_in_float64(invert: Callable[..., npt.NDArray[np.float64]]) -> Callable[..., npt.NDArray[np.float64]]:
    """An inverse that fails at the last block of a matrix in float32."""
    rows = [0]

    def inverse(block: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        rows[0] += len(block)
        if block.dtype == np.float32 and rows[0] >= 40:
            raise np.linalg.LinAlgError
        return invert(block)

    return inverse
