"""Draining: what was acknowledged is in the lake once, whenever the drainer is killed; histories are never short."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from segue.data.histories import index as state_index
from segue.data.histories import state as histories
from segue.data.histories.state import UserState
from segue.data.interactions import interactions
from segue.data.journal import drain as draining
from segue.data.journal import journal as journaling
from segue.data.journal.drain import Drained, drain
from segue.data.journal.journal import Pending, Places, SQLiteJournal
from segue.data.journal.log import Log
from segue.data.lake import tables
from segue.data.lake.ids import IdIndex
from segue.data.lake.lake import Appended, Lake, Snapshot
from segue.data.lake.lease import lease
from segue.data.lake.rows import Trusted
from segue.data.settings import EventSource
from segue.domain.errors import BusyError
from segue.domain.events import Event
from tests.data_lake.test_journal import decision
from tests.data_lake.world import START, event, frame, moment
from tests.waiting import started, waiting

KILLS = 25


class Place:
    """A workspace's lake, journal and histories."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = SQLiteJournal(folder / "journal")
        self.lake = Lake(folder / "lake")
        self.state = UserState(folder, journal=self.journal)

    def drain(self) -> Drained:
        return drain(self.lake, self.journal, self.state, START)

    def lake_ids(self) -> list[str]:
        return sorted(self.lake.snapshot().coded_events().select("id").collect()["id"])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def eager_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "BEHIND_AT_LEAST", 1)
    monkeypatch.setattr(histories, "BEHIND_SHARE", 0.0)


def test_an_event_comes_out_of_the_lake_as_it_went_into_the_journal(place: Place) -> None:
    sent = Event(
        id="e1", type="buy", user="änn", visitor="v9", item="i1", time=moment(1), value=2.5, quantity=3.0,
        session="s", decision="d", position=4, context={"device": "phone", "n": [1]},
    )  # fmt: skip
    place.journal.append([sent], moment(2))
    assert place.drain() == Drained(events=1, decisions=0)
    row = place.lake.snapshot().events().collect().row(0, named=True)
    assert {name: row[name] for name in ("user", "visitor", "item", "value", "quantity", "session", "position")} == {
        "user": "änn", "visitor": "v9", "item": "i1", "value": 2.5, "quantity": 3.0, "session": "s", "position": 4,
    }  # fmt: skip
    assert (row["time"], row["received"], row["order"]) == (moment(1), moment(2), 1)
    assert row["context"] == '{"device":"phone","n":[1]}'


def test_a_decision_comes_back_whole_from_the_lake(place: Place) -> None:
    made = decision("d1", request="r1")
    place.journal.record([made])
    assert place.drain().decisions == 1
    log = Log(place.lake, place.journal)
    assert log.decision("d1") == made
    place.journal.trim(events=0, decisions=1, indexed=0, now=moment(60 * 24 * 999_999))
    assert place.journal.decision("d1") is None
    assert log.decision("d1") == made
    assert log.decision("d2") is None
    row = log.decisions().collect().row(0, named=True)
    assert row["assignments"] == [{"experiment": "exp", "variant": "b"}]
    assert [shown["item"] for shown in row["shown"]] == ["i1", "i2"]


def test_draining_twice_changes_nothing(place: Place) -> None:
    place.journal.append([event(n) for n in range(10)], START)
    assert place.drain().events == 10
    assert place.drain() == Drained(0, 0)
    assert place.journal.pending() == Pending(0, 0)
    assert len(place.lake_ids()) == 10


def test_a_place_of_the_journal_is_committed_once(place: Place) -> None:
    rows = frame([{"id": "e1", "user": "ann", "item": "i1"}])
    made = [decision("d1", request="r1")]
    for version, taken in ((3, 1), (3, 0), (2, 0)):
        assert place.lake.commit_events(rows, "journal-x", "journal-x", version) == Appended(taken, 1 - taken)
        assert place.lake.commit_decisions(made, "decisions-x", "decisions-x", version) == Appended(taken, 1 - taken)
    assert place.lake.drained("events", "journal-x") == place.lake.drained("decisions", "decisions-x") == 3
    assert place.lake.append_decisions([decision("d2", request="r2")], "whole") == Appended(1, 0)
    assert place.lake.snapshot().decisions().collect().height == 2


