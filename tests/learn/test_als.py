"""ALS held against dense least squares, and its fold-in against the normal equations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine
from segue.learn import whitened as module
from segue.learn.als import ALS
from segue.learn.folded import FoldedItems
from segue.learn.whitened import Solver, solve_compiled, solve_plainly, whitened
from segue.testing import check_learner
from segue.testing.datasets import hard, mixed
from segue.testing.recommender import saved_bytes


def exact(
    factors: npt.NDArray[np.float32], codes: list[int], extra: list[float], reg: float
) -> npt.NDArray[np.float64]:
    """x of (Y'Y + Y_u' a Y_u + reg I) x = Y_u' (1 + a): Hu, Koren, Volinsky, 2008, equation 4."""
    everything = factors.astype(np.float64)
    some = everything[codes]
    system = everything.T @ everything + some.T @ np.diag(extra) @ some + reg * np.eye(factors.shape[1])
    return np.linalg.solve(system, some.T @ (1 + np.array(extra)))


@pytest.mark.parametrize("solve", [solve_plainly, solve_compiled])
def test_whitened_solutions_are_those_of_the_normal_equations(solve: Solver) -> None:
    random = np.random.default_rng(0)
    factors = random.standard_normal((50, 9)).astype(np.float32)
    rows = [[1], [3, 4, 40], [], list(range(50))]
    extra = [random.random(len(row)).astype(np.float32) * 20 for row in rows]
    histories = Histories.of(rows)
    white, back = whitened(factors, 2.0)
    found = solve(histories.offsets, histories.items, np.concatenate(extra), white, 100, 1e-7)
    for row, codes in enumerate(rows):
        expected = exact(factors, codes, extra[row].tolist(), 2.0)
        assert np.allclose(found[row] @ back, expected, atol=1e-4)
        assert np.allclose(white @ found[row], factors @ expected, atol=1e-4)


def test_two_steps_reach_what_many_reach() -> None:
    few, many = (ALS(factors=8, epochs=15, steps=steps).fit(LocalEngine(), mixed()) for steps in (2, 50))
    requests = Requests(Histories.of([[1, 2], [12, 14, 20], [5]]))
    assert np.abs(few.scores(requests) - many.scores(requests)).max() < 0.03


def test_sweeps_lower_the_loss() -> None:
    requests = Requests(Histories.of([[item] for item in range(25)]))
    losses = []
    for epochs in (1, 3, 15):
        model = ALS(factors=4, epochs=epochs, regularization=0.1).fit(LocalEngine(), mixed())
        scores = model.scores(requests)
        losses.append(((scores - np.eye(25)) ** 2 + (1 - scores) ** 2 * np.eye(25)).sum())
    assert losses[0] > losses[2]


def test_one_request_and_many_agree() -> None:
    model = ALS(factors=16).fit(LocalEngine(), mixed())
    random = np.random.default_rng(1)
    requests = Requests(Histories.of([random.integers(0, 25, 8) for _ in range(100)]))
    together = model.scores(requests)  # more than are solved one by one
    alone = np.concatenate([model.scores(requests.rows(row, row + 1)) for row in range(100)])
    assert np.abs(together - alone).max() < 1e-5


def test_the_sweep_that_validation_likes_best_is_kept() -> None:
    heard: list[Recommender] = []

    def validate(model: Recommender) -> float:
        heard.append(model)
        return {1: 0.5, 2: 0.9, 3: 0.9, 4: 0.1}[len(heard)]

    kept = ALS(epochs=4).fit(LocalEngine(), mixed(), validate)
    assert len(heard) == 4
    assert kept is heard[1]
    assert saved_bytes(kept) == saved_bytes(ALS(epochs=2).fit(LocalEngine(), mixed()))


def test_the_seed_decides() -> None:
    first, same, other = (ALS(seed=seed).fit(LocalEngine(), mixed()) for seed in (1, 1, 2))
    assert saved_bytes(first) == saved_bytes(same) != saved_bytes(other)


@pytest.mark.parametrize("alpha", [1e-6, 1.0, 1e6])
def test_linear_weights_however_huge_stay_finite(alpha: float) -> None:
    model = ALS(weighting="linear", alpha=alpha, regularization=1e-3).fit(LocalEngine(), hard()["huge weights"])
    assert isinstance(model, FoldedItems)
    assert np.isfinite(model.white).all()
    assert np.isfinite(model.scores(Requests(Histories.of([[0], [1, 2]])))).all()


def test_more_steps_than_there_is_to_solve_do_no_harm() -> None:
    model = ALS(factors=3, steps=60, epochs=2).fit(LocalEngine(), hard()["all users equal"])
    assert np.isfinite(model.scores(Requests(Histories.of([[0]])))).all()


def test_the_way_of_solving_does_not_depend_on_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TINY", 10_000)  # below what all have, above what a seventh has
    check_learner(ALS())
