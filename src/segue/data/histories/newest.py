"""Which visitors were seen with which users since the index was built: read from the journal once, as it grows."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Final

from segue.data.histories.links import LinkedPeople
from segue.data.journal.journal import Journal
from segue.domain.events import person_key

AT_ONCE: Final = 10_000  # events


class NewestLinks:
    """The links of a journal's events after a place; threads share it. A link that was seen is never taken back."""

    def __init__(self, journal: Journal, after: int) -> None:
        self._journal, self._last = journal, after
        self._users: dict[str, set[str]] = defaultdict(set)
        self._visitors: dict[str, set[str]] = defaultdict(set)
        self._lock = threading.Lock()

    def names(self, person: str, linked: LinkedPeople | None) -> list[str]:
        """All the names that one person has by the index and the newest events: a user first, then visitors.

        A visitor of several users is nobody's, from the first event on that shows it.
        """
        with self._lock:
            self._read()
            if person.startswith("v:"):
                users = self._users_of(person, linked)
                if len(users) != 1:
                    return [person]
                (person,) = users
            known = linked.alike(person) if linked else [person]
            visitors = dict.fromkeys([*known[1:], *sorted(self._visitors.get(person, ()))])
            return [person, *(each for each in visitors if self._users_of(each, linked) == {person})]

    def _users_of(self, visitor: str, linked: LinkedPeople | None) -> set[str]:
        """The users whom a visitor was seen with; none where the index knows of several."""
        users = self._users.get(visitor, set())
        if linked is None or not linked.holds(visitor):
            return users
        user = linked.alike(visitor)[0]
        return set() if user == visitor else users | {user}

    def _read(self) -> None:
        while events := self._journal.events_after(self._last, AT_ONCE).events:
            for entry in events:
                if entry.event.user is not None and entry.event.visitor is not None:
                    user, visitor = person_key(entry.event.user, None), person_key(None, entry.event.visitor)
                    self._users[visitor].add(user)
                    self._visitors[user].add(visitor)
            self._last = events[-1].sequence


__all__ = ["NewestLinks"]
