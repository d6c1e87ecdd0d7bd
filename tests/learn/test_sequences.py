"""Sequences against plain loops: cut where time passed, never twice in succession, faded by age."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.errors import MissingColumn
from segue.domain.requests import NO_TIME, Histories
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table
from segue.learn.sequences import (
    MINUTE_US,
    Sequences,
    faded,
    last_of_histories,
    sequences_of_batch,
    sequences_of_histories,
)
from segue.testing.datasets import mixed

rows_of_items = st.lists(st.lists(st.integers(0, 4), max_size=9), max_size=5)


def listed(sequences: Sequences) -> list[list[int]]:
    return [sequences.codes[a:b].tolist() for a, b in itertools.pairwise(sequences.offsets)]


@given(rows_of_items)
def test_nothing_comes_twice_in_succession(rows: list[list[int]]) -> None:
    expected = [[item for item, _ in itertools.groupby(row)] for row in rows]
    assert listed(last_of_histories(Histories.of(rows), None)) == expected
    assert listed(sequences_of_histories(Histories.of(rows), None)) == [row for row in expected if row]


@given(rows_of_items, st.sampled_from([0.0, 0.5, 2.0]), st.integers(1, 4))
def test_fading(rows: list[list[int]], decay: float, window: int) -> None:
    found = faded(last_of_histories(Histories.of(rows), None), decay, window)
    assert len(found) == len(rows)
    for number, row in enumerate(rows):
        expected: dict[int, float] = {}
        plain = [item for item, _ in itertools.groupby(row)]
        for age, item in enumerate(reversed(plain[-window:])):
            expected[item] = expected.get(item, 0) + (1 + age) ** -decay
        part = slice(found.offsets[number], found.offsets[number + 1])
        assert dict(zip(found.codes[part].tolist(), found.weights[part].tolist(), strict=True)) == pytest.approx(
            expected
        )
        assert sorted(found.codes[part]) == found.codes[part].tolist()


@given(rows_of_items, st.integers(1, 10))
def test_pairs_by_lag(rows: list[list[int]], window: int) -> None:
    sequences = sequences_of_histories(Histories.of(rows), None)
    found = [
        (lag, sequences.codes[a], sequences.codes[b])
        for lag, earlier, later in sequences.pairs(window)
        for a, b in zip(earlier, later, strict=True)
    ]
    expected = [
        (lag, row[place], row[place + lag])
        for row in listed(sequences)
        for lag in range(1, window + 1)
        for place in range(len(row) - lag)
    ]
    assert sorted(found) == sorted(expected)


def timed(items: list[int], minutes: list[int | None]) -> Histories:
    plain = Histories.of([items])
    times = np.array([NO_TIME if minute is None else minute * MINUTE_US for minute in minutes], np.int64)
    return Histories(plain.offsets, plain.items, plain.weights, times, plain.types)


def test_a_pause_cuts_and_the_last_sequence_is_asked_for() -> None:
    history = timed([1, 2, 2, 3], [0, 30, 61, 62])
    assert listed(sequences_of_histories(history, 30)) == [[1, 2], [2, 3]]
    assert listed(last_of_histories(history, 30)) == [[2, 3]]
    assert listed(last_of_histories(timed([1, 2, 3], [0, None, 500]), 30)) == [[1, 2, 3]]


def test_sequences_of_a_batch_are_those_of_its_histories() -> None:
    from segue.engines.local import histories

    prepared = LocalEngine().prepare(mixed(), Key.USER)
    batch = next(prepared.partitions(1)[0])
    for gap in (None, 60 * 24 * 3):
        ours, theirs = sequences_of_batch(batch, gap), sequences_of_histories(histories(prepared), gap)
        assert listed(ours) == listed(theirs)
        assert ours.keys.tolist() == theirs.keys.tolist()


def test_what_needs_an_order_says_so() -> None:
    prepared = LocalEngine().prepare(Table.of(["ann", "ann"], ["x", "y"]), Key.USER)
    batch = next(prepared.partitions(1)[0])
    with pytest.raises(MissingColumn, match="gap_minutes needs the time of every event"):
        sequences_of_batch(batch, 30)
    orderless = batch.set_column(batch.schema.get_field_index("order"), "order", np.array([-1, -1]))
    with pytest.raises(MissingColumn, match="needs a time or an order for every event"):
        sequences_of_batch(orderless, None)
