"""Which visitors were seen with which users since the index was built: read from the journal once, as it grows."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Final

from segue.data.histories.links import Alike, LinkedPeople, Turn
from segue.data.identity.settings import Shared
from segue.data.journal.journal import Journal, microseconds
from segue.domain.events import person_key
from segue.domain.requests import NO_TIME

AT_ONCE: Final = 10_000  # events


class NewestLinks:
    """The links of a journal's events after a place; threads share it. A link that was seen is never taken back."""

    def __init__(self, journal: Journal, after: int, shared: Shared = "alone") -> None:
        self._journal, self._last, self._shared = journal, after, shared
        self._users: dict[str, set[str]] = defaultdict(set)
        self._visitors: dict[str, set[str]] = defaultdict(set)
        self._seen: dict[str, set[Turn]] = defaultdict(set)
        self._lock = threading.Lock()

    def alike(self, person: str, linked: LinkedPeople | None) -> Alike:
        """Who is one person by the index and the newest events: a user first, then visitors.

        A visitor of several users is nobody's, from the first event on that shows it; where visitors go by turns, its
        events are of the user it was last seen with by then, and the visitor is now who that is.
        """
        with self._lock:
            self._read()
            if person.startswith("v:"):
                user = self._is_now(person, linked)
                if user is None:
                    return Alike([person])
                person = user
            known = linked.alike(person) if linked else [person]
            visitors = dict.fromkeys([*known[1:], *sorted(self._visitors.get(person, ()))])
            own = [each for each in visitors if self._users_of(each, linked) == {person}]
            if self._shared == "alone":
                return Alike([person, *own])
            others = dict.fromkeys([*visitors, *(linked.turned(person) if linked else ())])
            turns = {each: self._turns(each, linked) for each in others if each not in own}
            return Alike([person, *own], {each: told for each, told in turns.items() if told})

    def _is_now(self, visitor: str, linked: LinkedPeople | None) -> str | None:
        """The user that a visitor is; None where that is nobody."""
        users = self._users_of(visitor, linked)
        if len(users) == 1:
            return next(iter(users))
        turns = [] if self._shared == "alone" else self._turns(visitor, linked)
        return turns[-1][1] if turns else None

    def _users_of(self, visitor: str, linked: LinkedPeople | None) -> set[str]:
        """The users whom a visitor was seen with; none where the index knows of several."""
        users = self._users.get(visitor, set())
        if linked is None or not linked.holds(visitor):
            return users
        user = linked.alike(visitor)[0]
        return set() if user == visitor else users | {user}

    def _turns(self, visitor: str, linked: LinkedPeople | None) -> list[Turn]:
        """Whose a visitor of several users was, and from when on: of a visitor that had one user in the index, that
        user until another came. Of users who were seen at one time the first by name counts."""
        before = [] if linked is None else linked.turns(visitor)
        if linked is not None and not before and linked.holds(visitor) and linked.alike(visitor)[0] != visitor:
            before = [(int(NO_TIME), linked.alike(visitor)[0])]
        first = dict(sorted([*before, *self._seen.get(visitor, ())], reverse=True))
        return sorted(first.items())

    def _read(self) -> None:
        while events := self._journal.events_after(self._last, AT_ONCE).events:
            for entry in events:
                if entry.event.user is not None and entry.event.visitor is not None:
                    user, visitor = person_key(entry.event.user, None), person_key(None, entry.event.visitor)
                    self._users[visitor].add(user)
                    self._visitors[user].add(visitor)
                    if entry.event.time is not None and self._shared != "alone":
                        self._seen[visitor].add((microseconds(entry.event.time), user))
            self._last = events[-1].sequence


__all__ = ["NewestLinks"]
