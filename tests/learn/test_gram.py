"""Counting pairs of items: words of bits, one by one, and in parts give what the dense product does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.learn import gram
from segue.learn.gram import ItemCounts, ItemGram, choose, gram_of_rows, item_gram
from segue.testing.datasets import hard, mixed


def rows_of(matrix: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    lengths = matrix.sum(axis=1)
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), np.nonzero(matrix)[1].astype(np.int32)


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 90), st.floats(0, 4), st.sampled_from([0, 3, 70]))
@settings(max_examples=40)
def test_gram_is_the_dense_product(seed: int, people: int, items: int, steep: float, head: int) -> None:
    random = np.random.default_rng(seed)
    matrix = random.random((people, items)) < random.random(items) ** steep
    starts, codes = rows_of(matrix)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gram, "HEADS", (head,))
        patched.setattr(gram, "BLOCK_PEOPLE", 30)
        patched.setattr(gram, "LINES", 7)
        found = gram_of_rows(starts, codes, items)
    assert np.array_equal(found, np.triu(matrix.T.astype(np.int32) @ matrix))


@pytest.mark.slow
def test_gram_of_many_people_and_of_several_words() -> None:
    """More people than the bytes hold carries of, and heads of more than 512 items."""
    random = np.random.default_rng(5)
    matrix = random.random((9000, 1300)) < random.random(1300) ** 3
    matrix[:, 7] = True
    found = gram_of_rows(*rows_of(matrix), 1300)
    assert np.array_equal(found, np.triu(np.rint(matrix.T.astype(np.float32) @ matrix).astype(np.int32)))


@pytest.mark.parametrize("people", [15, 16, 17, 4063, 4064, 4079, 4080, 4081, 8127, 8128, 65_536])
def test_an_item_of_everybody_is_counted_whether_or_not_bytes_are_full(people: int) -> None:
    """A byte counts 254 groups of 16, and one more that is not full."""
    matrix = np.ones((people, 2), np.bool_)
    assert gram_of_rows(*rows_of(matrix), 2).tolist() == [[people, people], [0, people]]


@pytest.mark.parametrize("case", [*hard(), "mixed"])
def test_rows_that_are_brought_together_count_as_the_fold(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = (hard() | {"mixed": mixed()})[case]
    canonical, _ = dataset.items.canonical()
    plain = LocalEngine().fold(ItemCounts(), dataset)
    chosen = choose(plain, dataset.items, canonical, 1, 20)
    expected = LocalEngine().fold(ItemGram(chosen), dataset)["gram"]
    monkeypatch.setattr(gram, "worthwhile", lambda *_: True)
    starts, places = events(dataset, chosen)
    assert np.array_equal(gram_of_rows(starts, places, len(chosen)), expected)
    assert np.array_equal(item_gram(LocalEngine(), dataset, chosen), expected)
    counted = LocalEngine().fold(ItemCounts(), dataset)
    assert all(np.array_equal(counted[name], plain[name]) for name in plain)


def events(dataset: gram.Dataset, chosen: gram.Chosen) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    mapped = LocalEngine(threads=1).map(gram.ChosenEvents(chosen), LocalEngine().prepare(dataset, Key.USER))
    [batch] = mapped.partitions(1)[0]
    users = batch["user"].to_numpy()
    starts = np.append(np.flatnonzero(np.diff(users, prepend=-1)), len(users)).astype(np.int64)
    return starts, batch["item"].to_numpy()


def test_a_matrix_for_each_thread_is_made_only_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    class Folds(LocalEngine):
        folded: int = 0

        def fold(self, aggregate: Any, dataset: Any) -> Any:
            self.folded += isinstance(aggregate, ItemGram)
            return super().fold(aggregate, dataset)

    monkeypatch.setattr(gram, "TINY", 0)
    dataset = hard()["all users equal"]
    chosen = choose(LocalEngine().fold(ItemCounts(), dataset), dataset.items, dataset.items.canonical()[0], 1, 3)
    engine = Folds()
    apart = item_gram(engine, dataset, chosen)
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "1")
    together = item_gram(engine, dataset, chosen)
    assert engine.folded == 1
    assert np.array_equal(apart, together)
