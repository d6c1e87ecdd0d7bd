"""SLIM held against the conditions of its optimum, and its sparse counts against dense ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.requests import Histories, Requests
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table
from segue.learn import slim
from segue.learn.gram import ItemCounts, choose
from segue.learn.neighbours import Pairs, Worth, pairs_of
from segue.learn.similarity import Cosine
from segue.learn.slim import SLIM, Common, common_people
from segue.learn.slim_kernels import both
from segue.learn.sparse_items import SparseItems
from segue.testing.datasets import mixed, table


def binary(dataset: Table) -> npt.NDArray[np.float64]:
    """The matrix of people and items, items in canonical order."""
    counted = dataset.table.filter(dataset.table["weight"].to_numpy() > 0)
    matrix = np.zeros((dataset.users, len(dataset.items)))
    translation = dataset.items.translation(dataset.items.canonical()[0])
    matrix[counted["user"].to_numpy(), translation[counted["item"].to_numpy()]] = 1
    return matrix


def dense(model: SparseItems) -> npt.NDArray[np.float32]:
    """float32[items, items] by source and target."""
    each = Histories.of([[item] for item in range(len(model.items))])
    return model.scores(Requests(each))


@pytest.mark.parametrize("signs", ["any", "positive"])
@pytest.mark.parametrize(("l2", "l1"), [(2.0, 0.0), (1.0, 1.5), (30.0, 0.3)])
def test_no_weight_can_be_moved_to_gain(signs: str, l2: float, l1: float) -> None:
    """The conditions of Karush, Kuhn and Tucker, with every other item a candidate."""
    learner = SLIM(k=1000, regularization=l2, sparsity=l1, signs=signs, min_people=1, epochs=500)  # type: ignore[arg-type]
    model = learner.fit(LocalEngine(), mixed())
    assert isinstance(model, SparseItems)
    matrix, weights = binary(mixed()), dense(model).astype(np.float64)
    slope = matrix.T @ (matrix - matrix @ weights) - l2 * weights
    met = (matrix.T @ matrix > 0) & ~np.eye(len(weights), dtype=bool)  # others are no candidates
    rest, there = met & (weights == 0), weights != 0
    assert np.abs(slope - np.sign(weights) * l1)[there].max() < 0.02
    assert not (there & ~met).any()
    over = slope[rest] if signs == "positive" else np.abs(slope[rest])
    assert over.max(initial=0) < l1 + 0.02
    if signs == "positive":
        assert weights.min() >= 0


def test_sparser_for_larger_penalties() -> None:
    sizes = [len(dense_weights(SLIM(sparsity=l1, regularization=1, min_people=1))) for l1 in (0.0, 1.0, 5.0)]
    assert sizes[0] > sizes[1] > sizes[2]


def dense_weights(learner: SLIM) -> npt.NDArray[np.float32]:
    model = learner.fit(LocalEngine(), mixed())
    assert isinstance(model, SparseItems)
    return model.weights


def test_candidates_are_the_likest() -> None:
    model = SLIM(k=2, sparsity=0, regularization=1, min_people=1).fit(LocalEngine(), mixed())
    assert isinstance(model, SparseItems)
    gram = binary(mixed()).T @ binary(mixed())
    people = np.maximum(gram.diagonal(), 1)
    alike = gram / np.sqrt(np.outer(people, people))
    np.fill_diagonal(alike, 0)
    weights = dense(model)
    for item in range(len(weights)):
        used = np.flatnonzero(weights[:, item])
        assert len(used) <= 2
        assert alike[item, used].min(initial=1) >= np.sort(alike[item])[-2] - 1e-6


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30), st.floats(0.02, 0.9))
def test_counts_are_those_of_the_dense_product(seed: int, people: int, items: int, share: float) -> None:
    matrix = np.random.default_rng(seed).random((people, items)) < share
    matrix[0, 0] = True
    expected = matrix.astype(np.int64).T @ matrix
    pairs = pairs_from(matrix)
    has = matrix.any(axis=0)
    for way, few in ((False, 0), (True, 0), (True, 3), (True, 16)):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(slim, "worthwhile", lambda *_, way=way: way)
            patched.setattr(slim, "FEW", few)
            common = common_people(pairs)
        found = np.zeros((len(pairs), len(pairs)), np.int64)
        lines = np.repeat(np.arange(len(pairs)), np.diff(common.starts))
        found[lines, common.others] = common.counts
        held = expected[np.ix_(has, has)]
        more = held.diagonal() > few
        assert np.array_equal(found, np.triu(held, 1) * np.outer(more, more))
        every = np.arange(len(pairs))
        assert np.array_equal(slim._counts(common, every, every), held)
        assert [
            [common_of(common, one, two) for two in range(len(pairs))] for one in range(len(pairs))
        ] == held.tolist()


def common_of(common: Common, one: int, two: int) -> int:
    having = common.having
    return int(both(one, two, common.few, having.offsets, having.codes, common.starts, common.others, common.counts))


def pairs_from(matrix: npt.NDArray[np.bool_]) -> Pairs:
    users, items = np.nonzero(matrix)
    dataset = table(users, items, len(matrix), [f"{item:02}" for item in range(matrix.shape[1])])
    return pairs_in(dataset)


def pairs_in(dataset: Table) -> Pairs:
    engine = LocalEngine(threads=1)
    chosen = choose(engine.fold(ItemCounts(), dataset), dataset.items, dataset.items, 1, 100)
    worth = engine.map(Worth(chosen, Cosine("none", 0), 1000), engine.prepare(dataset, Key.USER))
    return pairs_of(worth, len(chosen))


@pytest.mark.parametrize("people", [60, 400])
def test_numpy_and_the_kernel_agree_to_the_bit(monkeypatch: pytest.MonkeyPatch, people: int) -> None:
    """Where few people have an item, and where many do: there the kernel goes another way."""
    random = np.random.default_rng(3)
    who, what = np.repeat(np.arange(people), 20), random.integers(0, 50, 20 * people)
    dataset = table(who, what, people, [f"{i:03}" for i in range(50)])
    models = []
    for way in (False, True):
        monkeypatch.setattr(slim, "worthwhile", lambda *_, way=way: way)
        models.append(SLIM(k=20, regularization=3, sparsity=0.5).fit(LocalEngine(), dataset))
    plain, compiled = models
    assert isinstance(plain, SparseItems)
    assert isinstance(compiled, SparseItems)
    assert plain.weights.tobytes() == compiled.weights.tobytes()
    assert plain.targets.tobytes() == compiled.targets.tobytes()


def test_twins_share_their_weight() -> None:
    """Items that always go together: a singular Gram, which the l2 penalty makes regular."""
    people = np.repeat(np.arange(30), 3)
    twins = table(people, np.tile([0, 1, 2], 30), 30, ["a", "b", "c"])
    model = SLIM(regularization=1, sparsity=0, epochs=1000).fit(LocalEngine(), twins)
    assert isinstance(model, SparseItems)
    assert np.allclose(dense(model), (1 - np.eye(3)) * 30 / 61, atol=2e-3)


def test_a_long_history_is_cut_to_its_newest() -> None:
    times = np.arange(12)
    dataset = table(np.repeat([0, 1], 6), np.tile(np.arange(6), 2), 2, list("abcdef"), times=times)
    model = SLIM(max_history=2, min_people=1, sparsity=0, regularization=1).fit(LocalEngine(), dataset)
    assert isinstance(model, SparseItems)
    assert np.flatnonzero(dense(model).any(axis=0)).tolist() == [4, 5]


def test_less_memory_only_means_fewer_counts_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """In less room a fraction of the counts, and the same weights to the bit."""
    monkeypatch.setattr(slim, "worthwhile", lambda *_: True)
    random = np.random.default_rng(3)
    popular = 1 / (np.arange(80) + 5.0)
    whats = np.concatenate([random.choice(80, 30, replace=False, p=popular / popular.sum()) for _ in range(300)])
    dataset = table(np.repeat(np.arange(300), 30), whats, 300, [f"{i:03}" for i in range(80)])
    engine, learner = LocalEngine(), SLIM(k=20, regularization=3, sparsity=0.5, min_people=1)
    whole, pairs, held = learner.fit(engine, dataset), pairs_in(dataset), []
    for room in ("4000000", "4000"):
        monkeypatch.setenv("SEGUE_MEMORY_LIMIT", room)
        common = common_people(pairs)
        assert 8 * len(common.counts) <= int(room) // slim.SHARE
        held.append(len(common.counts))
    assert 0 < held[1] < held[0] // 4
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "60000")
    assert isinstance(whole, SparseItems)
    less = learner.fit(engine, dataset)
    assert isinstance(less, SparseItems)
    assert less.weights.tobytes() == whole.weights.tobytes()
