"""Ragged histories are what the same lists would be."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.items import UNKNOWN
from segue.domain.requests import NO_TIME, Histories, Requests

rows_of_items = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8)


def lists(histories: Histories) -> list[list[int]]:
    return [histories.items[histories.row(row)].tolist() for row in range(len(histories))]


def numbered(rows: list[list[int]]) -> Histories:
    """Histories whose weights, times and types tell each event apart."""
    plain = Histories.of(rows)
    events = len(plain.items)
    place = np.arange(events)
    return Histories(
        plain.offsets, plain.items, place.astype(np.float32), place.astype(np.int64), (place % 100).astype(np.int8)
    )


@given(rows_of_items)
def test_histories_hold_their_rows(rows):
    histories = Histories.of(rows)
    assert lists(histories) == rows
    assert histories.row_numbers().tolist() == [number for number, row in enumerate(rows) for _ in row]
    assert (histories.weights == 1).all()
    assert (histories.times == NO_TIME).all()


@given(rows_of_items, st.integers(0, 8), st.integers(0, 9))
def test_a_view_of_rows_is_a_slice(rows, start, length):
    start = min(start, len(rows))
    histories = numbered(rows)
    view = histories.rows(start, start + length)
    assert lists(view) == rows[start : start + length]
    assert view.offsets[0] == 0
    assert view.weights.base is not None or not len(view.weights)


@given(rows_of_items.filter(bool), st.data())
def test_a_selection_is_a_copy_in_the_given_order(rows, data):
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10))
    histories = numbered(rows)
    selected = histories.select(np.array(chosen, np.int64))
    assert lists(selected) == [rows[row] for row in chosen]
    expected = [histories.times[histories.row(row)].tolist() for row in chosen]
    assert [selected.times[selected.row(row)].tolist() for row in range(len(selected))] == expected


@given(rows_of_items, st.lists(st.integers(-1, 5), min_size=10, max_size=10))
def test_a_translation_leaves_out_what_the_target_does_not_know(rows, table):
    translated = numbered(rows).translated(np.array(table, np.int32))
    assert lists(translated) == [[table[item] for item in row if table[item] != UNKNOWN] for row in rows]
    kept = [place for place, item in enumerate(np.concatenate([*rows, []]).astype(int)) if table[item] != UNKNOWN]
    assert translated.times.tolist() == kept
    assert translated.weights.tolist() == kept


def test_requests_are_cut_with_their_contexts():
    requests = Requests(Histories.of([[1], [2, 3], []]), now=7, contexts=({"a": 1}, {"a": 2}, {"a": 3}))
    part = requests.rows(1, 3)
    assert len(requests) == 3
    assert lists(part.histories) == [[2, 3], []]
    assert (part.now, part.contexts) == (7, ({"a": 2}, {"a": 3}))
    assert len(Requests(Histories.of([[1]])).rows(0, 1).contexts) == 0
