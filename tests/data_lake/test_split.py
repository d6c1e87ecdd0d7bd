"""Splits: nobody sees the own future, nothing is lost, and a refusal says which splits the data allow."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.interactions import NO_ORDER
from segue.data.split.split import Split, allowed, split_by_time, split_files, split_last, split_random
from segue.data.split.view import Rows, View
from segue.domain.errors import DataError, MissingColumn
from segue.domain.items import Items
from segue.domain.requests import NO_TIME
from segue.engines.engine import INTERACTIONS, Dataset, Key
from segue.engines.local import LocalEngine, Table, histories

DAY = 86_400_000_000


def made(rows: list[tuple[int, int, int]], order: list[int] | None = None) -> Dataset:
    """Rows (user, item, time in days, or NO_TIME) prepared by user."""
    users, items, times = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    table = pa.table(
        {
            "user": users,
            "item": items,
            "type": [0] * len(rows),
            "weight": [1.0] * len(rows),
            "time": [time if time == NO_TIME else time * DAY for time in times],
            "order": order if order is not None else list(range(len(rows))),
        }
    ).cast(INTERACTIONS)
    ids = Items(f"i{item}" for item in range(max(items, default=-1) + 1))
    return LocalEngine().prepare(Table(table, ids, max(users, default=-1) + 1), Key.USER)


def rows_of(dataset: Dataset) -> list[tuple[int, int, int, int]]:
    names = ["user", "item", "time", "order"]
    parts = [batch for part in dataset.partitions(3, names) for batch in part]
    return [tuple(row.values()) for batch in parts for row in batch.to_pylist()]


some_rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=60)
splitters = st.sampled_from(
    [
        lambda data: split_by_time(data, test_days=2),
        lambda data: split_by_time(data, fraction=0.3),
        lambda data: split_last(data, 1),
        lambda data: split_last(data, 2),
        lambda data: split_random(data, 0.4, seed=3),
    ]
)


@settings(max_examples=200, deadline=None)
@given(some_rows, splitters)
def test_train_and_test_are_all_rows_each_once(rows, splitter):
    data = made(rows)
    try:
        split = splitter(data)
    except DataError:
        return  # nobody has a past and a future; the words are tested below
    everything, train = rows_of(data), rows_of(split.train)
    assert split.train.rows == len(train)
    assert split.train.rows + split.test_rows == len(everything)
    assert set(train) <= set(everything)
    assert len(split.test.truth.items) + sum(split.left_out.values()) == split.test_rows


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(some_rows, st.sampled_from([lambda data: split_by_time(data, 2), lambda data: split_last(data, 2)]))
def test_nobody_sees_the_own_future(rows, splitter):
    try:
        split = splitter(made(rows))
    except DataError:
        return
    held = split.test
    for row in range(len(held.people)):
        assert held.histories.times[held.histories.row(row)].max() <= held.truth.times[held.truth.row(row)].min()
    if split.name == "time":
        assert held.histories.times.max() < held.now <= held.truth.times.min()
        assert all(time < held.now for _, _, time, _ in rows_of(split.train))


@settings(max_examples=100, deadline=None)
@given(some_rows, splitters)
def test_a_history_is_the_persons_training_part(rows, splitter):
    try:
        split = splitter(made(rows))
    except DataError:
        return
    trained = histories(split.train, split.test.people)
    for name in ("offsets", "items", "times", "weights", "types"):
        np.testing.assert_array_equal(getattr(split.test.histories, name), getattr(trained, name))
    assert (np.diff(split.test.truth.offsets) > 0).all()
    assert (np.diff(split.test.histories.offsets) > 0).all()


def test_global_time_split_by_days():
    data = made([(0, 0, 0), (0, 1, 5), (0, 2, 9), (1, 0, 1), (1, 1, 10), (2, 1, 10), (0, 3, 10)])
    split = split_by_time(data, test_days=2)
    assert split.test.now == 8 * DAY + 1
    assert split.test.people.tolist() == [1]  # 0 has only new items there, 2 has no past
    assert split.test.truth.items.tolist() == [1]
    assert split.left_out == {"new person": 1, "new item": 2}
    assert split.description == "the last 2 days are held back, 57.1% of the events"


def test_leave_last_out_by_order_alone():
    data = made([(0, 0, NO_TIME), (1, 1, NO_TIME), (0, 1, NO_TIME), (1, 0, NO_TIME), (2, 0, NO_TIME)])
    split = split_last(data)
    assert split.test.truth.items.tolist() == [1, 0]
    assert split.test.histories.items.tolist() == [0, 1]
    assert split.test.now is None
    assert split.train.rows == 3  # who has a single event is only learned from


@pytest.mark.parametrize(
    ("k", "truth", "history"),
    [(1, [2, 2], [0, 1, 0]), (2, [0, 2, 2], [0, 1]), (3, None, None)],
)
def test_leave_last_out_counts_different_items_and_keeps_the_past(k, truth, history):
    """a b a c c: the last item is "c", however often; of the last two the first "a" is still the person's past."""
    data = made([(0, item, time) for time, item in enumerate([0, 1, 0, 2, 2])] + [(1, 2, 0), (1, 1, 1)])
    if truth is None:
        with pytest.raises(DataError, match="more than 3 different items, and nobody has more than 3") as refused:
            split_last(data, k)
        assert refused.value.where == "last"
        return
    split = split_last(data, k)
    judged = split.test.people.tolist().index(0)
    known = split.test.truth.items[split.test.truth.row(judged)].tolist()
    assert known == [item for item in truth if item in rows_items(split)]
    assert split.test.histories.items[split.test.histories.row(judged)].tolist() == history


