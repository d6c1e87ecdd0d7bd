"""Leading eigenvectors held against the dense decomposition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.learn import eigen
from segue.learn.eigen import leading

Matrix = npt.NDArray[np.float64]


def decaying(size: int, rank: int, seed: int = 0) -> Matrix:
    """A symmetric matrix with eigenvalues 1, 1/2, 1/3 ... and from `rank` on 0."""
    vectors = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0][:, :rank]
    return np.asarray(vectors / np.arange(1, rank + 1) @ vectors.T)


def found(matrix: Matrix, factors: int) -> tuple[Matrix, npt.NDArray[np.float32]]:
    return leading(lambda block: matrix.astype(np.float32) @ block, len(matrix), factors, seed=0)


@pytest.mark.parametrize("dense", [0, 1000])
@pytest.mark.parametrize("rank", [1, 3, 300])
def test_values_and_vectors(dense: int, rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eigen, "DENSE", dense)
    matrix = decaying(300, rank)
    values, vectors = found(matrix, 12)
    count = min(rank, 12)
    assert np.allclose(values, 1 / np.arange(1, count + 1), atol=1e-3)
    assert np.allclose(vectors.T @ vectors, np.eye(count), atol=1e-5)
    assert np.abs(matrix @ vectors - vectors * values).max() < 2e-3
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(count)] > 0).all()


def test_equal_eigenvalues_span_their_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eigen, "DENSE", 0)
    matrix = np.diag(np.repeat([2.0, 1.0, 0.0], [5, 100, 195]))
    values, vectors = found(matrix, 5)
    assert np.allclose(values, 2, atol=1e-4)
    assert np.allclose(np.abs(vectors[:5].T @ vectors[:5]), np.eye(5), atol=1e-4)


@given(st.integers(1, 60), st.integers(0, 4), st.integers(1, 20))
def test_nothing_else_than_what_is_there(size: int, rank: int, factors: int) -> None:
    rank = min(rank, size)
    before = eigen.DENSE
    try:
        eigen.DENSE = 0
        values, vectors = found(decaying(size, rank) * 1e-20, factors)
    finally:
        eigen.DENSE = before
    assert vectors.shape == (size, min(rank, factors))
    assert len(values) == min(rank, factors)
    assert np.isfinite(vectors).all()
