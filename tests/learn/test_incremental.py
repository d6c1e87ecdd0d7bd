"""Counts that move on from day to day are those of a full fit, whatever came, late, twice or taken back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.split.split import split_random
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table
from segue.learn.incremental import Counts, only, whose_rows_differ
from segue.learn.learner import Counted, learner, learners
from segue.testing.datasets import mixed, table
from segue.testing.recommender import saved_bytes

PEOPLE, ITEMS = 6, 8
COUNTED = sorted(name for name, kind in learners().items() if issubclass(kind, Counted))
IDS = [f"item {code}" for code in range(ITEMS)]

event = st.tuples(
    st.integers(0, PEOPLE - 1),  # who
    st.integers(0, ITEMS - 1),  # what
    st.integers(0, 20),  # when: any day, also before all that came so far
    st.sampled_from([0.0, 0.5, 1.0, 3.0]),
)
days = st.lists(st.lists(event, max_size=8), min_size=1, max_size=5)


def log(events: list[tuple[int, int, int, float]], people: int = PEOPLE) -> Table:
    columns: Any = list(zip(*events, strict=True)) or [[], [], [], []]
    who, what, when, weight = (np.array(column) for column in columns)
    times = 1_750_000_000_000_000 + when.astype(np.int64) * 3_600_000_000
    return table(who, what, people, IDS, weights=weight, times=times)


@pytest.mark.parametrize("name", COUNTED)
@settings(max_examples=25)
@given(days=days, first=event)
def test_any_history_of_days_late_events_included_equals_the_full_fit(
    name: str, days: list[list[Any]], first: Any
) -> None:
    counted, engine = learner(name, {}), LocalEngine(partitions=1, threads=1)
    assert isinstance(counted, Counted)
    so_far = [(*first[:3], 1.0)]
    counts = Counts.of(counted, engine, log(so_far))
    for day in days:
        so_far = so_far + day
        counts = counts.moved(log(so_far))
    whole = engine.fold(counted.aggregate, log(so_far))
    for part in whole:
        np.testing.assert_array_equal(counts.state[part], whole[part])
    assert saved_bytes(counts.recommender()) == saved_bytes(counted.fit(engine, log(so_far)))


@settings(max_examples=25)
@given(events=st.lists(event, min_size=1, max_size=20), forgotten=st.integers(0, PEOPLE - 1))
def test_whoever_is_forgotten_leaves_no_trace_in_the_counts(events: list[Any], forgotten: int) -> None:
    counted, engine = learner("markov", {}), LocalEngine(partitions=1, threads=1)
    assert isinstance(counted, Counted)
    left = [each for each in events if each[0] != forgotten]
    counts = Counts.of(counted, engine, log(events)).moved(log(left))
    for part, values in engine.fold(counted.aggregate, log(left)).items():
        np.testing.assert_array_equal(counts.state[part], values)


@settings(max_examples=50)
@given(before=st.lists(event, max_size=15), new=st.lists(event, max_size=5))
def test_those_whose_rows_differ_are_those_of_the_new_rows(before: list[Any], new: list[Any]) -> None:
    engine = LocalEngine(partitions=1, threads=1)
    old, now = (engine.prepare(log(rows), Key.USER) for rows in (before, before + new))
    assert set(whose_rows_differ(old, now).tolist()) == {person for person, *_ in new}


def test_new_people_and_new_items_come_with_new_codes() -> None:
    counted, engine = learner("markov", {}), LocalEngine()
    assert isinstance(counted, Counted)
    before = table(np.array([0, 0]), np.array([0, 1]), 1, ["b", "a"])
    after = table(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), 2, ["b", "a", "c"])
    moved = Counts.of(counted, engine, before).moved(after, people=np.array([1]))
    assert saved_bytes(moved.recommender()) == saved_bytes(counted.fit(engine, after))


def test_codes_that_changed_their_meaning_are_refused() -> None:
    counted = learner("popularity", {})
    assert isinstance(counted, Counted)
    dataset = mixed()
    other = Table(dataset.table, Items(reversed(dataset.items.ids)), dataset.users, dataset.types)
    with pytest.raises(DataError, match="do not mean the same"):
        Counts.of(counted, LocalEngine(), dataset).moved(other)


def test_a_view_of_a_split_can_be_moved_on_to_the_whole() -> None:
    counted, engine = learner("markov", {}), LocalEngine()
    assert isinstance(counted, Counted)
    prepared = engine.prepare(mixed(), Key.USER)
    counts = Counts.of(counted, engine, split_random(prepared, 0.3).train).moved(prepared)
    assert saved_bytes(counts.recommender()) == saved_bytes(counted.fit(engine, mixed()))


def test_only_some_people_have_their_rows_and_nobody_else() -> None:
    prepared = LocalEngine().prepare(mixed(), Key.USER)
    some = only(prepared, np.array([3, 5]))
    assert set(some.arrays["user"].tolist()) == {3, 5}
    assert some.rows == int(np.diff(prepared.offsets)[[3, 5]].sum())
