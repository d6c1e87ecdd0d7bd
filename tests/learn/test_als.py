"""ALS held against dense least squares, and its fold-in against the normal equations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import whitened as module
from segue.learn.als import ALS
from segue.learn.folded import FoldedItems
from segue.learn.whitened import Exact, Gradients, Solver, Systems, whitened
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


SOLVERS: dict[str, Solver] = {
    "gradients, plainly": Gradients(200, 1e-7, plainly=True),
    "gradients": Gradients(200, 1e-7, plainly=False),
    "exact, plainly": Exact(plainly=True),
    "exact": Exact(plainly=False),
}


@pytest.mark.parametrize("size", [1, 9, 64, 103])  # of 103, sums are made of 64, 32 and 7 columns
@pytest.mark.parametrize("name", SOLVERS)
def test_whitened_solutions_are_those_of_the_normal_equations(name: str, size: int) -> None:
    random = np.random.default_rng(0)
    factors = random.standard_normal((150, size)).astype(np.float32)
    rows = [random.permutation(150)[:count].tolist() for count in (1, 3, 0, 8, size, size + 1, 150)]
    extra = [random.random(len(row)).astype(np.float32) * 20 for row in rows]
    excess = (random.random(len(rows)) * 30).astype(np.float32)
    histories = Histories.of(rows)
    white = whitened(factors, 2.0)
    systems = Systems(histories.offsets, histories.items, np.concatenate(extra), excess)
    found = SOLVERS[name](systems, white)
    for row, codes in enumerate(rows):
        expected = exact(factors, codes, extra[row].tolist(), 2.0 + float(excess[row]))
        assert np.allclose(found[row] @ white.back, expected, atol=2e-4)
        assert np.allclose(white.lines @ found[row], factors @ expected, atol=2e-4)


@pytest.mark.parametrize("name", ["exact", "exact, plainly", "gradients"])
@pytest.mark.parametrize("weight", [0.0, 1e-30, 1e8])
def test_confidence_of_nothing_and_of_everything_solves(name: str, weight: float) -> None:
    """Rows of fewer and of more pairs than factors, of lines that are all the same, or all 0."""
    for line in (0.0, 1.0):
        white = whitened(np.full((40, 16), line, np.float32), 1.0)
        systems = Systems(
            np.array([0, 3, 43]),
            np.append([0, 1, 2], range(40)).astype(np.int32),
            np.full(43, weight, np.float32),
            np.zeros(2, np.float32),
        )
        scores = SOLVERS[name](systems, white) @ white.lines.T
        high = 40 * 1 + 3 * weight  # the two systems, of one dimension, solved by hand
        expected = np.array([3 * (1 + weight) / (high + 1 / 16), 40 * (1 + weight) / (40 * (1 + weight) + 1 / 16)])
        assert np.allclose(scores, line * expected[:, None], rtol=2e-3)


def test_the_ridge_grows_with_what_a_row_has() -> None:
    """Of a fit whose people differ in how much they have, the fold-in is that of the normal equations."""
    model = ALS(factors=3, scaling=1.0, alpha=2.0).fit(LocalEngine(), mixed())
    assert isinstance(model, FoldedItems)
    history = [1, 4, 6, 7]
    grown = 1 + len(history) * model.alpha / 25
    white = model.white.astype(np.float64)
    assert model.inverse is not None
    diagonal = 1 + model.regularization * (grown - 1) * model.inverse
    some = white[history]
    z = np.linalg.solve(np.diag(diagonal) + model.alpha * some.T @ some, (1 + model.alpha) * some.sum(axis=0))
    assert np.allclose(model.scores(Requests(Histories.of([history])))[0], white @ z, atol=1e-5)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e30])
def test_parameters_are_relative_to_the_weights(factor: float) -> None:
    """Linear weights in another unit are the same data."""
    plain = mixed()
    weights = plain.table["weight"].to_numpy() * np.float64(factor)
    column = plain.table.schema.get_field_index("weight")
    scaled = Table(
        plain.table.set_column(column, plain.table.schema.field("weight"), pa.array(weights.astype(np.float32))),
        plain.items,
        plain.users,
        plain.types,
    )
    requests = Requests(Histories.of([[1, 2], [5, 7, 9]]))
    one, other = (ALS(weighting="linear", factors=4).fit(LocalEngine(), rows) for rows in (plain, scaled))
    assert isinstance(one, FoldedItems)
    assert isinstance(other, FoldedItems)
    assert np.isclose(one.alpha, other.alpha * factor)
    assert np.allclose(one.white, other.white, atol=1e-4)
    assert np.isfinite(other.scores(requests)).all()


def test_exact_and_gradients_learn_the_same() -> None:
    few, whole = (
        ALS(factors=8, solver=solver, steps=6).fit(LocalEngine(), mixed()) for solver in ("gradients", "exact")
    )
    requests = Requests(Histories.of([[1, 2], [12, 14, 20], [5]]))
    assert np.abs(few.scores(requests) - whole.scores(requests)).max() < 1e-3


def test_two_steps_reach_what_many_reach() -> None:
    few, many = (ALS(factors=8, epochs=15, steps=steps).fit(LocalEngine(), mixed()) for steps in (2, 50))
    requests = Requests(Histories.of([[1, 2], [12, 14, 20], [5]]))
    assert np.abs(few.scores(requests) - many.scores(requests)).max() < 0.03


def test_sweeps_lower_the_loss() -> None:
    requests = Requests(Histories.of([[item] for item in range(25)]))
    losses = []
    for epochs in (1, 3, 15):
        model = ALS(factors=4, epochs=epochs, regularization=0.05).fit(LocalEngine(), mixed())
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


@pytest.mark.slow
def test_the_seed_decides() -> None:
    first, same, other = (ALS(seed=seed).fit(LocalEngine(), mixed()) for seed in (1, 1, 2))
    assert saved_bytes(first) == saved_bytes(same) != saved_bytes(other)


@pytest.mark.parametrize("factors", [4, 64, 130])  # one product, products of 64 lines, so wide that BLAS makes one
@pytest.mark.parametrize("had", [1, 64, 65, 300])
def test_reasons_sum_to_the_scores_however_long_the_history(factors: int, had: int) -> None:
    rng = np.random.default_rng(had)
    white = (rng.standard_normal((400, factors)) * 0.3).astype(np.float32)
    model = FoldedItems(Items(map(str, range(400))), white, 2.0, "log", 1.0, 0.5, np.full(factors, 0.1, np.float32))
    request = Requests(Histories.of([rng.choice(400, had, replace=False)]))
    items = np.arange(0, 400, 9, dtype=np.int32)
    history, parts = model.parts(request, items)
    assert (len(history), parts.shape) == (had, (had, len(items)))
    np.testing.assert_allclose(parts.sum(axis=0), model.scores(request, items)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [1e-6, 1.0, 1e6])
def test_linear_weights_however_huge_stay_finite(alpha: float) -> None:
    model = ALS(weighting="linear", alpha=alpha, regularization=1e-3).fit(LocalEngine(), hard()["huge weights"])
    assert isinstance(model, FoldedItems)
    assert np.isfinite(model.white).all()
    assert np.isfinite(model.scores(Requests(Histories.of([[0], [1, 2]])))).all()


def test_more_steps_than_there_is_to_solve_do_no_harm() -> None:
    model = ALS(factors=3, steps=60, epochs=2).fit(LocalEngine(), hard()["all users equal"])
    assert np.isfinite(model.scores(Requests(Histories.of([[0]])))).all()


@pytest.mark.slow
def test_the_way_of_solving_does_not_depend_on_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TINY", 10_000)  # below what all have, above what a seventh has
    check_learner(ALS())


def test_factors_beyond_memory_are_refused_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = mixed().users + len(mixed().items)
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", str(12 * rows * 20))
    with pytest.raises(DataError, match="64 factors") as refused:
        ALS().fit(LocalEngine(), mixed())
    assert refused.value.mend == "set factors = 20"
    ALS(factors=20).fit(LocalEngine(), mixed())
