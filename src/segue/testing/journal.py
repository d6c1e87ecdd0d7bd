"""The laws of journals: what is acknowledged is kept once, in order, until both lake and index have it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from segue.data.journal.journal import Journal, Pending, Places
from segue.domain.decisions import Decision
from segue.domain.events import Event

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def check_journal(make: Callable[[Path], Journal], folder: Path | None = None) -> None:
    """Hold a journal to its laws. `make(path)` opens the journal that lives at `path`, as another process would.

    - an event is new once; its id is known afterwards, whoever asks, also after it was trimmed;
    - places count up from 1 in the order of commits, without a gap, whoever writes;
    - a person's tail is what came after a place, oldest first, and no other person's;
    - the first decision of a (surface, request) stands, and every opener sees it at once;
    - who is forgotten is in no event and no decision; ids of events stay known, and other people's are as they were;
    - trimming takes what both the lake and the index have, and says so; what is left is as it was.

    >>> from segue.data.journal.journal import SQLiteJournal
    >>> check_journal(SQLiteJournal)
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for number, law in enumerate((_events, _threads, _tails, _decisions, _trims, _forgets, _names)):
            path = Path(place) / str(number)
            one, other = make(path), make(path)
            try:
                law(one, other)
            finally:
                one.close()
                other.close()


def _events(one: Journal, other: Journal) -> None:
    sent = [_event(1), _event(2), _event(1)]
    _same(one.append(sent, NOW), [True, True, False], "an id that comes twice in one call is new once")
    _same(other.append([_event(2), _event(3)], NOW), [False, True], "an id that another opener appended is not new")
    kept = other.events_after(0, 10).events
    _same([entry.event for entry in kept], [_event(1), _event(2), _event(3)], "events come back as they went in")
    _same([entry.sequence for entry in kept], [1, 2, 3], "places count up from 1")
    _same(
        {entry.received for entry in kept}, {1_772_366_400_000_000}, "the moment of receiving is kept, in microseconds"
    )
    _same(one.pending(), Pending(3, 0), "events that no lake has are pending")
    _same(one.last(), Places(3, 0), "the last place is known")
    _same(
        [entry.sequence for entry in one.events_after(1, 1).events],
        [2],
        "events_after begins behind, and ends at, what is asked",
    )


def _threads(one: Journal, other: Journal) -> None:
    def append(number: int) -> list[bool]:
        return (one, other)[number % 2].append([_event(number), _event(number + 1)], NOW)

    with ThreadPoolExecutor(8) as pool:
        new = [answer for answers in pool.map(append, range(60)) for answer in answers]
    _same(sum(new), 61, "of events that several threads append, each is new once")
    kept = one.events_after(0, 1_000).events
    _same([entry.sequence for entry in kept], list(range(1, 62)), "places have no gaps, whoever writes")
    _same(sorted(entry.event.id for entry in kept), sorted(f"e{n}" for n in range(61)), "each event is kept once")


def _tails(one: Journal, other: Journal) -> None:
    people = ["u:ann", "v:ann", "u:bob"]
    for number in range(9):
        user, visitor = (("ann", None), (None, "ann"), ("bob", None))[number % 3]
        one.append([_event(number, user, visitor)], NOW)
    for place, person in enumerate(people):
        ids = [f"e{number}" for number in range(place, 9, 3)]
        _same([event.id for event in other.recent(person)], ids, f"recent({person!r}) is theirs, newest last")
        tail = other.tail(person, 4)
        _same(
            [entry.event.id for entry in tail.events],
            [i for i in ids if int(i[1:]) >= 4],
            "a tail begins behind its place",
        )
    _same(other.recent("u:nobody"), [], "of a person who is not known there is nothing")