def test_an_event_that_came_by_file_as_well_is_taken_once(place: Place) -> None:
    place.lake.append_events(frame([{"id": "e3", "user": "ann", "item": "i3"}]), "file")
    place.journal.append([event(n) for n in range(5)], START)
    assert sorted(Log(place.lake, place.journal).events().collect()["id"]) == [f"e{n}" for n in range(5)]
    assert place.drain() == Drained(events=4, decisions=0, duplicates=1)
    assert place.lake_ids() == [f"e{n}" for n in range(5)]


def test_the_log_is_lake_and_journal_each_event_once(place: Place) -> None:
    log = Log(place.lake, place.journal)
    assert log.events().collect().height == 0
    place.journal.append([event(n) for n in range(5)], START)
    place.journal.record([decision("d1", request="r1")])
    place.drain()
    place.journal.append([event(n) for n in range(5, 9)], START)
    place.journal.record([decision("d2", request="r2")])
    assert sorted(log.events().collect()["id"]) == [f"e{n}" for n in range(9)]
    assert sorted(log.decisions().collect()["id"]) == ["d1", "d2"]
    assert log.events().collect_schema() == place.lake.snapshot().events().collect_schema()


def test_a_new_journal_is_not_mistaken_for_the_old_one(place: Place, tmp_path: Path) -> None:
    place.journal.append([event(n) for n in range(5)], START)
    place.drain()
    (tmp_path / "journal").rename(tmp_path / "aside")
    fresh = Place(tmp_path)
    fresh.journal.append([event(n) for n in range(5, 7)], START)
    assert len(fresh.state.history("u:ann")) == 7
    assert fresh.drain().events == 2
    assert len(fresh.lake_ids()) == 7
    assert len(fresh.state.history("u:ann")) == 7
    fresh.journal.close()


def test_one_drainer_at_a_time(place: Place) -> None:
    with lease(place.state.folder / ".drainer", "draining the journal"), pytest.raises(BusyError, match="draining"):
        place.drain()


def test_a_drain_waits_for_an_ingestion_and_gives_up_with_nothing_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "WAIT_S", 0.1)
    place.journal.append([event(n) for n in range(3)], START)
    with Lake(place.lake.root).writer(), pytest.raises(BusyError, match="writing to the lake"):
        place.drain()
    assert place.journal.pending() == Pending(3, 0)
    assert len(place.state.history("u:ann")) == 3
    assert place.drain() == Drained(events=3, decisions=0)


def test_more_than_one_commit_holds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "AT_ONCE", 4)
    monkeypatch.setattr(draining, "DECISIONS_AT_ONCE", 2)
    place.journal.append([event(n) for n in range(10)], START)
    place.journal.record([decision(f"d{n}", request=f"r{n}") for n in range(5)])
    assert place.drain() == Drained(events=10, decisions=5)
    assert place.lake_ids() == sorted(f"e{n}" for n in range(10))
    assert place.journal.pending() == Pending(0, 0)


def test_a_drain_that_breaks_off_before_the_index_is_finished_by_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.journal.append([event(n) for n in range(6)], START)
    with monkeypatch.context() as patch:
        patch.setattr(state_index, "_write_events", _breaks)
        with pytest.raises(OSError, match="broke"):
            place.drain()
    assert len(place.lake_ids()) == 6, "the lake has them"
    assert len(place.state.history("u:ann")) == 6, "and the journal still, as no index does"
    assert [path.name for path in place.state.folder.iterdir() if path.is_dir()] == [], "what was half built is gone"
    assert place.drain() == Drained(0, 0)
    assert place.state.through() == 6
    assert len(place.state.history("u:ann")) == 6


def _breaks(*_: object) -> None:
    raise OSError("the disk broke")