def rows_items(split: Split) -> set[int]:
    return {item for _, item, _, _ in rows_of(split.train)}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(some_rows, st.integers(1, 3))
def test_leave_last_out_is_what_a_loop_cuts(rows, k):
    data = made(rows)
    expected = []
    for person in range(6):
        own = [row for row in rows_of(data) if row[0] == person]
        cut = len(own)
        while cut and len({row[1] for row in own[cut - 1 :]}) <= k:
            cut -= 1
        expected += own[:cut] or own  # who has no more different items is only learned from
    if len(expected) == len(rows):
        with pytest.raises(DataError, match="different items"):
            split_last(data, k)
        return
    held = set(rows_of(data)) - set(expected)
    if not {row[1] for row in held} & {row[1] for row in expected}:
        with pytest.raises(DataError, match="new item: "):
            split_last(data, k)
        return
    assert sorted(rows_of(split_last(data, k).train)) == sorted(expected)


@pytest.mark.parametrize(
    ("times", "fraction", "first", "words"),
    [
        (range(10), 0.1, 9, "the last 10% of the events are held back"),
        (range(10), 0.3, 7, "the last 30% of the events are held back"),
        (range(10), 0.9, 1, "the last 90% of the events are held back"),  # int(10 * (1 - 0.9)) is 0
        (range(10), 0.01, 9, "the last 10% of the events are held back (nearest to the 1% asked for)"),
        (range(10), 0.99, 1, "the last 90% of the events are held back (nearest to the 99% asked for)"),
        ([0, 1, 2, 3, 4, 5, 5, 5, 5, 6], 0.2, 6, "the last 10% of the events are held back (nearest to the 20% asked"),
        ([0, 1, 2, 3, 4, 5, 5, 5, 5, 6], 0.4, 5, "the last 50% of the events are held back (nearest to the 40% asked"),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 0.5, 1, "the last 10% of the events are held back (nearest to the 50% asked"),
        ([0, 1, 1, 1, 1, 1, 1, 1, 1, 1], 0.2, 1, "the last 90% of the events are held back (nearest to the 20% asked"),
    ],
)
def test_a_time_split_by_share_is_the_nearest_there_is_and_says_its_share(times, fraction, first, words):
    split = split_by_time(made([(0, 0, time) for time in times]), fraction=fraction)
    assert split.test.now == first * DAY
    assert split.test_rows == sum(time >= first for time in times)
    assert words in split.description


def test_random_split_keeps_events_of_one_item_together_and_is_seeded():
    rows = [(user, item, time) for user in range(30) for item in range(10) for time in (1, 2)]
    first, again, other = (split_random(made(rows), 0.3, seed) for seed in (1, 1, 2))
    assert first.test_rows == 30 * 3 * 2
    assert rows_of(first.train) == rows_of(again.train)
    assert first.train.fingerprint == again.train.fingerprint != other.train.fingerprint
    held = {(user, item) for user, item, _ in rows} - {row[:2] for row in rows_of(first.train)}
    assert len(held) == 30 * 3


def test_the_parts_of_a_random_split_are_all_of_it_once():
    rows = [(user, item, 1) for user in range(40) for item in range(3 + user % 9)]
    every = {row[:2] for row in rows}
    whole, *parts = (split_random(made(rows), 0.3, 1, part=part) for part in [(0, 1), (0, 3), (1, 3), (2, 3)])
    held = [every - {row[:2] for row in rows_of(each.train)} for each in (whole, *parts)]
    assert held[0] == held[1] | held[2] | held[3]
    assert sum(len(each) for each in held[1:]) == len(held[0])
    assert all(len(each) > len(held[0]) / 5 for each in held[1:])
    assert len({each.train.fingerprint for each in parts}) == 3


