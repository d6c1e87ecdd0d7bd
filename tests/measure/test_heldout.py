"""What is left to find for held-out people, and how many know an item."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.split.split import Held
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.requests import NO_TIME, Histories
from segue.engines.engine import INTERACTIONS, Key
from segue.engines.local import LocalEngine
from segue.engines.table import Table
from segue.measure.familiarity import Familiarity, familiarity
from segue.measure.heldout import findable

rows_of_items = st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=6)


def held(histories: list[list[int]], truth: list[list[int]]) -> Held:
    return Held(np.arange(len(truth), dtype=np.int32), Histories.of(histories), Histories.of(truth), None)


def lists(histories: Histories) -> list[list[int]]:
    return [histories.items[histories.row(row)].tolist() for row in range(len(histories))]


@given(rows_of_items, rows_of_items, st.sampled_from(["excluded", "ranked"]))
def test_it_is_the_set_of_new_items(histories, truths, seen):
    people = min(len(histories), len(truths))
    histories, truths = histories[:people], truths[:people]
    own = histories if seen == "excluded" else [[] for _ in histories]
    expected = {row: sorted(set(truths[row]) - set(own[row])) for row in range(people)}
    left = [row for row in range(people) if expected[row]]
    if not left:
        with pytest.raises(DataError, match="nobody is left"):
            findable(held(histories, truths), 6, seen)
        return
    found = findable(held(histories, truths), 6, seen)
    assert found.rows.tolist() == left
    assert lists(found.truth) == [expected[row] for row in left]
    assert lists(found.histories) == [histories[row] for row in left]
    assert found.without_truth == people - len(left)
    assert found.repeats == sum(len(set(truths[row]) & set(own[row])) for row in range(people))


def table(users: list[int], items: list[int], count: int) -> Table:
    plain = {"type": 0, "weight": 1.0, "time": int(NO_TIME), "order": 0}
    rows = {"user": users, "item": items} | {name: [value] * len(users) for name, value in plain.items()}
    return Table(pa.table(rows, INTERACTIONS), Items([f"i{item}" for item in range(count)]), max(users) + 1, ("event",))


def test_each_person_knows_an_item_once():
    data = table([0, 1, 0, 0, 3], [2, 2, 2, 0, 1], 4)
    known = familiarity(LocalEngine().prepare(data, Key.USER))
    assert known.known_by.tolist() == [1, 1, 2, 0]
    assert known.people == 3
    assert known.self_information() == pytest.approx(-np.log2([1 / 3, 1 / 3, 2 / 3, 1 / 3]))


def test_familiarity_wants_whole_people():
    with pytest.raises(DataError, match=r"prepare\(dataset, Key.USER\)"):
        familiarity(table([0], [0], 1))


def test_information_is_never_negative():
    assert Familiarity(np.array([5]), people=3).self_information().tolist() == [0.0]
