"""Live histories of stitched people: what the journal shows of a visitor counts from its first event on."""

from __future__ import annotations

from pathlib import Path

from segue.data.histories.state import UserState
from segue.data.identity.settings import IdentitySettings
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.events import Event
from tests.data_lake.world import START, moment

STITCHED = EventSource(identity=IdentitySettings(stitch=True))
EVERYBODY = ("u:ann", "u:bob", "v:phone")


class World:
    """A journal, a lake and what is read from both."""

    def __init__(self, folder: Path) -> None:
        self.journal, self.lake = SQLiteJournal(folder / "journal"), Lake(folder / "lake")
        self.state = UserState(folder, STITCHED, self.journal)

    def sent(self, number: int, user: str | None, visitor: str | None) -> None:
        event = Event(id=f"e{number}", type="view", item=f"i{number}", user=user, visitor=visitor, time=moment(number))
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