def test_random_split_draws_every_item_about_equally_often():
    rows = [(user, item, 1) for user in range(2_000) for item in range(10)]
    split = split_random(made(rows), 0.2, seed=7)
    drawn = np.bincount(split.test.truth.items, minlength=10)
    assert drawn.sum() == 4_000
    assert abs(drawn - 400).max() < 4.5 * np.sqrt(2_000 * 0.2 * 0.8)


def test_given_files():
    train, test = made([(0, 0, 1), (0, 1, 2), (1, 2, 3)]), made([(0, 2, 4), (1, 2, 5)])
    split = split_files(train, test)
    assert split.test.people.tolist() == [0, 1]
    assert split.test.truth.items.tolist() == [2, 2]
    assert rows_of(split.train) == rows_of(train)
    with pytest.raises(DataError, match="different items"):
        split_files(train, made([(0, 3, 4)]))


@pytest.mark.parametrize(
    ("times", "order", "can"),
    [
        ([1, 2, 3], [0, 1, 2], "time, last, random"),
        ([NO_TIME] * 3, [0, 1, 2], "last, random"),
        ([NO_TIME] * 3, [NO_ORDER] * 3, "random"),
        ([NO_TIME, 2, 3], [NO_ORDER, 1, 2], "random"),
        ([NO_TIME, 2, 3], [0, NO_ORDER, NO_ORDER], "last, random"),
    ],
)
def test_a_refusal_says_which_splits_the_data_allow(times, order, can):
    data = made([(0, item, time) for item, time in enumerate(times)], order)
    assert ", ".join(allowed(data)) == can
    for name, splitter in (("time", split_by_time), ("last", split_last)):
        if name not in can:
            with pytest.raises(MissingColumn, match=f"these data allow: {can}"):
                splitter(data)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda data: split_last(data, 0),
        lambda data: split_random(data, 1.0),
        lambda data: split_by_time(data, fraction=0.0),
        lambda data: split_by_time(data, test_days=100),
        lambda data: split_last(data, 2),
        lambda _: split_random(made([])),
        lambda _: split_random(made([(0, 0, 1)])),
        lambda _: split_random(Table.of(["ann"], ["x"])),
    ],
)
def test_what_cannot_be_split_is_refused_in_words(wrong):
    with pytest.raises(DataError) as refused:
        wrong(made([(0, 0, 1), (0, 1, 2)]))
    assert refused.value.mend or refused.value.where


def test_the_training_view_is_keyed_and_keeps_people_whole_in_every_partition():
    rng = np.random.default_rng(0)
    data = made([(user, item, 1) for user, item in rng.integers(0, 9, (999, 2)).tolist()])
    split: Split = split_random(data, 0.3)
    assert split.train.key is Key.USER
    for count in (1, 2, 7):
        people = [
            {int(user) for batch in part for user in batch.column("user").to_numpy()}
            for part in split.train.partitions(count, ["user"])
        ]
        assert sum(len(part) for part in people) == len(set().union(*people))
    assert Rows.of(split.train).order.shape == (split.train.rows,)


def wide(people: int = 2_000, events: int = 50) -> Dataset:
    rng = np.random.default_rng(0)
    rows = people * events
    table = pa.table(
        {
            "user": np.repeat(np.arange(people), events),
            "item": rng.integers(500, size=rows),
            "type": np.zeros(rows, np.int64),
            "weight": np.ones(rows),
            "time": rng.integers(1, 90 * DAY, size=rows),
            "order": np.arange(rows),
        }
    ).cast(INTERACTIONS)
    return LocalEngine().prepare(Table(table, Items(f"i{item}" for item in range(500)), people), Key.USER)


@pytest.mark.parametrize(
    "splitter", [lambda data: split_by_time(data, 9), lambda data: split_last(data, 5), lambda data: split_random(data)]
)
def test_the_training_part_is_a_view(splitter):
    """One byte a row is kept for it, of 29; what is read of it costs a batch at a time."""
    data = wide()
    tracemalloc.start()
    try:
        split = splitter(data)
        test = sum(
            getattr(part, name).nbytes
            for part in (split.test.histories, split.test.truth)
            for name in ("offsets", "items", "weights", "times", "types")
        )
        kept = tracemalloc.get_traced_memory()[0] - test - split.test.people.nbytes
        assert kept <= 1.2 * data.rows
    finally:
        tracemalloc.stop()


def test_people_of_whom_nothing_is_held_back_are_read_from_the_very_memory_of_the_data():
    data = made([(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 9)])
    nothing = View(data, np.array([0, 2, 4]), np.zeros(4, np.bool_), "nothing")
    (batch,) = (batch for part in nothing.partitions(1) for batch in part)
    assert np.shares_memory(batch.column("item").to_numpy(), data.arrays["item"])
