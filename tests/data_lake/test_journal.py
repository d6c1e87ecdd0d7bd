"""The journal: on disk before it is acknowledged, ids once, the first decision stands, damage said in words."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from segue.data.journal import database as journal_database
from segue.data.journal import journal as journaling
from segue.data.journal.journal import Journal, Pending, SQLiteJournal, microseconds
from segue.domain.decisions import Candidate, Decision, Drop, Reason, Shown
from segue.domain.errors import BusyError, DataError, ReadError
from segue.domain.events import Event
from segue.testing.journal import check_journal
from tests.data_lake.world import START, event, moment


def decision(identifier: str, request: str = "r", surface: str = "home") -> Decision:
    reason = Reason("because of x", (("x", 0.5),), rest=0.1)
    return Decision(
        id=identifier,
        request_id=request,
        time=START,
        surface=surface,
        release="1",
        policy="plackett-luce",
        seed=2**63 + 5,
        user="ann",
        visitor=None,
        context={"device": "phone"},
        assignments={"exp": "b"},
        candidates=(Candidate("i1", "ease", 0.5), Candidate("i2", "ease", 0.25)),
        drops=(Drop("filter", "seen", ("i9",)),),
        shown=(Shown("i1", 0, 0.5, 0.7, "ease", reason), Shown("i2", 1, 0.25, 1.0, "ease", reason)),
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SQLiteJournal]:
    made = SQLiteJournal(tmp_path / "journal")
    yield made
    made.close()


def test_the_contract_suite(tmp_path: Path) -> None:
    check_journal(SQLiteJournal, tmp_path)


def test_it_is_a_journal(journal: SQLiteJournal) -> None:
    assert isinstance(journal, Journal)


def test_nothing_is_no_commit(journal: SQLiteJournal) -> None:
    assert journal.append([], START) == []
    assert journal.record([]) == []


def test_a_clash_of_decision_ids_is_refused(journal: SQLiteJournal) -> None:
    journal.record([decision("d", request="r1")])
    with pytest.raises(DataError, match="another request has a decision with the id 'd'"):
        journal.record([decision("d", request="r2")])
    assert journal.by_request("home", "r2") is None


@pytest.mark.slow
def test_decisions_are_synced_within_a_second(journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr(journal._decisions, "sync", synced.set)
    journal.record([decision("d")])
    assert synced.wait(1.0)


def test_the_log_of_decisions_is_moved_into_the_file_by_syncs_and_starts_anew(
    journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = journal.path / "decisions.db-wal"
    monkeypatch.setattr(journal_database, "FOLDED_BYTES", 1 << 16)
    monkeypatch.setattr(journal_database, "RESTARTED_PAGES", 100)
    for n in range(600):
        journal.record([decision(f"d{n}", request=f"r{n}")])
        if n == 99:
            assert log.stat().st_size > 300 * 4096, "no commit moves anything by itself"
        if n % 50 == 49 and n > 99:
            journal.sync()
    assert log.stat().st_size < 1_000 * 4096
    assert journal.last().decisions == 600
    assert journal.by_request("home", "r599") is not None


@pytest.mark.slow
def test_a_sync_that_fails_is_said_and_tried_again(
    journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried, done, sync = [], threading.Event(), journal.sync

    def fails_once() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise OSError("the disk does not answer")
        sync()
        done.set()

    monkeypatch.setattr(journal, "sync", fails_once)
    journal.record([decision("d")])
    assert done.wait(10.0)
    assert "trying again: the disk does not answer" in caplog.text


def test_events_are_synced_before_they_are_acknowledged(journal: SQLiteJournal) -> None:
    assert journal._events.query("PRAGMA synchronous") == [(2,)]  # FULL: https://sqlite.org/pragma.html
    with journal._events.write() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


WRITER = """
import sys
from pathlib import Path
from segue.data.journal.journal import SQLiteJournal
from tests.data_lake.world import START, event
journal = SQLiteJournal(Path(sys.argv[1]))
for n in range(200):
    assert journal.append([event(n, sys.argv[2], id=f"{sys.argv[2]}-{n}"), event(n, id=f"both-{n}")], START)[0]
