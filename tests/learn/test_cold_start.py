"""Content mapped into factors: the map against a dense solution, new items in lists, and what is refused."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from segue.domain.catalog import Item
from segue.domain.errors import DataError, DeclarationError
from segue.domain.items import Items
from segue.domain.requests import Histories, Requests
from segue.engines.content import content_of
from segue.engines.local import LocalEngine, Table
from segue.learn.cold_start import ColdStart
from segue.learn.content_map import COLUMNS, content_map
from segue.learn.folded import FoldedItems
from segue.learn.learner import learner
from segue.testing.datasets import mixed, table

ALS = {"learner": "als", "factors": 6}


@given(st.integers(0, 10_000), st.sampled_from([(5, 12), (12, 5), (7, 7)]), st.floats(0.1, 100))
@settings(max_examples=30, deadline=None)
def test_the_map_is_that_of_the_normal_equations(seed: int, shape: tuple[int, int], regularization: float) -> None:
    """With fewer features than items and with more, with features that no item and items that nobody has."""
    random = np.random.default_rng(seed)
    dense = random.random(shape) * (random.random(shape) < 0.5)
    dense[:, 0] = 0
    factors, worth = random.standard_normal((shape[0], 3)), random.integers(0, 9, shape[0]).astype(np.float64)
    found = content_map(csr_array(dense), factors, worth, regularization)
    normal = dense.T @ (worth[:, None] * dense) + regularization * np.eye(shape[1])
    expected = np.linalg.solve(normal, dense.T @ (worth[:, None] * factors))
    assert found == pytest.approx(expected, abs=1e-5 * max(1e-9, float(np.abs(expected).max())))


def test_a_map_of_nothing_is_nothing() -> None:
    assert not content_map(csr_array((4, 3)), np.ones((4, 2)), np.ones(4), 1.0).any()
    assert content_map(csr_array((4, 0)), np.ones((4, 2)), np.ones(4), 1.0).shape == (0, 2)


def test_a_map_takes_no_room_for_all_factors_of_all_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread holds a few numbers of 16 factors an item, and the features; in float64 all factors would be 512."""
    items, factors = 20_000, np.ones((20_000, 64), np.float32)
    features = csr_array((np.ones(items), (np.arange(items), np.arange(items) % 40)), shape=(items, 40))
    worth = np.ones(items)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    content_map(features, factors[:, :1], worth, 1.0)
    tracemalloc.start()
    try:
        content_map(features, factors, worth, 1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < items * 8 * (2 * COLUMNS + 10)


def with_new_items() -> Table:
    """Two camps, as `mixed`, and two items that nobody has: a lamp and a sofa; and one of which nothing is said."""
    old = mixed()
    new = [Item("new lamp", "Lamp", categories=("lamp",)), Item("new sofa", categories=("sofa",)), Item("untold")]
    items = Items([*old.items.ids, *(item.id for item in new)])
    told = pa.concat_tables([old.content, content_of(new)])
    return Table(old.table, items, old.users, old.types, told)


def fitted(dataset: Table, **params: Any) -> FoldedItems:
    model = ColdStart(part=ALS, **params).fit(LocalEngine(), dataset)
    assert isinstance(model, FoldedItems)
    return model


def test_new_items_lie_where_their_content_does() -> None:
    dataset = with_new_items()
    model = fitted(dataset)
    lamp, sofa, untold = model.items.positions(["new lamp", "new sofa", "untold"])
    lamps = [item for item, row in zip(dataset.items.ids, content(dataset), strict=True) if row == ["lamp"]]
    request = Requests(Histories.of([model.items.positions(lamps[1:4])]))
    (scores,) = model.scores(request)
    assert scores[lamp] > scores[sofa]
    assert scores[lamp] > 0 == scores[untold]
    near = model.items.take(model.similar(np.array([lamp]), 5)[0][0])
    assert set(near) <= set(lamps)
    (reasons,) = model.reasons(request, np.array([lamp]))
    assert sum(part.score for part in reasons.contributions) == pytest.approx(float(scores[lamp]), rel=1e-4)


def content(dataset: Table) -> list[list[str]]:
    assert dataset.content is not None
    return dataset.content["categories"].to_pylist()  # type: ignore[no-any-return]


def test_a_fold_in_has_what_is_there_where_it_lies_now_and_what_is_missing_where_its_people_put_it() -> None:
    """Against the normal equations of Hu and others, written out over every item."""
    dataset = with_new_items()
    own = learner("als", {"factors": 6}).fit(LocalEngine(), dataset)
    assert isinstance(own, FoldedItems)
    assert own.inverse is not None
    model = fitted(dataset)
    learned, now = (each.white / np.sqrt(own.inverse.astype(np.float64)) for each in (own, model))
    history = model.items.positions(["new lamp", *model.items.take(np.array([0, 3]))])
    (scores,) = model.scores(Requests(Histories.of([history])))
    extra = np.full(len(history), own.alpha)  # "log" of a weight of 1 is 1
    ridge = own.regularization * ((len(learned) + extra.sum()) / len(learned)) ** own.scaling
    normal = learned.T @ learned + now[history].T @ (extra[:, None] * now[history]) + ridge * np.eye(6)
    expected = now @ np.linalg.solve(normal, now[history].T @ (1 + extra))
    assert scores == pytest.approx(expected, abs=2e-5 * float(np.abs(expected).max()))


def test_the_reasons_of_a_long_history_sum_to_its_scores() -> None:
    random = np.random.default_rng(0)
    white = (random.standard_normal((30_000, 8)) * 0.05).astype(np.float32)
    model = FoldedItems(Items([f"{item:05}" for item in range(30_000)]), white, alpha=5.0, weighting="log")
    request = Requests(Histories.of([random.integers(0, 30_000, 60_000)]))
    found, (scores,) = model.top_unseen(request, 3)
    told = model.reasons(request, found[0])
    assert [reasons.item for reasons in told] == found[0].tolist()
    assert {len(reasons.contributions) for reasons in told} == {len(np.unique(request.histories.items))}
    sums = [sum(part.score for part in reasons.contributions) for reasons in told]
    assert sums == pytest.approx(scores, rel=1e-4)


def test_many_people_outweigh_content() -> None:
    dataset = with_new_items()
    own = learner("als", {"factors": 6}).fit(LocalEngine(), dataset)
    assert isinstance(own, FoldedItems)
    barely, wholly = fitted(dataset, shrinkage=1e-9), fitted(dataset, shrinkage=1e9)
    people = np.array([item not in ("new lamp", "new sofa") for item in own.items.ids])
    had = np.abs(own.white).sum(axis=1) > 0
    assert barely.white[people & had] == pytest.approx(own.white[people & had], abs=1e-5)
    told = np.array([bool(row) for row in content(dataset)])[dataset.items.canonical()[1]]
    same = {row.tobytes() for row in np.round(wholly.white[told], 4)}
    assert len(same) < told.sum()  # items of one content lie in one place


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ("ease", r"ease has none.*\n.*als"),
        ("cold_start", "cold_start has none"),
        ({"factors": 3}, r"does not say its learner.*\n.*als"),
        ({"learner": "als", "factor": 3}, "no parameter of als is called 'factor'"),
        (["als"], r"the part is \['als'\], which is neither a name nor a table"),
    ],
)
def test_parts_without_factors_are_refused_as_they_are_read(part: Any, match: str) -> None:
    with pytest.raises(DeclarationError, match=f"^learner cold_start: .*{match}"):
        learner("cold_start", {"part": part})
    with pytest.raises(DeclarationError, match=match):
        ColdStart(part=part).fit(LocalEngine(), mixed())


def test_a_dataset_without_a_catalog_is_refused() -> None:
    with pytest.raises(DataError, match="cold_start learns from what the catalog says"):
        ColdStart(part=ALS).fit(LocalEngine(), table(np.array([0]), np.array([0]), 1, ["x"]))
