"""Histories: complete, in order, at most the newest thousand, and the same before and after a drain."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.data.histories import index as state_index
from segue.data.histories import state as histories
from segue.data.histories.state import HistoryIndex, Past, UserState
from segue.data.interactions import weigh
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal, microseconds
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.errors import BusyError, DataError
from segue.domain.events import Event
from segue.domain.requests import NO_TIME
from tests.data_lake.world import START, event, frame, moment


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SQLiteJournal]:
    made = SQLiteJournal(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def items(state: UserState, person: str) -> list[str]:
    return [past.item for past in state.history(person)]


def test_a_person_nobody_knows(journal: SQLiteJournal, tmp_path: Path) -> None:
    assert UserState(tmp_path, journal=journal).history("u:nobody") == []


def test_what_was_just_acknowledged_is_there(journal: SQLiteJournal, tmp_path: Path) -> None:
    state = UserState(tmp_path, EventSource(types={"buy": 3.0}, weight="quantity"), journal)
    journal.append([event(1, type="buy", quantity=2.0, time=moment(5)), event(2), event(3, item=None)], START)
    assert state.history("u:ann") == [Past("i1", "buy", 6.0, microseconds(moment(5)))]
    assert state.history("v:ann") == []


def test_the_index_and_the_tail_are_in_order_of_time(journal: SQLiteJournal, lake: Lake, tmp_path: Path) -> None:
    state = UserState(tmp_path, journal=journal)
    lake.append_events(frame([{"user": "ann", "item": f"f{n}", "time": moment(n)} for n in (3, 1, 5)]), "file")
    state.update(lake.snapshot())
    assert items(state, "u:ann") == ["f1", "f3", "f5"]
    journal.append([event(9, item="late", time=moment(4)), event(8, item="last", time=moment(6))], START)
    assert items(state, "u:ann") == ["f1", "f3", "late", "f5", "last"]
    journal.append([event(7, item="timeless")], START)
    assert state.history("u:ann")[0] == Past("timeless", "view", 1.0, NO_TIME)


people = st.sampled_from(["ann", "bob", "ünï"])
sent = st.lists(
    st.tuples(people, st.integers(0, 5), st.sampled_from(["view", "buy", "impression"]), st.none() | st.integers(0, 9)),
    max_size=30,
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent, st.sets(st.integers(0, 30)), st.booleans())
def test_a_history_is_the_same_however_it_is_cut_into_index_and_tail(
    tmp_path_factory, monkeypatch: pytest.MonkeyPatch, events, drains: set[int], eager: bool
) -> None:
    monkeypatch.setattr(histories, "BEHIND_AT_LEAST", 1 if eager else 20_000)
    folder = tmp_path_factory.mktemp("state")
    journal, lake = SQLiteJournal(folder / "journal"), Lake(folder / "lake")
    state = UserState(folder, EventSource(types={"buy": 2.0}), journal)
    for number, (person, item, kind, minute) in enumerate(events):
        at = None if minute is None else moment(minute)
        journal.append([Event(id=f"e{number}", type=kind, user=person, item=f"i{item}", time=at)], START)
        if number in drains:
            drain(lake, journal, state, START)
    for person in ("ann", "bob", "ünï"):
        mine = [row for row in events if row[0] == person and row[2] != "impression"]
        mine.sort(key=lambda row: -1 if row[3] is None else row[3])
        times = [NO_TIME if row[3] is None else microseconds(moment(row[3])) for row in mine]
        kinds = [("view", 1.0) if row[2] == "view" else ("buy", 2.0) for row in mine]
        expected = [Past(f"i{row[1]}", *kind, time) for row, kind, time in zip(mine, kinds, times, strict=True)]
        assert state.history(f"u:{person}") == expected
    journal.close()


def test_the_newest_thousand(journal: SQLiteJournal, lake: Lake, tmp_path: Path) -> None:
    state = UserState(tmp_path, journal=journal)
    rows = [{"user": "ann", "item": f"f{n}", "time": moment(n)} for n in range(1_500)]
    lake.append_events(frame([*rows, {"id": "b", "user": "bob", "item": "x"}]), "file")
    state.update(lake.snapshot())
    assert items(state, "u:ann") == [f"f{n}" for n in range(500, 1_500)]
    assert items(state, "u:bob") == ["x"]
    journal.append([event(1, item="new", time=moment(2_000))], START)
    assert items(state, "u:ann") == [*(f"f{n}" for n in range(501, 1_500)), "new"]


@pytest.mark.parametrize("copied", [1, 7, 20, 50, 10_000])
def test_copying_in_chunks_gives_the_same(
    journal, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: int
) -> None:
    rows = [{"user": f"p{n % 11}", "item": f"i{n}", "time": moment(n)} for n in range(300)]
    lake.append_events(frame(rows), "file")
    monkeypatch.setattr(state_index, "CHUNK", 3)
    monkeypatch.setattr(state_index, "COPIED", copied)
    monkeypatch.setattr(state_index, "KEPT", 20)
    state = UserState(tmp_path, journal=journal)
    state.update(lake.snapshot())
    for person in range(11):
        assert items(state, f"u:p{person}") == [f"i{n}" for n in range(300) if n % 11 == person][-20:]


def test_people_whose_hashes_collide_are_told_apart(journal, lake: Lake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(state_index, "_hash", lambda key: len(key) % 2)
    monkeypatch.setattr(state_index, "_hashes", lambda _, offsets: (np.diff(offsets) % 2).astype(np.uint64))
    lake.append_events(frame([{"user": f"p{n}", "item": f"i{n}"} for n in range(30)]), "file")
    state = UserState(tmp_path, journal=journal)
    state.update(lake.snapshot())
    assert [items(state, f"u:p{n}") for n in range(30)] == [[f"i{n}"] for n in range(30)]
    assert items(state, "u:p99") == []


def test_a_reader_notices_a_new_index_by_itself(journal: SQLiteJournal, lake: Lake, tmp_path: Path) -> None:
    reader, builder = UserState(tmp_path, journal=journal), UserState(tmp_path, journal=journal)
    for number in range(3):
        lake.append_events(frame([{"id": f"e{number}", "user": "ann", "item": f"i{number}"}]), f"b{number}")
        builder.update(lake.snapshot())
        assert len(items(reader, "u:ann")) == number + 1
    assert len(list((tmp_path / "state").glob("index-*"))) == 1


def test_an_index_that_is_replaced_while_it_is_opened_is_the_new_one(
    journal: SQLiteJournal, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, builder = UserState(tmp_path, journal=journal), UserState(tmp_path, journal=journal)
    lake.append_events(frame([{"id": "e1", "user": "ann", "item": "i1"}]), "b1")
    builder.update(lake.snapshot())
    opened = []

    class Replaced(HistoryIndex):
        def __init__(self, folder: Path) -> None:
            opened.append(folder.name)
            if len(opened) == 1:
                lake.append_events(frame([{"id": "e2", "user": "ann", "item": "i2"}]), "b2")
                monkeypatch.setattr(histories, "HistoryIndex", HistoryIndex)
                builder.update(lake.snapshot())
                monkeypatch.setattr(histories, "HistoryIndex", Replaced)
            super().__init__(folder)

    monkeypatch.setattr(histories, "HistoryIndex", Replaced)
    assert items(reader, "u:ann") == ["i1", "i2"]
    assert len(set(opened)) == 2


def test_a_reader_whose_index_is_older_than_the_trim_reads_again(journal, lake: Lake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(histories, "BEHIND_AT_LEAST", 1)
    reader, builder = UserState(tmp_path, journal=journal), UserState(tmp_path, journal=journal)
    journal.append([event(1)], START)
    drain(lake, journal, builder, START)
    assert items(reader, "u:ann") == ["i1"]
    looked = []
    current = UserState._current

    def just_before_the_drain(self: UserState) -> HistoryIndex | None:
        index = current(self)
        if self is reader and not looked:
            looked.append(index)
            journal.append([event(2)], START)
            drain(lake, journal, builder, START)
        return index

    monkeypatch.setattr(UserState, "_current", just_before_the_drain)
    assert items(reader, "u:ann") == ["i1", "i2"]
    assert looked


def test_a_removed_index_is_an_error_until_it_is_built_again(journal, lake: Lake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(histories, "PATIENCE_S", 0.05)
    state = UserState(tmp_path, journal=journal)
    journal.append([event(1)], START)
    drain(lake, journal, state, START)
    shutil.rmtree(tmp_path / "state")
    fresh = UserState(tmp_path, journal=journal)
    with pytest.raises(DataError, match="the index of histories ends at place 0"):
        fresh.history("u:ann")
    drain(lake, journal, fresh, START)
    assert items(fresh, "u:ann") == ["i1"]


def test_an_index_of_another_format_is_built_again(journal, lake: Lake, tmp_path: Path, monkeypatch) -> None:
    state = UserState(tmp_path, journal=journal)
    lake.append_events(frame([{"user": "ann", "item": "x"}]), "b")
    state.update(lake.snapshot())
    monkeypatch.setattr(state_index, "FORMAT", state_index.FORMAT + 1)
    newer = UserState(tmp_path, journal=journal)
    assert newer.is_behind(lake.snapshot())
    newer.update(lake.snapshot())
    assert items(newer, "u:ann") == ["x"]


def test_an_older_snapshot_does_not_replace_a_newer_index(journal: SQLiteJournal, lake: Lake, tmp_path: Path) -> None:
    state = UserState(tmp_path, journal=journal)
    journal.append([event(1)], START)
    drain(lake, journal, state, START)
    old = lake.snapshot()
    journal.append([event(2)], START)
    drain(lake, journal, state, START)
    state.update(lake.snapshot())
    state.update(old)
    assert state.through() == 2


def test_one_builder_at_a_time(journal: SQLiteJournal, lake: Lake, tmp_path: Path) -> None:
    state = UserState(tmp_path, journal=journal)
    with state.writer(), pytest.raises(BusyError, match="building the index"):
        UserState(tmp_path, journal=journal).update(lake.snapshot(), wait_s=0)


def test_readers_in_threads_share_one_state(journal: SQLiteJournal, lake: Lake, tmp_path: Path) -> None:
    state = UserState(tmp_path, journal=journal)
    lake.append_events(frame([{"user": f"p{n % 5}", "item": f"i{n}"} for n in range(100)]), "file")
    state.update(lake.snapshot())
    wrong: list[str] = []

    def read(person: str) -> None:
        wrong.extend(person for _ in range(100) if len(state.history(person)) != 20)

    threads = [threading.Thread(target=read, args=(f"u:p{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        state.update(lake.snapshot())
    for thread in threads:
        thread.join()
    assert not wrong


def test_each_of_many_people_is_read_from_index_and_tail(journal, lake: Lake, tmp_path: Path) -> None:
    many = 60_000
    lake.append_events(
        pl.DataFrame({"id": [f"e{n}" for n in range(many)], "type": "view"}).with_columns(
            user=(pl.int_range(many) % 2_000).cast(pl.String),
            item=("item-" + (pl.int_range(many) % 977).cast(pl.String)),
            time=pl.lit(START) + pl.duration(seconds=pl.int_range(many)),
        ),
        "file",
    )
    state = UserState(tmp_path, journal=journal)
    state.update(lake.snapshot())
    journal.append([event(n, str(n % 2_000)) for n in range(4_000)], START)
    assert {len(state.history(f"u:{n}")) for n in range(1_000)} == {32}


@given(
    st.sampled_from(["view", "buy", "gone", "impression"]),
    st.none() | st.floats() | st.floats(-10, 10),
    st.sampled_from(["type", "value", "quantity"]),
)
def test_one_event_weighs_what_it_weighs_among_many(kind: str, amount: float | None, weight: str) -> None:
    source = EventSource(types={"buy": 5.0, "gone": 0.0}, weight=weight)  # type: ignore[arg-type]
    event = Event(id="1", type=kind, user="a", item="x", value=amount, quantity=amount)
    amounts = None if weight == "type" else np.array([math.nan if amount is None else amount])
    [among_many] = weigh(source, (kind,), np.zeros(1, np.int8), amounts)
    alone = UserState.__new__(UserState)
    alone.source, alone._type_weights = source, {}
    assert alone._weight(event) == float(among_many)


@given(st.lists(st.text(max_size=80)))
def test_many_hashes_at_once_are_those_of_one_at_a_time(texts: list[str]) -> None:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    found = state_index._hashes(np.frombuffer(b"".join(encoded), np.uint8), offsets)
    assert found.tolist() == [state_index._hash(text) for text in encoded]