"""


@pytest.mark.slow
def test_several_processes_write_at_once(journal: SQLiteJournal) -> None:
    command = [sys.executable, "-c", WRITER, str(journal.path)]
    folder = Path(__file__).parents[2]
    processes = [subprocess.Popen([*command, name], cwd=folder) for name in ("one", "two", "three")]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert journal.pending() == Pending(3 * 200 + 200, 0)
    assert [kept.id for kept in journal.recent("u:two")] == [f"two-{n}" for n in range(200)]
    sequences = [entry.sequence for entry in journal.events_after(0, 10_000).events]
    assert sequences == list(range(1, 801))


def test_what_is_recorded_is_visible_to_others_at_once(journal: SQLiteJournal) -> None:
    other = SQLiteJournal(journal.path)
    assert journal.record([decision("mine")]) == [decision("mine")]
    assert other.record([decision("theirs")]) == [decision("mine")]
    assert other.by_request("home", "r") == decision("mine")
    assert other.decision("theirs") is None
    other.close()


def test_ids_are_remembered_seven_days_and_decisions_one(journal: SQLiteJournal) -> None:
    journal.append([event(1)], START)
    journal.record([decision("d")])
    journal.trim(events=1, decisions=1, indexed=1, now=START + timedelta(days=6.9))
    assert journal.append([event(1)], START) == [False]
    journal.trim(events=1, decisions=1, indexed=1, now=START + timedelta(days=7.1))
    assert journal.append([event(1)], START) == [True]
    journal.trim(events=1, decisions=0, indexed=1, now=moment(60 * 24 * 999_999))
    assert journal.decision("d") is not None, "it was never drained"
    journal.trim(events=1, decisions=1, indexed=1, now=moment(60 * 24 * 999_999))
    assert journal.decision("d") is None


def test_trimming_goes_in_small_steps(journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journaling, "TRIMMED_AT_ONCE", 7)
    journal.append([event(n) for n in range(50)], START)
    journal.trim(events=40, decisions=0, indexed=30, now=START)
    tail = journal.events_after(0, 100)
    assert (tail.trimmed, [entry.sequence for entry in tail.events]) == (30, list(range(31, 51)))
    assert journal.pending() == Pending(10, 0)


def test_a_recent_read_takes_no_scan(journal: SQLiteJournal) -> None:
    plan = journal._events.query(
        "EXPLAIN QUERY PLAN SELECT sequence FROM events WHERE person = ? AND sequence > ? ORDER BY sequence", "u:a", 3
    )
    assert "USING COVERING INDEX by_person (person=? AND rowid>?)" in plan[0][3]


@pytest.mark.parametrize("name", ["events.db", "decisions.db"])
@pytest.mark.parametrize("damage", ["overwritten", "cut", "another"])
def test_a_damaged_file_is_said_in_words(tmp_path: Path, name: str, damage: str) -> None:
    made = SQLiteJournal(tmp_path)
    made.append([event(n) for n in range(500)], START)
    made.record([decision(f"d{n}", request=f"r{n}") for n in range(50)])
    made.close()
    file = tmp_path / name
    whole = file.read_bytes()
    broken = {
        "overwritten": b"this is no database" * 600,
        "cut": whole[: len(whole) // 2],
        "another": whole[:68] + b"\x00\x00\x00\x01" + whole[72:],
    }
    file.write_bytes(broken[damage])
    with pytest.raises(ReadError) as error:
        use(tmp_path)
    assert str(file) in str(error.value)
    assert error.value.mend
    assert file.exists(), "nothing is deleted"


def use(path: Path) -> None:
    opened = SQLiteJournal(path)
    opened.append([event(1_000)], START)
    opened.record([decision("new", request="new")])
    opened.events_after(0, 10_000)
    opened.decisions_after(0, 10_000)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    made = SQLiteJournal(tmp_path)
    with made._events.write() as connection:
        connection.execute("PRAGMA user_version=99")
    made.close()
    with pytest.raises(ReadError, match="format 99"):
        SQLiteJournal(tmp_path)


def test_a_full_disk_acknowledges_nothing(journal: SQLiteJournal) -> None:
    journal.append([event(1)], START)
    pages = journal._events.query("PRAGMA page_count")[0][0]
    journal._events._writer.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(DataError, match="nothing of this call was kept"):
        journal.append([event(n, context={"note": "x" * 500}) for n in range(2, 200)], START)
    assert [kept.id for kept in journal.recent("u:ann")] == ["e1"]
    journal._events._writer.execute("PRAGMA max_page_count=100000")
    assert all(journal.append([event(n) for n in range(2, 200)], START))


def test_a_journal_that_is_held_too_long_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_database, "BUSY_S", 0.1)
    journal = SQLiteJournal(tmp_path)
    foreign = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="has held the journal"):
        journal.append([event(1)], START)
    foreign.execute("ROLLBACK")
    foreign.close()
    assert journal.append([event(1)], START) == [True]
    journal.close()


def test_unicode_and_odd_ids(journal: SQLiteJournal) -> None:
    odd = [
        Event(id=name, type="view", visitor=name, item=name) for name in ("ünïcødé", "'; DROP TABLE", "😀", " ", "\0")
    ]
    assert journal.append(odd, START) == [True] * len(odd)
    for sent in odd:
        assert journal.recent(f"v:{sent.id}") == [sent]


def test_microseconds_are_exact() -> None:
    assert microseconds(START + timedelta(microseconds=1)) - microseconds(START) == 1
    assert microseconds(START.replace(year=1960)) < 0


ENDLESS = """
import sys
from pathlib import Path
from segue.data.journal.journal import SQLiteJournal
from tests.data_lake.world import START, event
journal = SQLiteJournal(Path(sys.argv[1]))
number = journal.last().events
while True:
    journal.append([event(number), event(number + 1)], START)
    number += 2
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.slow
def test_what_a_killed_process_was_told_is_kept(tmp_path: Path) -> None:
    for pause in (0.0, 0.05, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert process.stdout
        process.stdout.readline()
        time.sleep(pause)
        process.kill()
        lines = process.stdout.read().split("\n")
        process.wait()
        process.stdout.close()
        told = max((int(line) for line in lines[:-1]), default=0)
        journal = SQLiteJournal(tmp_path)
        kept = [entry.event.id for entry in journal.events_after(0, 1_000_000).events]
        assert kept == [f"e{n}" for n in range(len(kept))], "whole calls, in order"
        assert len(kept) >= told
        assert len(kept) % 2 == 0
        journal.close()
