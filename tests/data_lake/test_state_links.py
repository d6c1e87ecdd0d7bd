"""Live histories of stitched people: what the journal shows of a visitor counts from its first event on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.histories.index import Texts
from segue.data.histories.links import LinkedPeople, linked_people, write_links
from segue.data.histories.newest import NewestLinks, _keep
from segue.data.histories.state import UserState
from segue.data.identity.settings import IdentitySettings
from segue.data.identity.stitch import SHARED, Links
from segue.data.identity.turns import Turns
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.events import Event
from tests.data_lake.world import START, moment

TURNS = EventSource(identity=IdentitySettings(stitch=True, shared="last"))
STITCHED = EventSource(identity=IdentitySettings(stitch=True))
EVERYBODY = ("u:ann", "u:bob", "v:phone")


class World:
    """A journal, a lake and what is read from both."""

    def __init__(self, folder: Path, source: EventSource = STITCHED) -> None:
        self.journal, self.lake = SQLiteJournal(folder / "journal"), Lake(folder / "lake")
        self.state = UserState(folder, source, self.journal)

    def sent(self, number: int, user: str | None, visitor: str | None, *, timed: bool = True) -> None:
        time = moment(number) if timed else None
        event = Event(id=f"e{number}", type="view", item=f"i{number}", user=user, visitor=visitor, time=time)
        self.journal.append([event], moment(number))

    def indexed(self) -> None:
        drain(self.lake, self.journal, self.state, START)
        self.state.rebuild(self.lake.snapshot())

    def items(self) -> dict[str, list[str]]:
        return {person: [past.item for past in self.state.history(person)] for person in EVERYBODY}


def test_a_known_visitor_who_is_met_with_another_user_is_nobodys_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sent(1, None, "phone")
    world.sent(2, "ann", "phone")
    world.indexed()
    assert world.items() == {"u:ann": ["i1", "i2"], "u:bob": [], "v:phone": ["i1", "i2"]}
    world.sent(3, "bob", "phone")
    shared = {"u:ann": ["i2"], "u:bob": ["i3"], "v:phone": ["i1"]}
    assert world.items() == shared, "as the index will say"
    world.indexed()
    assert world.items() == shared


def test_a_new_visitor_is_the_user_it_is_met_with_until_another_comes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sent(1, None, "phone")
    world.indexed()
    world.sent(2, "ann", "phone")
    assert world.items() == {"u:ann": ["i1", "i2"], "u:bob": [], "v:phone": ["i1", "i2"]}
    world.sent(3, "bob", "phone")
    assert world.items() == {"u:ann": ["i2"], "u:bob": ["i3"], "v:phone": ["i1"]}


def test_a_visitor_of_several_users_is_by_turns_who_was_last_seen_with_it(tmp_path: Path) -> None:
    world = World(tmp_path, TURNS)
    world.sent(1, None, "phone")
    world.sent(2, "ann", "phone")
    world.sent(3, None, "phone")
    assert world.items() == {"u:ann": ["i1", "i2", "i3"], "u:bob": [], "v:phone": ["i1", "i2", "i3"]}
    world.sent(4, "bob", "phone")
    world.sent(5, None, "phone")
    assert world.items() == {"u:ann": ["i1", "i2", "i3"], "u:bob": ["i4", "i5"], "v:phone": ["i4", "i5"]}
    world.sent(6, "ann", "phone")
    world.sent(7, None, "phone")
    world.sent(8, None, "phone", timed=False)
    last = ["i1", "i2", "i3", "i6", "i7"]
    assert world.items() == {"u:ann": last, "u:bob": ["i4", "i5"], "v:phone": last}, "i8 cannot be told"


class Swapped(SQLiteJournal):
    """A journal that, as it is first asked its name, lets somebody build the index anew: while a request reads."""

    swap: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        swap, self.swap = self.swap, None
        if swap is not None:
            swap()
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name


@pytest.mark.parametrize("source", [STITCHED, TURNS], ids=["alone", "last"])
def test_an_index_that_is_replaced_while_a_request_reads_keeps_its_links(tmp_path: Path, source: EventSource) -> None:
    world = World(tmp_path, source)
    world.sent(1, None, "phone")
    world.sent(2, "ann", "phone")
    world.indexed()
    journal = Swapped(tmp_path / "journal")
    reader = UserState(tmp_path, source, journal)
    journal.swap = world.indexed
    assert [past.item for past in reader.history("u:ann")] == ["i1", "i2"]
    assert journal.swap is None


def test_an_index_whose_links_go_while_it_is_opened_is_not_taken_for_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    world.sent(1, None, "phone")
    world.sent(2, "ann", "phone")
    world.indexed()
    replaced = []

    def links(folder: Path) -> LinkedPeople | None:
        if not replaced:
            replaced.append(folder)
            world.indexed()
        return linked_people(folder)

    monkeypatch.setattr("segue.data.histories.links.linked_people", links)
    reader = UserState(tmp_path, STITCHED, world.journal)
    assert [past.item for past in reader.history("u:ann")] == ["i1", "i2"]
    assert replaced
    assert not replaced[0].exists()


turn = st.tuples(st.integers(0, 9), st.sampled_from(["u:ann", "u:bob", "u:cat"]))


@given(st.lists(turn, max_size=6), st.lists(turn, max_size=6), st.integers(0, 10))
def test_whose_turn_it_was_is_that_of_all_turns_in_one_list(
    indexed: list[tuple[int, str]], newest: list[tuple[int, str]], time: int
) -> None:
    """The first by name of each time; the last until then, before the first that one."""
    before, since = (
        {when: min(who for at, who in turns if at == when) for when, _ in turns} for turns in (indexed, newest)
    )
    whole = {
        when: min(turns[when] for turns in (before, since) if when in turns) for when in sorted({**before, **since})
    }
    begun = [when for when in whole if when <= time] or list(whole)[:1]
    with TemporaryDirectory() as folder:
        linked = _linked(Path(folder), dict(sorted(before.items())))
        found = linked.turns("v:phone", sorted(since.items()))
        assert found.at(time) == (whole[begun[-1]] if begun else None)
        assert found.now() == (list(whole.values())[-1] if whole else None)


@given(st.lists(turn, max_size=4), st.lists(turn, max_size=12))
def test_of_turns_that_come_in_order_of_time_enough_are_kept(
    indexed: list[tuple[int, str]], newest: list[tuple[int, str]]
) -> None:
    """Of one time they come in any order."""
    before = {when: min(who for at, who in indexed if at == when) for when, _ in sorted(indexed)}
    came = [(max(before, default=-1) + 1 + when, who) for when, who in sorted(newest, key=lambda turn: turn[0])]
    whole = {when: min(who for at, who in came if at == when) for when, _ in came}
    kept: list[tuple[int, str]] = []
    for each in came:
        _keep(kept, each)
    with TemporaryDirectory() as folder:
        linked = _linked(Path(folder), before)
        some, every = (linked.turns("v:phone", turns) for turns in (kept, list(whole.items())))
        assert [some.at(time) for time in range(20)] == [every.at(time) for time in range(20)]


@given(st.lists(turn))
def test_of_a_user_who_is_seen_again_and_again_two_times_are_kept(told: list[tuple[int, str]]) -> None:
    kept: list[tuple[int, str]] = []
    for each in told:
        _keep(kept, each)
    assert kept == sorted(kept)
    assert set(kept) <= set(told)
    users = [user for _, user in kept]
    assert not any(one == two == three for one, two, three in zip(users, users[1:], users[2:], strict=False))


def test_who_is_seen_late_on_a_shared_device_has_the_turn_until_the_next(tmp_path: Path) -> None:
    world = World(tmp_path, TURNS)
    for number in (1, 3, 5, 7):
        world.sent(number, "ann", "phone")
    world.sent(9, "bob", "phone")
    world.sent(2, "bob", "phone")
    world.sent(4, None, "phone")
    assert world.items()["u:bob"] == ["i2", "i4", "i9"], "what is between ann's first and last time is not kept"
    world.indexed()
    assert world.items()["u:bob"] == ["i2", "i9"]
    assert "i4" in world.items()["u:ann"]


def test_of_a_shared_device_the_newest_thousand_events_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/identity.md says: what was done at a kiosk before goes out of live histories, whoever did it."""
    monkeypatch.setattr("segue.data.histories.index.KEPT", 3)
    world = World(tmp_path, TURNS)
    for number, who in enumerate(["ann", None, None, "bob", None, None], 1):
        world.sent(number, who, "phone")
    before = world.items()
    assert (before["u:ann"], before["u:bob"]) == (["i1", "i2", "i3"], ["i4", "i5", "i6"])
    world.indexed()
    after = world.items()
    assert (after["u:ann"], after["u:bob"]) == (["i1", "i3"], ["i4", "i5", "i6"])