def _decisions(one: Journal, other: Journal) -> None:
    _same(one.by_request("home", "r1"), None, "there is no decision before one is recorded")
    first, second, elsewhere = (
        _decision("d1", "home", "r1"),
        _decision("d2", "home", "r1"),
        _decision("d3", "mail", "r1"),
    )
    _same(one.record([first]), [first], "the first decision of a request stands")
    _same(
        other.record([second, elsewhere]), [first, elsewhere], "the second does not; another surface is another request"
    )
    _same(other.decision("d1"), first, "what one opener recorded the other sees")
    _same(one.decision("d2"), None, "a decision that does not stand is not kept")
    _same(one.by_request("home", "r1"), first, "a request finds its decision")
    one.sync()
    _same(one.decisions_after(0, 10), [(1, first), (2, elsewhere)], "decisions come in order, each with its place")
    _same(one.decisions_after(1, 10), [(2, elsewhere)], "decisions_after begins behind what is asked")
    _same(one.pending(), Pending(0, 2), "decisions that no lake has are pending")


def _trims(one: Journal, other: Journal) -> None:
    one.append([_event(number) for number in range(1, 11)], NOW)
    one.record([_decision("d1", "home", "r1")])
    one.trim(events=8, decisions=1, indexed=5, now=NOW)
    tail = other.events_after(0, 100)
    _same(tail.trimmed, 5, "trimming goes as far as both lake and index are")
    _same([entry.sequence for entry in tail.events], [6, 7, 8, 9, 10], "what one of them lacks stays")
    _same(other.pending(), Pending(2, 0), "what the lake has is not pending")
    _same(other.tail("u:ann", 7).trimmed, 5, "a tail says up to where the journal was trimmed")
    _same(other.append([_event(3)], NOW + timedelta(days=6)), [False], "the id of a trimmed event is still known")
    _same(other.by_request("home", "r1"), _decision("d1", "home", "r1"), "a decision just drained is still found")
    one.trim(events=2, decisions=0, indexed=2, now=NOW)
    _same(other.events_after(0, 100).trimmed, 5, "trimming never goes back")
    one.trim(events=10, decisions=1, indexed=10, now=NOW)
    other.append([_event(99)], NOW)
    _same(one.events_after(0, 100).events[0].sequence, 11, "a place is never used again")
    _same(one.remembers().events, NOW - timedelta(days=7), "what is older than what a trim keeps may be forgotten")
    one.go_on_behind(20, 0)
    other.append([_event(100)], NOW)
    _same(one.events_after(11, 100).events[0].sequence, 21, "places that a lake has noted are not given again")
    _same(other.last().decisions, 1, "going on behind never goes back")


def _forgets(one: Journal, other: Journal) -> None:
    ann, bob = _event(1), _event(2)
    bob = Event(id=bob.id, type=bob.type, visitor="someone-else", item=bob.item)
    one.append([ann, bob], NOW)
    one.forget([ann.person])
    _same([entry.event for entry in other.events_after(0, 10).events], [bob], "who is forgotten is in no event")
    _same(other.append([ann], NOW), [False], "an event that was forgotten does not come in again")


def _names(one: Journal, other: Journal) -> None:
    _same((one.name, one.decisions_name), (other.name, other.decisions_name), "a journal has one name for all")
    _same(len({one.name, one.decisions_name}), 2, "events and decisions are drained under names of their own")
    _same(one.name[:8], "journal-", "a journal's name begins with 'journal-'")


def _event(number: int, user: str | None = "ann", visitor: str | None = None) -> Event:
    context = {"n": number, "unicode": "ünï😀"}
    return Event(
        id=f"e{number}", type="view", user=user, visitor=visitor, item="x", time=NOW, value=0.1, context=context
    )


def _decision(identifier: str, surface: str, request_id: str) -> Decision:
    return Decision(
        id=identifier,
        request_id=request_id,
        time=NOW,
        surface=surface,
        release="1",
        policy="greedy",
        seed=1,
        user="ann",
        visitor=None,
        context={"device": "phone"},
        assignments={},
        candidates=(),
        drops=(),
        shown=(),
    )


def _same(found: object, expected: object, law: str) -> None:
    assert found == expected, f"{law}: expected {expected!r}, found {found!r}"
