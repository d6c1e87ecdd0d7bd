"""Spectral filters held against dense matrices, and against GF-CF as its paper writes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.errors import DataError
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import eigen
from segue.learn.spectral import Filter, Spectral, SpectralItems
from segue.testing.datasets import mixed, table
from segue.testing.recommender import saved_bytes

Matrix = npt.NDArray[np.float64]
EACH = Requests(Histories.of([[item] for item in range(25)]))


def has(dataset: Table) -> Matrix:
    """People by items, 1 where somebody has one, items in canonical order."""
    matrix = np.zeros((dataset.users, len(dataset.items)))
    translation = dataset.items.translation(dataset.items.canonical()[0])
    user, item, weight = (dataset.table[name].to_numpy() for name in ("user", "item", "weight"))
    matrix[user[weight > 0], translation[item[weight > 0]]] = 1
    return matrix


def powers(matrix: Matrix, axis: int, power: float) -> Matrix:
    """How many there are along an axis, to a power; 0 where there are none."""
    counts = matrix.sum(axis=axis)
    return np.where(counts > 0, np.maximum(counts, 1) ** power, 0)


def normalised(interactions: Matrix, person: float) -> Matrix:
    """D_I^-1/2 X' D_U^-person X D_I^-1/2."""
    one = powers(interactions, 1, -person / 2)[:, None] * interactions * powers(interactions, 0, -0.5)
    return np.asarray(one.T @ one)


def fitted(dataset: Table | None = None, **params: Any) -> SpectralItems:
    learner = Spectral(**{"weighting": "none", "min_people": 1, "alpha": 0, **params})
    model = learner.fit(LocalEngine(), mixed() if dataset is None else dataset)
    assert isinstance(model, SpectralItems)
    return model


def off_diagonal(scores: npt.NDArray[Any]) -> Matrix:
    """Neighbours leave out an item's likeness to itself."""
    return scores - np.diag(np.diag(scores))


def test_gf_cf() -> None:
    """Shen et al., 2021, section 4: R~ = D_U^-1/2 R D_I^-1/2, s = r (R~' R~ + alpha D_I^-1/2 V V' D_I^1/2)."""
    interactions = has(mixed())
    normal = powers(interactions, 1, -0.5)[:, None] * interactions * powers(interactions, 0, -0.5)
    _, _, leading = np.linalg.svd(normal)
    ideal = powers(interactions, 0, -0.5)[:, None] * (leading[:6].T @ leading[:6]) * powers(interactions, 0, 0.5)
    model = fitted(person_power=1, source_power=0.5, target_power=0.5, sharpness=0, alpha=0.3, factors=6)
    assert np.allclose(off_diagonal(model.scores(EACH)), off_diagonal(normal.T @ normal + 0.3 * ideal), atol=1e-4)


@pytest.mark.parametrize("powers_of", [(1.0, 0.5, 0.5), (0.4, 0.6, 0.1)])
def test_sharpened_eigenvalues(powers_of: tuple[float, float, float]) -> None:
    person, source, target = powers_of
    interactions = has(mixed())
    step = normalised(interactions, person)
    values, vectors = np.linalg.eigh(step)
    passed = np.exp(-0.7 * values / values[-1])
    passed[:-6] = (1 + passed[-6]) / 2  # what is below the six that are known
    expected = powers(interactions, 0, 0.5 - source)[:, None] * (vectors @ np.diag(values * passed) @ vectors.T)
    expected *= powers(interactions, 0, 0.5 - target)
    model = fitted(person_power=person, source_power=source, target_power=target, sharpness=0.7, factors=6)
    unsharpened = powers(interactions, 0, 0.5 - source)[:, None] * step * powers(interactions, 0, 0.5 - target)
    own = np.diag(np.diag(unsharpened)) * passed[0]  # neighbours leave out an item's likeness to itself
    assert np.allclose(model.scores(EACH), expected - own, atol=1e-4 * expected.max())


def test_blurring_and_sharpening() -> None:
    """Choi et al., 2023, section 4: r B + alpha r D^-1/2 V V' D^1/2 goes through d/dt y = -y B for as long as 2.5."""
    interactions = has(mixed())
    step = normalised(interactions, 1)
    _, vectors = np.linalg.eigh(step)
    ideal = powers(interactions, 0, -0.5)[:, None] * (vectors @ vectors.T) * powers(interactions, 0, 0.5)
    blurred = step + 0.3 * ideal
    for _ in range(1000):
        blurred = blurred - blurred @ step * (2.5 / 1000)
    model = fitted(person_power=1, source_power=0.5, target_power=0.5, sharpness=2.5, alpha=0.3, factors=25)
    own = np.diag(np.diag(step))
    assert np.allclose(model.scores(EACH), blurred - own, atol=2e-3 * blurred.max())


