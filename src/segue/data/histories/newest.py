"""Which visitors were seen with which users since the index was built: read from the journal once, as it grows."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from operator import itemgetter
from typing import Final

from segue.data.histories.links import Alike, LinkedPeople, Turn, Whose, no_turns
from segue.data.identity.settings import Shared
from segue.data.journal.journal import Journal, microseconds
from segue.domain.events import person_key

AT_ONCE: Final = 10_000  # events


class NewestLinks:
    """The links of a journal's events after a place; threads share it. A link that was seen is never taken back."""

    def __init__(self, journal: Journal, after: int, shared: Shared = "alone") -> None:
        self._journal, self._last, self._shared = journal, after, shared
        self._users: dict[str, set[str]] = defaultdict(set)
        self._visitors: dict[str, set[str]] = defaultdict(set)
        self._seen: dict[str, list[Turn]] = defaultdict(list)  # ascending, two at most of a user in a row
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
        return None if self._shared == "alone" else self._turns(visitor, linked).now()

    def _users_of(self, visitor: str, linked: LinkedPeople | None) -> set[str]:
        """The users whom a visitor was seen with; none where the index knows of several."""
        users = self._users.get(visitor, set())
        if linked is None or not linked.holds(visitor):
            return users
        user = linked.alike(visitor)[0]
        return set() if user == visitor else users | {user}

    def _turns(self, visitor: str, linked: LinkedPeople | None) -> Whose:
        """Whose a visitor of several users was; what is read of it later is not in it."""
        newest = tuple(self._seen.get(visitor, ()))
        return no_turns(newest) if linked is None else linked.turns(visitor, newest)

    def _read(self) -> None:
        while events := self._journal.events_after(self._last, AT_ONCE).events:
            for entry in events:
                if entry.event.user is not None and entry.event.visitor is not None:
                    user, visitor = person_key(entry.event.user, None), person_key(None, entry.event.visitor)
                    self._users[visitor].add(user)
                    self._visitors[user].add(visitor)
                    if entry.event.time is not None and self._shared != "alone":
                        _keep(self._seen[visitor], (microseconds(entry.event.time), user))
            self._last = events[-1].sequence


def _keep(turns: list[Turn], turn: Turn) -> None:
    """Let a turn in by its time; of several users at one time the first by name stays.

    Of a user who is seen again and again only the first time stays and the last: what comes in order of time is told as
    if all had stayed, and what comes late, from between the two, until the index is built again as if nobody had been
    seen between.
    """
    place = bisect_left(turns, turn[0], key=itemgetter(0))
    if place < len(turns) and turns[place][0] == turn[0]:
        turns[place] = min(turns[place], turn)
    else:
        turns.insert(place, turn)
    for middle in (place + 1, place, place - 1):  # from behind, so that the places before stay
        if 0 < middle < len(turns) - 1 and turns[middle - 1][1] == turns[middle][1] == turns[middle + 1][1]:
            del turns[middle]


__all__ = ["NewestLinks"]