def test_the_log_reads_again_where_it_was_drained_meanwhile(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.journal.append([event(n) for n in range(4)], START)
    log, snapshot, taken = Log(place.lake, place.journal), place.lake.snapshot, []

    def drained_after_the_first() -> Snapshot:
        made = snapshot()
        if not taken:
            taken.append(made)
            drain(Lake(place.lake.root), place.journal, place.state, START)
        return made

    monkeypatch.setattr(place.lake, "snapshot", drained_after_the_first)
    assert sorted(log.events().collect()["id"]) == ["e0", "e1", "e2", "e3"]
    assert place.journal.events_after(0, 10).trimmed == 4, "they were gone from the journal when it was read"


def test_an_id_of_a_file_is_twice_in_a_history_until_it_is_drained(place: Place) -> None:
    place.lake.append_events(frame([{"id": "e1", "user": "ann", "item": "i1"}]), "file")
    place.state.update(place.lake.snapshot())
    place.journal.append([event(1)], START)
    assert [past.item for past in place.state.history("u:ann")] == ["i1", "i1"]
    assert place.drain() == Drained(events=0, decisions=0, duplicates=1)
    place.state.update(place.lake.snapshot())
    assert [past.item for past in place.state.history("u:ann")] == ["i1"]


@pytest.mark.slow
def test_a_drain_costs_what_its_new_rows_cost(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(histories, "build", _counted(histories.build, built))
    for start in range(0, 500, 50):
        place.journal.append([event(n, f"p{n % 9}") for n in range(start, start + 50)], START)
        place.drain()
    assert len(built) == 1, "the index was built for the first rows only"
    assert place.state.through() == 50
    assert sum(len(place.state.history(f"u:p{n}")) for n in range(9)) == 500
    place.lake.append_events(frame([{"id": "f", "user": "p0", "item": "x"}]), "file")
    place.drain()
    assert len(built) == 2, "a file came in, which no tail of the journal holds"
    assert place.state.through() == 50, "the file lies upon it; what was drained is behind it still"


def _counted(function, calls):
    def counting(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return counting


class Appending(threading.Thread):
    """Appends events of a few people, and decisions, as fast as they are acknowledged; remembers what was."""

    def __init__(self, journal: SQLiteJournal, people: int, size: int, pause_s: float) -> None:
        super().__init__(daemon=True)
        self.journal, self.people, self.size, self.pause_s = journal, people, size, pause_s
        self.acknowledged: dict[str, int] = Counter()  # events of each person
        self.ids: list[str] = []
        self.decisions: list[str] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopped.wait(self.pause_s):
            people = [f"p{(number + n) % self.people}" for n in range(self.size)]
            places = Counter(self.acknowledged)
            events = []
            for n, person in enumerate(people):
                name = f"{person}-{places[person]}"
                places[person] += 1
                at = START + timedelta(milliseconds=number + n)
                events.append(Event(id=name, type="view", user=person, item=name, time=at))
            assert self.journal.append(events, START) == [True] * self.size
            self.ids += [made.id for made in events]
            self.acknowledged = places
            self.journal.record([decision(f"d{number}", request=f"r{number}")])
            self.decisions.append(f"d{number}")
            number += self.size

    def stop(self) -> None:
        self.stopped.set()
        self.join()


@pytest.mark.slow
def test_killed_anywhere_nothing_is_lost_and_nothing_is_doubled(place: Place, tmp_path: Path) -> None:
    chance = random.Random(5)
    appending = Appending(place.journal, people=20, size=40, pause_s=0.01)
    appending.start()
    progress = []
    with ExitStack() as stack:
        upcoming = stack.enter_context(waiting("tests.data_lake.drainer", tmp_path))
        for _ in range(KILLS):
            process, upcoming = upcoming, stack.enter_context(waiting("tests.data_lake.drainer", tmp_path))
            started(process)
            _moved_on(place, chance.choice([0, 1, 150, 300]))
            time.sleep(chance.uniform(0.0, 0.3))
            process.kill()
            process.wait()
            progress.append(place.lake.drained("events", place.journal.name))
            assert_whole(place.lake_ids(), appending.ids[: progress[-1]])
    appending.stop()
    assert len(set(progress)) >= KILLS / 4, "the kills hit drains at work, at many places"
    place.drain()
    assert_whole(place.lake_ids(), appending.ids)
    assert_whole(place.lake.snapshot().decisions().collect()["id"].to_list(), appending.decisions)
    for person, count in appending.acknowledged.items():
        items = [past.item for past in place.state.history(f"u:{person}")]
        assert items == [f"{person}-{n}" for n in range(count)][-1_000:]
    assert not list(place.state.folder.glob(".index-*")), "what a killed build left behind is gone"


def _moved_on(place: Place, events: int) -> None:
    """Wait until so many more events are in the lake, however slow the machine is."""
    name = place.journal.name
    aim, until = place.lake.drained("events", name) + events, time.monotonic() + 120
    while place.lake.drained("events", name) < aim:
        assert time.monotonic() < until, f"the drain did not bring {events} more events into the lake"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_history_is_complete_at_every_moment_of_a_drain(place: Place, tmp_path: Path) -> None:
    appending = Appending(place.journal, people=3, size=6, pause_s=0.004)
    reads, wrong = Counter({f"p{n}": 0 for n in range(3)}), []
    with waiting("tests.data_lake.drainer", tmp_path) as process:
        started(process)
        appending.start()

        def read(person: str) -> None:
            state = UserState(tmp_path, journal=place.journal)
            while not appending.stopped.is_set():
                least = min(appending.acknowledged[person], 1_000)
                items = [past.item for past in state.history(f"u:{person}")]
                first = int(items[0].split("-")[1]) if items else 0
                if len(items) < least or items != [f"{person}-{first + n}" for n in range(len(items))]:
                    wrong.append((least, items))
                    return
                reads[person] += 1

        readers = [threading.Thread(target=read, args=(f"p{n}",)) for n in range(3)]
        for reader in readers:
            reader.start()
        until = time.monotonic() + 40
        while time.monotonic() < until and not wrong and (place.state.through() < 1_000 or min(reads.values()) < 200):
            time.sleep(0.1)
        appending.stop()
        for reader in readers:
            reader.join()
        indexed = place.state.through()
    assert not wrong
    assert min(reads.values()) >= 200
    assert indexed >= 1_000, "the index moved on while it was read"


def assert_whole(found: list[str], truth: list[str]) -> None:
    assert Counter(found) == Counter(truth)


def test_the_index_is_rebuilt_when_the_declaration_weighs_differently(place: Place, tmp_path: Path) -> None:
    place.journal.append([event(1, type="view"), event(2, type="buy"), event(3, type="impression")], START)
    place.drain()
    assert [past.weight for past in place.state.history("u:ann")] == [1.0, 1.0]
    other = UserState(tmp_path, EventSource(types={"view": 0.0, "buy": 5.0}), place.journal)
    drain(place.lake, place.journal, other, START)
    assert [(past.type, past.weight) for past in other.history("u:ann")] == [("buy", 5.0)]


@pytest.mark.usefixtures("eager_index")
def test_what_is_drained_is_what_is_learned_from(place: Place) -> None:
    place.journal.append([event(n, f"p{n % 3}", value=float(n)) for n in range(30)], START)
    place.drain()
    dataset = interactions(place.lake.snapshot(), EventSource(weight="value"))
    weights = [w for part in dataset.partitions(2) for batch in part for w in batch.column("weight").to_pylist()]
    assert sorted(weights) == [float(n) for n in range(1, 30)]


@pytest.mark.slow
def test_small_files_of_many_drains_are_merged(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "SMALL_FILES", 5)
    snapshots = []
    for number in range(12):
        days = [event(2 * number, time=START), event(2 * number + 1, time=START + timedelta(days=1))]
        place.journal.append(days, START)
        place.journal.record([decision(f"d{number}", request=f"r{number}")])
        place.drain()
        snapshots.append(place.lake.snapshot())
        assert len(snapshots[-1].files) <= 10
    for number, snapshot in enumerate(snapshots):
        assert snapshot.events().collect().height == 2 * (number + 1), "who reads an older snapshot can go on"
        assert snapshot.events_count == 2 * (number + 1)
    assert_whole(place.lake_ids(), [f"e{n}" for n in range(24)])
    assert_whole(place.lake.snapshot().decisions().collect()["id"].to_list(), [f"d{n}" for n in range(12)])
    assert {file.batch for file in place.lake.snapshot().files} == {place.journal.name}
    assert len(place.state.history("u:ann")) == 24
    assert place.lake.append_events(frame([{"id": "e3", "user": "ann", "item": "x"}]), "file").duplicates == 1


def test_an_id_that_the_journal_forgot_does_not_come_in_again(place: Place) -> None:
    place.journal.append([event(1, time=START)], START)
    place.drain()
    late = START + timedelta(days=8)
    place.journal.trim(events=1, decisions=0, indexed=1, now=late)
    assert place.journal.append([event(1, time=late), event(2, time=late)], late) == [True, True], "it is forgotten"
    assert sorted(Log(place.lake, place.journal).events().collect()["id"]) == ["e1", "e2"]
    assert drain(place.lake, place.journal, place.state, late) == Drained(events=1, decisions=0, duplicates=1)
    assert place.lake_ids() == ["e1", "e2"], "on whatever day it says that it happened"


def test_what_the_journal_remembers_is_not_looked_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    look, read = IdIndex.files_with, []

    def looking(index, ids, table, files):
        read.append(len(files))
        return look(index, ids, table, files)

    monkeypatch.setattr(IdIndex, "files_with", looking)
    for number in range(3):
        place.journal.append([event(n) for n in (number, 9 - number)], START)
        place.drain()
    assert read == [0, 0, 0]
    late = START + timedelta(days=8)
    place.journal.append([event(5)], late)
    drain(place.lake, place.journal, place.state, late)
    assert read == [0, 0, 0, 3], "the older rows are"


def test_a_request_that_comes_again_after_its_decision_was_let_go_is_in_the_lake_once(place: Place) -> None:
    made = decision("d1", request="r1")
    place.journal.record([made])
    place.drain()
    place.journal.trim(events=0, decisions=1, indexed=0, now=moment(60 * 24 * 999_999))
    assert place.journal.decision("d1") is None
    place.journal.record([made, decision("d2", request="r2")])
    assert place.drain().decisions == 1
    assert sorted(place.lake.snapshot().decisions().collect()["id"]) == ["d1", "d2"]
    again = [made, decision("d3", request="r3"), decision("d3", request="r3")]
    assert place.lake.append_decisions(again, "whole") == Appended(1, 2)


def test_decisions_are_synced_before_they_go_into_the_lake(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, commit = place.journal.sync, place.lake.commit_decisions
    monkeypatch.setattr(draining, "DECISIONS_AT_ONCE", 3)
    monkeypatch.setattr(journaling, "SYNC_DECISIONS_S", 3_600)  # the journal's own thread syncs in no slow test

    def synced() -> None:
        sync()
        order.append("sync")
        place.journal.record([decision("late", request="late")])

    def committed(made, *rest):
        order.extend(entry.id for entry in made)
        return commit(made, *rest)

    monkeypatch.setattr(place.journal, "sync", synced)
    monkeypatch.setattr(place.lake, "commit_decisions", committed)
    place.journal.record([decision(f"d{n}", request=f"r{n}") for n in range(4)])
    assert place.drain().decisions == 4
    assert order == ["sync", "d0", "d1", "d2", "d3"], "what came in after the sync waits for the next drain"


def test_a_journal_that_is_older_than_the_lake_goes_on_behind_it(place: Place, tmp_path: Path) -> None:
    place.journal.append([event(1)], START)
    place.journal.record([decision("d1", request="r1")])
    place.journal.sync()
    shutil.copytree(tmp_path / "journal", tmp_path / "backup")
    place.journal.append([event(n) for n in range(2, 6)], START)
    place.journal.record([decision(f"d{n}", request=f"r{n}") for n in range(2, 6)])
    assert place.drain() == Drained(events=5, decisions=5)
    place.journal.close()
    shutil.rmtree(tmp_path / "journal")
    shutil.copytree(tmp_path / "backup", tmp_path / "journal")
    restored = Place(tmp_path)
    assert restored.journal.last() == Places(5, 5)
    assert restored.journal.pending() == Pending(0, 0)
    assert restored.journal.append([event(n) for n in (5, 6, 7)], START) == [True] * 3, "it knows nothing of e5"
    restored.journal.record([decision(f"d{n}", request=f"r{n}") for n in (5, 6, 7)])
    assert restored.drain() == Drained(events=2, decisions=2, duplicates=1)
    assert_whole(restored.lake_ids(), [f"e{n}" for n in range(1, 8)])
    assert_whole(restored.lake.snapshot().decisions().collect()["id"].to_list(), [f"d{n}" for n in range(1, 8)])
    restored.journal.close()


def test_a_journal_that_was_never_written_to_can_go_on_behind_a_lake(place: Place) -> None:
    place.journal.go_on_behind(7, 3)
    place.journal.go_on_behind(2, 1)
    assert place.journal.last() == Places(7, 3)
    place.journal.append([event(1)], START)
    assert [entry.sequence for entry in place.journal.events_after(0, 5).events] == [8]
    assert place.journal.pending() == Pending(1, 0)


def test_ids_that_an_earlier_version_drained_twice_go_at_compaction(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "SMALL_FILES", 2)
    rows, name = frame([{"id": "e1", "user": "ann", "item": "x"}]), place.journal.name
    for version in (1, 2):
        place.lake.commit_events(rows, name, name, version, Trusted(name, "received", START))
    assert place.lake_ids() == ["e1", "e1"]
    place.lake.compact("events", name)
    assert place.lake_ids() == ["e1"]
