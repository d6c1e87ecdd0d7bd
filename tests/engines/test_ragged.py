"""Histories go to Arrow and come back on the same memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.errors import DataError
from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table, histories
from segue.engines.ragged import COLUMNS, from_arrow, to_arrow

NAMES = ("offsets", *COLUMNS)
rows_of_items = st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=8)


def numbered(rows: list[list[int]]) -> Histories:
    plain = Histories.of(rows)
    place = np.arange(len(plain.items))
    return Histories(
        plain.offsets, plain.items, place.astype(np.float32), place.astype(np.int64), (place % 100).astype(np.int8)
    )


def same(left: Histories, right: Histories) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in NAMES)


@given(rows_of_items, st.integers(0, 8), st.integers(0, 8))
def test_there_and_back_and_slices(rows, start, length):
    whole = numbered(rows)
    batch = to_arrow(whole)
    batch.validate(full=True)
    assert same(from_arrow(batch), whole)
    assert batch.column("items").to_pylist() == rows
    part = from_arrow(batch.slice(start, length))
    assert same(part, whole.rows(min(start, len(rows)), min(start + length, len(rows))))
    plain = pa.RecordBatch.from_arrays(
        [batch.column(name).cast(pa.list_(kind)) for name, kind in COLUMNS.items()], names=list(COLUMNS)
    )
    assert same(from_arrow(plain), whole)


def test_nothing_is_copied():
    whole = numbered([[1, 2, 3], [], [4]])
    back = from_arrow(to_arrow(whole))
    for name in NAMES:
        assert np.shares_memory(getattr(whole, name), getattr(back, name)), name
    part = from_arrow(to_arrow(whole).slice(2))
    for name in COLUMNS:
        assert np.shares_memory(getattr(whole, name), getattr(part, name)), name


def test_the_histories_of_a_prepared_dataset_are_its_own_memory():
    prepared = LocalEngine().prepare(Table.of(["ann", "bob", "ann"], ["x", "x", "y"]), Key.USER)
    arrow = to_arrow(histories(prepared))
    assert np.shares_memory(arrow.column("items").values.to_numpy(), prepared.arrays["item"])
    assert np.shares_memory(arrow.column("times").values.to_numpy(), prepared.arrays["time"])


def test_views_of_rows_share_memory():
    whole = numbered([[1, 2, 3], [5], [4]])
    for name in COLUMNS:
        assert np.shares_memory(getattr(whole, name), getattr(whole.rows(1, 3), name))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"items": pa.array([[1]], pa.large_list(pa.int64()))}, "expected lists of int32"),
        ({"items": pa.array([[None]], pa.large_list(pa.int32()))}, "holds nulls"),
        ({"weights": pa.array([[1.0, 2.0]], pa.large_list(pa.float32()))}, "other lengths"),
        ({"times": pa.array([None], pa.large_list(pa.int64()))}, "without nulls in 'times'"),
    ],
)
def test_what_is_no_history_is_refused(columns, words):
    good = to_arrow(numbered([[1]]))
    made = {name: columns.get(name, good.column(name)) for name in COLUMNS}
    with pytest.raises(DataError, match=words):
        from_arrow(pa.RecordBatch.from_pydict(made))
