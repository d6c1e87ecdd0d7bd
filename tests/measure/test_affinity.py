"""The share of lists in the people's own labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.split.split import Held, split_random
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.learn.ease import EASE
from segue.learn.popularity import Popularity
from segue.measure import affinity as module
from segue.measure.affinity import affinity, own_share
from segue.measure.labels import Labels
from segue.measure.settings import EvaluationSettings

from .fixed import Fixed, tastes

ITEMS = Items(["a", "b", "c", "d"])
GENRES = {"a": ["rock"], "b": ["jazz", "rock"], "c": ["folk"]}


def held(*histories: list[int]) -> Held:
    rows = Histories.of(list(histories))
    return Held(np.arange(len(rows), dtype=np.int32), rows, rows, None)


def test_shares_worked_by_hand():
    labels = Labels.of(ITEMS, GENRES)
    lists = np.array([[1, 2, 3], [1, 2, 3], [0, 1, -1], [0, 1, 2], [-1, -1, -1]], np.int32)
    histories = Histories.of([[0, 0, 2], [1, 2, 2], [2], [3], [0]])
    # own label: rock (twice); folk (twice); folk; none at all; rock, but the list is empty
    assert own_share(lists, histories, labels, 1).tolist() == pytest.approx([1 / 3, 1 / 3, 0, np.nan, 0], nan_ok=True)
    # two labels: rock and folk; folk and (of jazz and rock, both once) jazz, the first by name
    assert own_share(lists, histories, labels, 2)[:2].tolist() == pytest.approx([2 / 3, 2 / 3])


names = st.lists(st.sampled_from("pqrs"), max_size=3, unique=True)


@given(
    st.lists(names, min_size=4, max_size=4),
    st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=5), st.permutations(range(4))), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_shares_are_what_a_loop_finds(labels, people, k, own):
    table = dict(zip(ITEMS.ids, labels, strict=True))
    expected = []
    for history, listed in people:
        counts: dict[str, int] = {}
        for item in history:
            for name in labels[item]:
                counts[name] = counts.get(name, 0) + 1
        favourites = sorted(counts, key=lambda name: (-counts[name], name))[:own]
        inside = [bool(set(labels[item]) & set(favourites)) for item in listed[:k]]
        expected.append(np.mean(inside) if favourites else np.nan)
    lists = np.array([listed[:k] for _, listed in people], np.int32)
    histories = Histories.of([history for history, _ in people])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CELLS", 8)
        found = own_share(lists, histories, Labels.of(ITEMS, table), own)
    assert found.tolist() == pytest.approx(expected, nan_ok=True)


def test_a_model_of_tastes_keeps_to_them():
    table, labels = tastes()
    engine = LocalEngine()
    split = split_random(engine.prepare(table, Key.USER), 0.3, seed=1)
    models = {
        "popularity": Popularity().fit(engine, split.train),
        "ease": EASE(regularization=5).fit(engine, split.train),
    }
    popularity, ease = affinity(models, split.test, table.items, labels, EvaluationSettings(bootstrap=200), own=1)
    assert popularity.difference is None
    assert ease.difference.low > 0.2
    assert ease.share.low < ease.share.value < ease.share.high
    row = ease.row()
    assert row["people"] == ease.people > 250
    assert row["difference"] == pytest.approx(row["share"] - popularity.share.value)


def test_what_a_model_knows_nothing_of_is_in_no_share():
    (found,) = affinity({"m": Fixed.of(b=1, c=0)}, held([0]), ITEMS, GENRES)
    assert found.share.value == 1


def test_without_labels_it_says_what_to_look_at():
    with pytest.raises(DataError, match="no person of the test has a labelled item"):
        affinity({"popularity": Fixed.of(a=1)}, held([0]), ITEMS, {})


def test_without_the_baseline_there_is_no_difference():
    said = []
    found = affinity({"m": Fixed.of(b=1, c=2)}, held([0]), ITEMS, GENRES, progress=lambda what, _: said.append(what))
    assert [each.row()["difference"] for each in found] == [None]
    assert found[0].share.value == 0.5
    assert said == ["ranking: m"]
    assert affinity({}, held([0]), ITEMS, GENRES) == []
