"""SLIST held against a dense least squares over pasts and targets written out row by row."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.errors import DataError
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import slist, symmetric
from segue.learn.gram import Chosen, ItemCounts, choose
from segue.learn.sequences import fading
from segue.learn.slist import FIXED_POINT, SLIST, FadingWeights, Pasts
from segue.testing import check_aggregate
from segue.testing.datasets import mixed

walks = st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=9), min_size=1, max_size=5)


def table(rows: list[list[str]]) -> Table:
    people = [f"person {number}" for number, row in enumerate(rows) for _ in row]
    return Table.of(people, [item for row in rows for item in row])


def written_out(
    rows: list[list[str]], ids: tuple[str, ...], decays: tuple[float, ...], window: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """float64[events, fades * items] pasts and float64[events, items] targets."""
    pasts, targets = [], []
    for row in rows:
        plain = [ids.index(item) for item, _ in itertools.groupby(row)]
        for place in range(1, len(plain)):
            past = np.zeros((len(decays), len(ids)))
            for age, item in enumerate(reversed(plain[max(0, place - window) : place])):
                past[:, item] += [(1 + age) ** -decay for decay in decays]
            pasts.append(past.ravel())
            targets.append(np.eye(len(ids))[plain[place]])
    shape = (len(pasts), len(decays) * len(ids))
    return np.reshape(pasts, shape), np.reshape(targets, (len(targets), len(ids)))


def chosen(dataset: Table) -> Chosen:
    canonical, _ = dataset.items.canonical()
    return choose(LocalEngine().fold(ItemCounts(), dataset), dataset.items, canonical, 1, 100)


@given(walks, st.integers(1, 4), st.sampled_from([(1.0,), (2.0, 0.5)]))
@settings(max_examples=40)
def test_sums_are_those_of_the_rows_written_out(rows: list[list[str]], window: int, decays: tuple[float, ...]) -> None:
    dataset = table(rows)
    fades = np.stack([fading(decay, window) for decay in decays])
    items, count = len(dataset.items), len(decays)
    state = LocalEngine().fold(Pasts(chosen(dataset), fades, None, 0, items), dataset)
    pasts, targets = written_out(rows, dataset.items.canonical()[0].ids, decays, window)
    assert np.allclose(np.hstack(list(state["after"])) / FIXED_POINT, targets.T @ pasts, atol=1e-3)
    gram = pasts.T @ pasts
    for a, b in itertools.product(range(count), repeat=2):
        block = gram[a * items : (a + 1) * items, b * items : (b + 1) * items]
        found = state["beside"][a * count + b] + state["beside"][b * count + a].T
        found = found + np.diag(state["squares"][a * count + b])
        assert np.allclose(found / FIXED_POINT, block, atol=1e-3)


def some_rows(seed: int = 5) -> list[list[str]]:
    random = np.random.default_rng(seed)
    return [list(random.choice(list("abcdef"), random.integers(2, 15))) for _ in range(20)]


@pytest.mark.parametrize("tiny", [-1, 10**9])
@pytest.mark.parametrize("decays", [(1.0,), (2.0, 0.5)])
def test_weights_are_the_ridge_regression(
    decays: tuple[float, ...], tiny: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slist, "worthwhile", lambda *_: tiny < 0)
    rows = some_rows()
    model: Any = SLIST(decays=decays, window=5, regularization=3, min_people=1).fit(LocalEngine(), table(rows))
    pasts, targets = written_out(rows, model.items.ids, decays, 5)
    expected = np.linalg.solve(pasts.T @ pasts + 3 * np.eye(pasts.shape[1]), pasts.T @ targets)
    assert np.allclose(np.vstack(list(model.weights)), expected, atol=1e-4)
    history = [[0, 3, 1, 1, 2]]
    past, _ = written_out([[model.items.ids[item] for item in [*history[0], 5]]], model.items.ids, decays, 5)
    assert np.allclose(model.scores(Requests(Histories.of(history)))[0], past[-1] @ expected, atol=1e-4)


def test_blocks_and_double_precision_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole: Any = SLIST(min_people=1).fit(LocalEngine(), mixed())
    monkeypatch.setattr(slist, "BLOCK_BYTES", 7 * 8 * 25 * 6)
    blocks: Any = SLIST(min_people=1).fit(LocalEngine(), mixed())
    assert np.array_equal(whole.weights, blocks.weights)
    monkeypatch.setattr(symmetric, "FLOAT32_CONDITION", 0)
    double: Any = SLIST(min_people=1).fit(LocalEngine(), mixed())
    assert np.allclose(whole.weights, double.weights, atol=1e-5)


def test_what_is_too_large_for_lapack_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of 15,000 items, which two ways of fading make a matrix of 30,000 lines of."""
    expected: Any = SLIST(min_people=1).fit(LocalEngine(), mixed())
    monkeypatch.setattr(symmetric, "LAPACK_LINES", 0)
    monkeypatch.setattr(symmetric, "SWEPT", 7)
    monkeypatch.setattr(symmetric, "_factor", None)
    found: Any = SLIST(min_people=1).fit(LocalEngine(), mixed())
    assert np.allclose(found.weights, expected.weights, atol=1e-5)


def test_the_sums_add_up_and_can_be_taken_away() -> None:
    dataset = mixed()
    check_aggregate(Pasts(chosen(dataset), np.stack([fading(2, 6), fading(0, 6)]), 60 * 24 * 3.0, 3, 9))


def test_items_left_out_score_nothing_and_age_nothing() -> None:
    model: Any = SLIST(min_people=1, max_items=3, decays=(1.0,)).fit(LocalEngine(), table(some_rows()))
    assert isinstance(model, FadingWeights)
    assert len(model.learned) == 3
    strange = next(item for item in range(6) if item not in model.learned)
    known = int(model.learned[0])
    asked = model.scores(Requests(Histories.of([[known], [known, strange], [strange]])))
    assert np.array_equal(asked[0], asked[1])
    assert not asked[2].any()
    assert not asked[:, strange].any()


def test_what_does_not_fit_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "1000000")
    with pytest.raises(DataError, match=r"a dense model of 6 items needs about .* GB"):
        SLIST().fit(LocalEngine(), table(some_rows()))
