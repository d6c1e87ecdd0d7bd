"""Distinct pairs: repeated events add up, events of weight 0 count for nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.requests import Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.learn.rows import Weighting, rows_of_batch, rows_of_histories, weighed
from segue.testing.datasets import mixed

histories = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0, 4.0])), max_size=8), max_size=6
)


def made(rows: list[list[tuple[int, float]]]) -> Histories:
    plain = Histories.of([[item for item, _ in row] for row in rows])
    weights = np.array([weight for row in rows for _, weight in row], np.float32)
    return Histories(plain.offsets, plain.items, weights, plain.times, plain.types)


@given(histories)
def test_rows_of_histories_are_sums_by_item(rows: list[list[tuple[int, float]]]) -> None:
    found = rows_of_histories(made(rows))
    assert found.keys.tolist() == list(range(len(rows)))
    for number, row in enumerate(rows):
        expected: dict[int, float] = {}
        for item, weight in row:
            if weight > 0:
                expected[item] = expected.get(item, 0) + weight
        part = slice(found.offsets[number], found.offsets[number + 1])
        pairs = zip(found.codes[part].tolist(), found.weights[part].tolist(), strict=True)
        assert list(pairs) == sorted(expected.items())


@pytest.mark.parametrize("key", list(Key))
def test_rows_of_batches_and_of_histories_agree(key: Key) -> None:
    prepared = LocalEngine().prepare(mixed(), key)
    batch = next(prepared.partitions(1)[0])
    found = rows_of_batch(batch, key)
    other = {Key.USER: "item", Key.ITEM: "user"}[key]
    frame = batch.to_pydict()
    sums: dict[tuple[int, int], float] = {}
    for row, code, weight in zip(frame[key.value], frame[other], frame["weight"], strict=True):
        if weight > 0:
            sums[row, code] = sums.get((row, code), 0) + weight
    pairs = zip(found.keys[found.row_numbers()].tolist(), found.codes.tolist(), strict=True)
    assert dict(zip(pairs, found.weights.tolist(), strict=True)) == sums


@pytest.mark.parametrize(("weighting", "expected"), [("none", [1, 1]), ("log", [1, 10]), ("linear", [1, 1023])])
def test_weighting(weighting: Weighting, expected: list[float]) -> None:
    assert weighed(np.array([1.0, 1023.0]), weighting).tolist() == expected


def test_no_histories_are_no_rows() -> None:
    rows = rows_of_histories(Histories.of([]))
    assert len(rows) == 0
    assert rows.offsets.tolist() == [0]


def test_a_weight_however_small_is_worth_something() -> None:
    weights = np.array([1e-30, 1e-17, 1e-8, 1.0, 3.0])
    found = weighed(weights, "log")
    assert found[3:].tolist() == [1.0, 2.0]
    np.testing.assert_allclose(found, np.log1p(weights) / np.log(2), rtol=1e-7)
