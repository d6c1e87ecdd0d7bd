"""The best k: NumPy and the kernel agree with a plain sort, ties go by position."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from segue.domain.requests import Histories
from segue.learn import top
from segue.learn.top import Left, Vectors, best, best_of_products
from segue.learn.top_kernels import select

levels = st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 1.0, 1.5, 3e38])


def oracle(scores: npt.NDArray[np.float32], k: int) -> tuple[list[list[int]], list[list[float]]]:
    rows = [[(-score, place) for place, score in enumerate(row) if score > -np.inf] for row in scores.tolist()]
    best_rows = [sorted(row)[:k] for row in rows]
    positions = [[place for _, place in row] + [-1] * (k - len(row)) for row in best_rows]
    return positions, [[-score for score, _ in row] + [-np.inf] * (k - len(row)) for row in best_rows]


@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=30), elements=levels),
    st.integers(0, 33),
)
def test_both_ways_are_a_sort(scores: npt.NDArray[np.float32], k: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(top, "worthwhile", lambda *_: False)
        positions, values = best(scores, k)
    assert (positions.tolist(), values.tolist()) == oracle(scores, k)
    positions, values = np.full_like(positions, -1), np.full_like(values, -np.inf)
    if k:
        select(scores, positions, values)
    assert (positions.tolist(), values.tolist()) == oracle(scores, k)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 200))
def test_many_scores_with_few_levels(seed: int, k: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 9, (3, 500)).astype(np.float32)
    positions, values = np.full((3, k), -1, np.int32), np.full((3, k), -np.inf, np.float32)
    select(scores, positions, values)
    assert (positions.tolist(), values.tolist()) == oracle(scores, k)


def test_large_inputs_take_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).random((20, 300), np.float32)
    monkeypatch.setattr(top, "worthwhile", lambda *_: False)
    expected = best(scores, 7)
    monkeypatch.setattr(top, "worthwhile", lambda *_: True)
    found = best(scores, 7)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))


@pytest.mark.parametrize("tiny", [0, 10**9])
def test_what_has_no_score_has_no_place(monkeypatch: pytest.MonkeyPatch, tiny: int) -> None:
    monkeypatch.setattr(top, "TINY", tiny)
    positions, _ = best(np.array([[1, np.nan, 3, 2]], np.float32), 4)
    assert positions.tolist() == [[2, 3, 0, -1]]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(17, 40), st.integers(1, 300), st.integers(1, 20), st.integers(1, 70))
def test_products_taken_block_by_block_are_those_of_the_whole(
    seed: int, rows: int, items: int, factors: int, k: int
) -> None:
    """Whole numbers, so that sums are exact and there are ties; masks for all, for each, and what was seen.

    Some items are much longer than others, so that the short ones are not looked at."""
    random = np.random.default_rng(seed)
    queries, vectors = (random.integers(-3, 4, (count, factors)).astype(np.float32) for count in (rows, items))
    vectors *= 2.0 ** random.integers(0, 6, (items, 1))
    seen = Histories.of([random.integers(0, items, random.integers(0, 9)) for _ in range(rows)])
    for_all, for_each = random.random(items) < 0.7, random.random((rows, items)) < 0.3
    lefts = [Left(), Left(seen=seen), Left(for_all, for_each, seen), Left(~for_each, for_all), Left(for_all & False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(top, "PRODUCTS", -1)
        found = [best_of_products(queries, Vectors(vectors), k, left) for left in lefts]
    for left, (positions, values) in zip(lefts, found, strict=True):
        scores = left.among(queries @ vectors.T)
        assert (positions.tolist(), values.tolist()) == oracle(scores, k)


def test_a_product_does_not_hang_on_what_else_is_in_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "PRODUCTS", -1)
    monkeypatch.setattr(top, "FEW", -1)
    random = np.random.default_rng(3)
    queries, vectors = (random.standard_normal((count, 13)).astype(np.float32) for count in (9, 150))
    whole = best_of_products(queries, Vectors(vectors), 150, Left())
    assert np.allclose(whole[1], -np.sort(-(queries @ vectors.T)), atol=1e-5)
    for row in range(9):
        alone = best_of_products(queries[row : row + 1], Vectors(vectors), 150, Left())
        assert all(np.array_equal(one[0], every[row]) for one, every in zip(alone, whole, strict=True))


def test_what_is_no_number_is_in_no_product_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "FEW", -1)
    queries, vectors = np.array([[1, 1]], np.float32), np.array([[np.nan, 0], [1, 2], [np.inf, 1]], np.float32)
    for most in (-1, 10**9):
        monkeypatch.setattr(top, "PRODUCTS", most)
        monkeypatch.setattr(top, "worthwhile", lambda _, work, tiny: work >= tiny)
        assert best_of_products(queries, Vectors(vectors), 3, Left())[0].tolist() == [[2, 1, -1]]


@pytest.mark.parametrize(("longer", "shorter"), [(1e30, 1e-42), (1e20, 1e19)])
def test_products_beyond_what_floats_hold_are_looked_at_as_all(
    monkeypatch: pytest.MonkeyPatch, longer: float, shorter: float
) -> None:
    """Lengths say nothing where scores are infinite, and what they have to be is more than a float32 holds."""
    monkeypatch.setattr(top, "PRODUCTS", -1)
    random = np.random.default_rng(0)
    queries = (random.standard_normal((20, 13)) * shorter).astype(np.float32)
    lengths = random.lognormal(0, 1.5, (500, 1)) * longer
    vectors = (random.standard_normal((500, 13)) * lengths).astype(np.float32)
    everything = best_of_products(queries, Vectors(vectors), 500, Left())
    few = best_of_products(queries, Vectors(vectors), 9, Left())
    assert all(np.array_equal(found, whole[:, :9]) for found, whole in zip(few, everything, strict=True))


def test_products_that_are_rounded_up_to_the_least_float_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top, "PRODUCTS", -1)
    queries, vectors = np.full((20, 1), 2.0**-70, np.float32), np.full((65, 1), 2.0**-79, np.float32)
    vectors[0] *= np.float32(0.6)
    assert (best_of_products(queries, Vectors(vectors), 1, Left())[0] == 0).all()
