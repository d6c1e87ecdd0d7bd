"""The histories of serving: a visitor's past is the user's, from the login on and after the index knows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.data.histories.state import UserState
from segue.data.identity.settings import IdentitySettings
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.events import Event
from tests.data_lake.world import frame, moment

STITCH = EventSource(identity=IdentitySettings(stitch=True))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SQLiteJournal]:
    journal = SQLiteJournal(tmp_path / "journal")
    yield journal
    journal.close()


def did(number: int, item: str, **who: str) -> Event:
    return Event(id=f"e{number}", type="view", item=item, time=moment(number), **who)


def items(state: UserState, person: str) -> list[str]:
    return [event.item for event in state.history(person)]


def bring_in(folder: Path, journal: SQLiteJournal, state: UserState) -> Lake:
    lake = Lake(folder / "lake")
    drain(lake, journal, state)
    state.rebuild(lake.snapshot())
    return lake


def test_a_login_joins_what_is_in_the_index_and_what_is_not(tmp_path: Path, journal: SQLiteJournal) -> None:
    state = UserState(tmp_path, STITCH, journal)
    journal.append([did(1, "early", visitor="v"), did(2, "own", user="ann")], moment(2))
    bring_in(tmp_path, journal, state)
    journal.append([did(3, "late", visitor="v")], moment(3))
    assert items(state, "u:ann") == ["own"]
    journal.append([did(4, "login", user="ann", visitor="v")], moment(4))
    assert items(state, "u:ann") == ["early", "own", "late", "login"]
    bring_in(tmp_path, journal, state)
    journal.append([did(5, "logged out", visitor="v")], moment(5))
    for person in ("u:ann", "v:v"):
        assert items(state, person) == ["early", "own", "late", "login", "logged out"]
    assert items(UserState(tmp_path, EventSource(), journal), "u:nobody") == []


def test_a_login_in_a_later_file_joins_what_lies_in_the_layers_below(tmp_path: Path, journal: SQLiteJournal) -> None:
    state, lake = UserState(tmp_path, STITCH, journal), Lake(tmp_path / "lake")
    many = [{"id": f"m{n}", "user": f"p{n}", "item": "x", "time": moment(0)} for n in range(50)]
    early = {"id": "e", "visitor": "v", "item": "early", "time": moment(1)}
    lake.append_events(frame([{"visitor": None} | row for row in [*many, {"user": None} | early]]), "first")
    state.update(lake.snapshot())
    times = {"time": moment(2), "received": moment(3)}
    login = {"id": "l", "user": "ann", "visitor": "v", "item": "login"} | times
    lake.append_events(frame([login]), "second")
    state.update(lake.snapshot())
    index = state._current()
    assert index is not None
    assert index.below
    assert items(state, "u:ann") == items(state, "v:v") == ["early", "login"]


def test_a_visitor_of_several_is_nobody_elses(tmp_path: Path, journal: SQLiteJournal) -> None:
    state = UserState(tmp_path, STITCH, journal)
    rows = [did(1, "private", visitor="t"), did(2, "a", user="ann", visitor="t"), did(3, "b", user="bob", visitor="t")]
    journal.append(rows, moment(3))
    bring_in(tmp_path, journal, state)
    journal.append([did(4, "c", user="eve", visitor="t")], moment(4))
    assert {name: items(state, name) for name in ("u:ann", "u:bob", "u:eve", "v:t")} == {
        "u:ann": ["a"],
        "u:bob": ["b"],
        "u:eve": ["c"],
        "v:t": ["private"],
    }


def test_where_it_is_not_declared_everybody_stays_who_they_are(tmp_path: Path, journal: SQLiteJournal) -> None:
    state = UserState(tmp_path, EventSource(), journal)
    journal.append([did(1, "x", visitor="v"), did(2, "y", user="ann", visitor="v")], moment(2))
    assert items(state, "u:ann") == ["y"]
    lake = bring_in(tmp_path, journal, state)
    assert (items(state, "u:ann"), items(state, "v:v")) == (["y"], ["x"])
    assert UserState(tmp_path, STITCH, journal).is_behind(lake.snapshot())