def test_the_low_pass_is_sharpened_along_all_eigenvectors() -> None:
    interactions = has(mixed())
    step = normalised(interactions, 1)
    values, vectors = np.linalg.eigh(step)
    leading = vectors[:, -12:]
    heat = vectors @ np.diag(np.exp(-2 * values / values[-1])) @ vectors.T
    ideal = powers(interactions, 0, -0.5)[:, None] * ((leading @ leading.T) * powers(interactions, 0, 0.5)) @ heat
    models = [fitted(person_power=1, target_power=0.5, sharpness=2, alpha=alpha, factors=12) for alpha in (0, 0.4)]
    without, including = (model.scores(EACH) for model in models)
    assert np.allclose(including - without, 0.4 * ideal, atol=1e-3 * ideal.max())


@pytest.mark.parametrize("sharpness", [1.0, 2.5, 10.0])
def test_groups_that_nobody_joins_are_sharpened_alike_however_many_there_are(sharpness: float) -> None:
    """Twenty groups of three items have the same eigenvalue each: eight of them are known, and twelve are not."""
    step = np.kron(np.eye(20), np.full((3, 3), 1 / 3)).astype(np.float32)
    values, vectors = eigen.leading(step.dot, 60, 8, seed=0)
    found = Filter(values, vectors, sharpness).sharpened(np.eye(60, dtype=np.float32), step.dot)
    assert np.allclose(found, np.eye(60) - (1 - np.exp(-sharpness)) * step, atol=5e-4)


def test_without_a_filter_the_eigenvectors_take_nothing_away() -> None:
    few, many = (fitted(sharpness=0, alpha=0, factors=factors).scores(EACH) for factors in (1, 25))
    assert np.allclose(off_diagonal(few), off_diagonal(many), atol=1e-5)


def test_what_is_not_kept_is_what_the_eigenvectors_say() -> None:
    whole, few, one = (
        fitted(sharpness=0, factors=n, k=k, target_power=0.5).scores(EACH) for n, k in ((25, 25), (25, 1), (1, 1))
    )
    assert np.allclose(off_diagonal(few), off_diagonal(whole), atol=1e-5)
    nearest = off_diagonal(whole).argmax(axis=1)  # is kept, and exact
    assert np.allclose(one[np.arange(25), nearest], whole[np.arange(25), nearest], atol=1e-5)


def test_reasons_sum_by_weight() -> None:
    model = fitted(weighting="log", alpha=0.2)
    plain = Histories.of([[2, 7, 2]])
    weights = np.array([1, 3, 6], np.float32)
    request = Requests(Histories(plain.offsets, plain.items, weights, plain.times, plain.types))
    alone = model.scores(Requests(Histories.of([[2], [7]])))
    scores = model.scores(request)[0]
    assert np.allclose(scores, 3 * alone[0] + 2 * alone[1], atol=1e-5)  # log2(1 + 7), log2(1 + 3)
    for reasons in model.reasons(request, np.arange(25, dtype=np.int32)):
        assert sum(part.score for part in reasons.contributions) == pytest.approx(scores[reasons.item], abs=1e-5)


def test_items_that_few_people_have_are_left_out() -> None:
    dataset = table(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2]), 2, ["a", "b", "c"])
    model = fitted(dataset, min_people=2)
    assert (model.scores(Requests(Histories.of([[0], [2]])))[:, 2] == 0).all()
    assert (model.scores(Requests(Histories.of([[2]]))) == 0).all()


def test_more_factors_than_items_are_no_more() -> None:
    assert fitted(factors=2048).sources.shape[1] <= 25


def test_a_large_catalog_takes_the_same_way_on_any_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """By block Lanczos, which small catalogs do without."""
    written_out = fitted(factors=3).scores(EACH)
    monkeypatch.setattr(eigen, "DENSE", 0)
    models = [Spectral(factors=3).fit(LocalEngine(partitions=count), mixed()) for count in (1, 3)]
    assert saved_bytes(models[0]) == saved_bytes(models[1])
    assert np.allclose(fitted(factors=3).scores(EACH), written_out, atol=1e-3 * written_out.max())


def test_memory_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "1000")
    with pytest.raises(DataError, match=r"256 factors and 23 neighbours of 24 items needs.*\n.*set factors = \d+"):
        fitted()


def test_nothing_is_said_where_the_newest_items_are_too_rare_to_count() -> None:
    newest_are_rare = Table.of(["ann", "ann", "bob", "bob"], ["x", "y", "x", "z"], times=[0, 1, 0, 1])
    model = Spectral(max_history=1).fit(LocalEngine(), newest_are_rare)
    assert not model.scores(Requests(Histories.of([[0], []]))).any()