def test_a_device_of_many_turns_is_not_read_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where one constant stands in place of a visitor who is not known."""
    linked = _linked(tmp_path, {time: f"u:{'ann' if time % 2 else 'bob'}" for time in range(10_000)})
    decoded: list[int] = []
    texts = Texts.texts

    def counting(self: Texts, codes: npt.NDArray[np.integer]) -> list[str]:
        decoded.append(len(codes))
        return texts(self, codes)

    monkeypatch.setattr(Texts, "texts", counting)
    alike = NewestLinks(SQLiteJournal(tmp_path / "journal"), 0, "last").alike("u:ann", linked)
    assert [alike.counts("v:phone", time) for time in (7, 8)] == [True, False]
    assert sum(decoded) < 20


def _linked(folder: Path, turns: dict[int, str]) -> LinkedPeople:
    """A phone of several users, whose turns are those, by time."""
    names = ["u:ann", "u:bob", "u:cat", "v:phone"]
    users = np.array([names.index(user) for user in turns.values()], np.int32)
    told = Turns(np.full(len(turns), 3, np.int32), np.array(list(turns), np.int64), users)
    write_links(
        Links(np.array([3], np.int32), np.array([SHARED], np.int32), 4, told), pl.DataFrame({"id": names}), folder
    )
    return LinkedPeople(folder)


PHONE, ANN, BOB = (None, "phone"), ("ann", "phone"), ("bob", "phone")
LOGINS = ([PHONE, ANN, PHONE, BOB], [ANN, PHONE, ANN, BOB], [BOB, PHONE, ANN, BOB], [ANN, BOB, PHONE, ANN])


@pytest.mark.slow
@pytest.mark.parametrize("source", [STITCHED, TURNS], ids=["alone", "last"])
@pytest.mark.parametrize("sent", LOGINS)
def test_histories_by_links_are_the_same_wherever_the_index_ends(tmp_path: Path, source: EventSource, sent) -> None:
    found = []
    for indexed in range(len(sent) + 2):  # after so many events; 0: never
        world = World(tmp_path / str(indexed), source)
        for place, who in enumerate([*sent, PHONE], 1):
            world.sent(place, *who)
            if place == indexed:
                world.indexed()
        found.append(world.items())
    assert all(each == found[0] for each in found)
