"""Lists for held-out people: all items, batch by batch, in the dataset's codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.split.split import Held
from segue.domain import recommender
from segue.domain.items import Items
from segue.domain.requests import Histories
from segue.measure import ranking
from segue.measure.ranking import rank

from .fixed import Fixed

ITEMS = Items(["d", "c", "b", "a"])  # codes are not in the model's order


def held(*histories: list[int]) -> Held:
    rows = Histories.of(list(histories))
    return Held(np.arange(len(rows), dtype=np.int32), rows, rows, None)


def test_lists_are_in_the_datasets_codes():
    found = rank(Fixed.of(a=4, b=3, c=2, d=1), held([]), ITEMS, 4)
    assert ITEMS.take(found.lists[0]) == ["a", "b", "c", "d"]


def test_the_persons_own_items_are_excluded_or_ranked():
    model = Fixed.of(a=4, b=3, c=2, d=1)
    people = held([3, 2], [0], [])
    assert rank(model, people, ITEMS, 2).lists.tolist() == [[1, 0], [3, 2], [3, 2]]
    assert rank(model, people, ITEMS, 2, seen="ranked").lists.tolist() == [[3, 2]] * 3


def test_a_list_ends_where_the_items_do():
    found = rank(Fixed.of(a=4, b=3), held([3], []), ITEMS, 5)
    assert found.lists.tolist() == [[2, -1, -1, -1, -1], [3, 2, -1, -1, -1]]


def test_items_that_the_model_never_met_are_in_no_list_and_in_no_history():
    found = rank(Fixed.of(a=4, z=9), held([0, 1]), ITEMS, 3)
    assert found.lists.tolist() == [[3, -1, -1]]  # "z" is not of the dataset, "b" to "d" are not of the model


@pytest.mark.parametrize("nothing", [0.0, -0.0, np.inf, np.nan])
def test_a_list_ends_where_the_model_knows_nothing_whatever_the_names(nothing):
    """Where it did not, hits among items of score 0 came or went with how the items were called."""
    told = rank(Fixed.of(a=nothing, b=2, c=nothing, d=1), held([]), ITEMS, 4).lists
    renamed = rank(Fixed.of(d=nothing, b=2, c=nothing, a=1), held([]), ITEMS, 4).lists
    ends = [[], []] if nothing == np.inf else [["b", "d"], ["b", "a"]]  # infinity comes first of all
    assert [[ITEMS.ids[item] for item in row if item >= 0] for row in (told[0], renamed[0])] == ends
    assert rank(Fixed.of(a=nothing, b=nothing), held([]), ITEMS, 2).lists.tolist() == [[-1, -1]]


def test_what_is_judged_worse_than_nothing_comes_in_no_list_after_it():
    assert rank(Fixed.of(a=-1, b=0, c=2), held([]), ITEMS, 3).lists.tolist() == [[1, -1, -1]]
    assert rank(Fixed.of(a=-1, b=-2, c=2), held([]), ITEMS, 3).lists.tolist() == [[1, 3, 2]]


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=9), st.integers(4, 40), st.integers(1, 9))
def test_batches_do_not_change_the_lists(rows, cells, people):
    model = Fixed.of(a=1, b=3, c=2, d=3)
    whole = rank(model, held(*rows), ITEMS, 3).lists
    model.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recommender, "MASK_CELLS", cells)
        patch.setattr(ranking, "PEOPLE", people)
        assert rank(model, held(*rows), ITEMS, 3).lists.tolist() == whole.tolist()
    assert all(size * 4 <= cells and size <= people for size in model.asked)


def test_progress_ends_at_one():
    seen = []
    rank(Fixed.of(a=1, b=2), held([], [], []), ITEMS, 1, progress=seen.append)
    assert seen == [1.0]
    assert rank(Fixed.of(a=1), held([]), ITEMS, 1).microseconds_per_person > 0
