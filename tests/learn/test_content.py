"""Content: words of any script, sparse features, neighbours against a dense reference, new items, odd catalogs."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.domain.catalog import Item
from segue.domain.errors import DataError
from segue.domain.items import UNKNOWN, Items
from segue.domain.requests import Histories, Requests
from segue.engines.content import content_of
from segue.engines.local import LocalEngine, Table
from segue.learn import content as module
from segue.learn.content import Content, bm25, tfidf
from segue.learn.content_features import Fields, content_features
from segue.learn.item_knn import NeighbourItems
from segue.learn.words import folded, words
from segue.testing.datasets import table
from segue.testing.recommender import saved_bytes

SHOP = [
    Item("e", "Red lamp", "A lamp for the desk", ("light", "desk"), attributes={"colour": "red", "watts": 5}),
    Item("a", "Blue lamp", "A lamp for the floor", ("light",), attributes={"colour": "blue", "watts": 5}),
    Item("d", "Red sofa", "For two", ("seat",), attributes={"colour": ["red", "blue"], "soft": True}),
    Item("b", "Oak desk", "", ("desk", "wood")),
    Item("c"),
    Item("new", "Desk LAMP", "", ("Light",), attributes={"colour": "green", "watts": 5}),
]


def shop(items: list[Item] | None = None) -> Table:
    """A catalog of which two items are known to somebody."""
    told = SHOP if items is None else items
    rows = table(np.array([0, 0]), np.array([0, len(told) - 2 if len(told) > 1 else 0]), 1, [item.id for item in told])
    return Table(rows.table, rows.items, rows.users, content=content_of(told))


def fitted(learner: Content, items: list[Item] | None = None) -> NeighbourItems:
    model = learner.fit(LocalEngine(), shop(items))
    assert isinstance(model, NeighbourItems)
    return model


def likest(model: NeighbourItems, item: str, k: int = 1) -> list[str]:
    found = model.similar(model.items.positions([item]), k)[0][0]
    return model.items.take(found[found != UNKNOWN])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("Don't — stop! 2x", ["don", "t", "stop", "2x"]),
        ("ﬁne ＣＤ Straße STRASSE", ["fine", "cd", "strasse", "strasse"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("हिन्दी और עִבְרִית", ["हिन्दी", "और", "עִבְרִית"]),
        ("日本語のCD", ["日本", "本語", "語の", "cd"]),
        ("水 a_b", ["水", "a", "b"]),
        ("🦄 x\ud800y", ["x", "y"]),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text(max_size=60))
def test_words_are_words_of_themselves(text: str) -> None:
    for word in words(text):
        assert word
        assert word == folded(word)
        assert words(word) == [word]


def test_features_are_counted_by_field() -> None:
    amounts = Fields(title=2, text=1, categories=0.5, attributes=3).amounts(
        "Red lamp", "a RED Lamp red", ["A"], ["a=1"]
    )
    assert amounts == {"red": 4, "lamp": 3, "a": 1, "\tcategory\ta": 0.5, "\tattribute\ta=1": 3}
    assert Fields(0, 0, 1, 0).amounts("x", "y", ["z"], ["a=1"]) == {"\tcategory\tz": 1}


def test_what_only_one_item_has_is_left_out() -> None:
    features = content_features(shop(), Fields(), "content")
    assert features.shape == (len(SHOP), 11)  # red, lamp, a, for, the, desk; light, desk; red, blue, 5 watts
    assert np.bincount(features.indices).min() > 1


@pytest.mark.parametrize("learner", [Content(), Content(shrinkage=0), Content(similarity="bm25", b=0.4, k=3)])
def test_neighbours_are_those_of_dense_numpy(learner: Content) -> None:
    model = fitted(learner)
    expected = dense(learner)
    for item, likeness in enumerate(expected):
        order = np.lexsort((np.arange(len(likeness)), -likeness))[: model.neighbours.shape[1]]
        order = order[likeness[order] > 0]
        assert model.neighbours[item, : len(order)].tolist() == order.tolist()
        assert model.likeness[item, : len(order)] == pytest.approx(likeness[order], rel=1e-5)
        assert (model.neighbours[item, len(order) :] == UNKNOWN).all()


def dense(learner: Content) -> npt.NDArray[np.float64]:
    """float64[items, items] from the formulas, in canonical order, 0 on the diagonal."""
    told = sorted(SHOP, key=lambda item: item.id)
    rows = content_of(told).to_pylist()
    amounts = [Fields().amounts(row["title"], row["text"], row["categories"], row["attributes"]) for row in rows]
    names = sorted({name for one, other in itertools.combinations(amounts, 2) for name in one.keys() & other.keys()})
    matrix = np.array([[each.get(name, 0.0) for name in names] for each in amounts])
    having, items = (matrix > 0).sum(axis=0), (matrix > 0).any(axis=1).sum()
    rarity = np.log(1 + (items - having + 0.5) / (having + 0.5))
    if learner.similarity == "bm25":
        lengths = matrix.sum(axis=1, keepdims=True)
        norms = learner.k1 * (1 - learner.b + learner.b * lengths / (lengths.sum() / items))
        weights = matrix * (learner.k1 + 1) / (matrix + norms)
        likeness = (weights * rarity) @ weights.T
    else:
        weights = np.log2(1 + matrix) * rarity
        squares = (weights**2).sum(axis=1)
        norms = np.sqrt(np.outer(squares, squares))
        likeness = weights @ weights.T / np.maximum(norms + learner.shrinkage * squares.sum() / items, 1e-300)
    np.fill_diagonal(likeness, 0)
    return np.asarray(likeness)


def test_an_item_that_nobody_has_is_listed_and_has_neighbours() -> None:
    model = fitted(Content())
    assert likest(model, "new", 2) == ["e", "a"]
    lists, scores = model.top(Requests(Histories.of([model.items.positions(["e"])])), 3)
    assert "new" in model.items.take(lists[0])
    assert (scores[0] > 0).all()


def test_items_of_which_nothing_is_said_have_no_neighbours() -> None:
    model = fitted(Content())
    assert likest(model, "c", 5) == []
    assert not model.scores(Requests(Histories.of([model.items.positions(["c"])]))).any()


@pytest.mark.parametrize("similarity", ["tfidf", "bm25"])
def test_duplicates_find_each_other(similarity: Literal["tfidf", "bm25"]) -> None:
    twins = [Item(name, "Oak chair", "for two", ("seat",)) for name in "xy"]
    model = fitted(Content(similarity=similarity, shrinkage=0), [*twins, Item("z", "Oak table")])
    assert (likest(model, "x"), likest(model, "y")) == (["y"], ["x"])
    only_twins = fitted(Content(similarity=similarity), twins)
    assert likest(only_twins, "x") == ["y"]


def test_one_item_and_a_long_text() -> None:
    assert likest(fitted(Content(), [Item("x", "alone")]), "x") == []
    long = " ".join(f"word{number % 30_000}" for number in range(100_000))
    assert likest(fitted(Content(), [Item("x", text=long), Item("y", text=long[::2]), Item("z", "word7")]), "z") == [
        "x"
    ]


def test_attributes_of_any_type_are_told_apart() -> None:
    values = [5, 5, 5.0, "5", True, None, ["red", 7]]
    items = [Item(str(number), attributes={"a": value}) for number, value in enumerate(values)]
    model = fitted(Content(shrinkage=0), items)
    assert set(likest(model, "0", 9)) == {"1", "3"}  # as they are written
    assert [likest(model, item, 9) for item in ("4", "5", "6")] == [[], [], []]


@pytest.mark.parametrize(
    ("dataset", "match"),
    [
        (table(np.array([0]), np.array([0]), 1, ["x"]), r"learns from what the catalog says.*\n.*\[items\]"),
        (
            shop([Item("x"), Item("y", attributes={"a": None})]),
            r"finds nothing in title, text, .*\n.*\[items.columns\]",
        ),
    ],
)
def test_a_catalog_that_says_nothing_is_refused(dataset: Table, match: str) -> None:
    with pytest.raises(DataError, match=match):
        Content().fit(LocalEngine(), dataset)


def test_fields_that_count_nothing_are_not_read() -> None:
    with pytest.raises(DataError, match="finds nothing in text of"):
        Content(title=0, categories=0, attributes=0).fit(LocalEngine(), shop([Item("x", "Lamp"), Item("y", "Lamp")]))
    model = fitted(Content(categories=0, attributes=0, text=0, shrinkage=0))
    assert set(likest(model, "d", 9)) == {"e"}


def test_too_little_memory_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "100")
    with pytest.raises(DataError, match=r"neighbours of each of 6 items.*\n.*set k = "):
        Content().fit(LocalEngine(), shop())


@pytest.mark.slow
def test_too_many_words_are_said_before_all_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "1000000")
    items = [Item(str(number), f"word{number} lamp") for number in range(10_000)]
    with pytest.raises(DataError, match=r"words.*of 10,000 items needs about.*\n.*text = 0"):
        Content().fit(LocalEngine(), shop(items))


def test_a_feature_of_very_many_items_compares_runs_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORK", 0)
    monkeypatch.setattr(module, "LEAST_RUN", 3)
    items = [Item(f"{number}", "lamp") for number in range(7)]
    model = fitted(Content(), items)
    assert set(likest(model, "1", 9)) == {"0", "2"}
    assert set(likest(model, "5", 9)) == {"3", "4"}
    assert likest(model, "6", 9) == []


@given(st.permutations(range(len(SHOP))))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_vocabulary_changes_nothing(order: list[int]) -> None:
    assert saved_bytes(fitted(Content(), [SHOP[place] for place in order])) == saved_bytes(fitted(Content()))


def test_weights_of_nothing_and_of_one_length() -> None:
    features = content_features(shop(), Fields(), "content")
    lengths = np.asarray((tfidf(features).power(2)).sum(axis=1)).ravel()
    assert lengths.sum() / (lengths > 0).sum() == pytest.approx(1)
    empty = features[:0]
    assert tfidf(empty).nnz == bm25(empty, 1.2, 0.75).nnz == 0


def test_without_any_interaction() -> None:
    bare = shop()
    model = Content().fit(LocalEngine(), Table(bare.table.slice(0, 0), Items(bare.items.ids), 1, content=bare.content))
    assert saved_bytes(model) == saved_bytes(fitted(Content()))
