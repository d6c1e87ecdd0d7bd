"""Symmetric matrices: inverses and solutions against those of NumPy, in either precision, and what is refused."""

from __future__ import annotations

import tracemalloc
from importlib import import_module

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.errors import DataError
from segue.learn import symmetric
from segue.learn.symmetric import Symmetric, mirror


def positive(size: int) -> npt.NDArray[np.float32]:
    drawn = np.random.default_rng(size).random((3 * size, size))
    return np.asarray(drawn.T @ drawn, np.float32)


def of(matrix: npt.NDArray[np.float32], ridge: float, condition: float) -> Symmetric:
    return Symmetric(matrix, matrix.diagonal() + ridge, condition, "S'S + 3 I", "learner slist")


@pytest.mark.parametrize("condition", [1.0, np.inf], ids=["float32", "float64"])
@pytest.mark.parametrize("lines", [0, 24_000], ids=["swept", "lapack"])
def test_inverses_and_solutions_are_those_of_numpy(
    monkeypatch: pytest.MonkeyPatch, condition: float, lines: int
) -> None:
    monkeypatch.setattr(symmetric, "LAPACK_LINES", lines)
    monkeypatch.setattr(symmetric, "SWEPT", 11)
    whole = positive(30).astype(np.float64) + 3 * np.eye(30)
    right = np.random.default_rng(0).random((4, 30)).astype(np.float32)
    inverse = of(positive(30), 3.0, condition).inverse()
    assert inverse.dtype == (np.float32 if condition == 1.0 else np.float64)
    assert np.allclose(inverse, np.linalg.inv(whole), atol=1e-4)
    assert np.allclose(
        of(positive(30), 3.0, condition).solution(right.copy()), np.linalg.solve(whole, right.T), atol=1e-4
    )


@pytest.mark.parametrize("ask", ["inverse", "solution"])
def test_what_float32_rounds_to_no_matrix_of_its_kind_is_solved_in_float64(ask: str) -> None:
    """Two lines that are the same but for what float32 has no bits for, whatever was said of the condition."""
    ridge, right = 1e-5, np.array([[1.0, 2.0]], np.float32)
    matrix = np.full((2, 2), 1000, np.float32)
    made = Symmetric(matrix, np.full(2, 1000 + ridge), 1.0, "X'X + L", "learner ease")
    inverse = np.linalg.inv(np.array([[1000 + ridge, 1000], [1000, 1000 + ridge]]))
    found = made.inverse() if ask == "inverse" else made.solution(right)
    assert np.allclose(found, inverse if ask == "inverse" else inverse @ right.T, rtol=1e-3)


def test_what_has_no_inverse_is_refused_by_name() -> None:
    made = Symmetric(np.ones((2, 2), np.float32), np.ones(2), 1.0, "S'S + 3 I", "learner slist")
    with pytest.raises(DataError, match=r"^learner slist: S'S \+ 3 I cannot be inverted\n.*raise `regularization`"):
        made.solution(np.ones((1, 2), np.float32))


def test_a_system_that_does_not_fit_in_float64_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "1000")
    with pytest.raises(DataError, match=r"S'S \+ 3 I in float64 needs"):
        of(positive(30), 3.0, np.inf).solution(np.ones((1, 30), np.float32))


@pytest.mark.parametrize("ask", ["inverse", "solution"])
@pytest.mark.parametrize("lines", [0, 24_000], ids=["swept", "lapack"])
def test_float64_takes_no_more_memory_than_is_asked_for(monkeypatch: pytest.MonkeyPatch, ask: str, lines: int) -> None:
    said: list[int] = []
    monkeypatch.setattr(symmetric, "refuse_beyond_memory", lambda needed, *_: said.append(needed))
    monkeypatch.setattr(symmetric, "LAPACK_LINES", lines)
    monkeypatch.setattr(symmetric, "SWEPT", 64)
    monkeypatch.setattr(symmetric, "BLOCK", 64)
    made, right = of(positive(700), 3.0, np.inf), np.ones((350, 700), np.float32)
    import_module("scipy.linalg.lapack")  # what it brings is not counted
    tracemalloc.start()
    try:
        _ = made.inverse() if ask == "inverse" else made.solution(right)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most <= 1.05 * said[0]
    assert most >= 0.8 * said[0], "what fits is not refused"


@pytest.mark.parametrize("size", [1, 2, 511, 513, 1100])
def test_a_matrix_is_mirrored_block_by_block(size: int) -> None:
    upper = np.triu(np.random.default_rng(0).random((size, size)))
    expected = upper + np.triu(upper, 1).T
    mirror(upper)
    assert np.array_equal(upper, expected)
