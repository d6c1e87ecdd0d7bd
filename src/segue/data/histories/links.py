"""Which visitors became which users, kept beside an index of histories, by name: it outlives the codes of a layer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.histories.index import Texts, found_row, opened, write_texts
from segue.data.identity.stitch import SHARED, Links
from segue.domain.requests import NO_TIME

Turn = tuple[int, str]  # from when on (microseconds since 1970 UTC) a visitor of several users was whose


@dataclass(frozen=True)
class Whose:
    """Whose a visitor of several users was: turns of the index, however many, and turns that came since.

    times   int64[turns] ascending, of the index
    users   int32[turns], rows of `people`
    newest  ascending, one for each time

    >>> turns = Whose(np.array([], np.int64), np.array([], np.int32), None, [(10, "ann"), (20, "bob")])
    >>> [turns.at(time) for time in (5, 19, 20, int(NO_TIME))]
    ['ann', 'ann', 'bob', None]
    """

    times: npt.NDArray[np.int64]
    users: npt.NDArray[np.int32]
    people: Texts | None
    newest: Sequence[Turn] = ()

    def __len__(self) -> int:
        return len(self.times) + len(self.newest)

    def at(self, time: int) -> str | None:
        """The user whose turn it was, before the first turn the user of that; nobody where there is no time. Of users
        who were seen at one time the first by name counts."""
        found = [] if time == NO_TIME else [*self._known(time), *self._since(time)]
        begun = max((turn[0] for turn in found if turn[0] <= time), default=None)
        return min((turn for turn in found if begun in (None, turn[0])), default=(0, None))[1]

    def now(self) -> str | None:
        """The user of the last turn."""
        return self.at(int(np.iinfo(np.int64).max))

    def _known(self, time: int) -> list[Turn]:
        if self.people is None or not len(self.times):
            return []
        place = max(int(self.times.searchsorted(time, "right")) - 1, 0)
        return [(int(self.times[place]), self.people.texts(self.users[place : place + 1])[0])]

    def _since(self, time: int) -> Sequence[Turn]:
        last = bisect_right(self.newest, time, key=itemgetter(0))
        return self.newest[max(last - 1, 0) : max(last, 1)]


@dataclass(frozen=True)
class Alike:
    """Who is one person: all that `names` did, and what visitors of several users did in that person's turns.

    names  the user (or a visitor whom nobody knows) first
    turns  by visitor
    """

    names: Sequence[str]
    turns: Mapping[str, Whose] = field(default_factory=dict)

    def counts(self, name: str, time: int) -> bool:
        """Whether what one of these did at a time counts for the person."""
        turns = self.turns.get(name)
        return turns is None or turns.at(time) == self.names[0]


class LinkedPeople:
    """The visitors who were seen with users, opened. Reading needs a page or two, however many there are."""

    def __init__(self, folder: Path) -> None:
        self._hashes, self._rows = opened(folder / "linked-hashes.npy"), opened(folder / "linked-rows.npy")
        self._visitors, self._users = opened(folder / "linked-visitors.npy"), opened(folder / "linked-users.npy")
        self._by_user = opened(folder / "linked-by-user.npy")
        self._people = Texts(folder, "linked")
        there = (folder / "linked-turn-by-user.npy").is_file()
        names = ("visitors", "times", "users", "by-user") if there else ()
        self._turns = tuple(opened(folder / f"linked-turn-{name}.npy") for name in names)

    def alike(self, person: str) -> list[str]:
        """All the names that one person has: the user first, then the visitors who became that user."""
        row = self._row(person)
        if row < 0:
            return [person]
        place = self._place(row)
        if place is not None:
            row = row if self._users[place] == SHARED else int(self._users[place])
        first, last = np.searchsorted(self._users, [row, row + 1], sorter=self._by_user)
        return self._people.texts(np.concatenate([[row], self._visitors[self._by_user[first:last]]]))

    def holds(self, visitor: str) -> bool:
        """Whether the visitor was seen with a user, or with several."""
        row = self._row(visitor)
        return row >= 0 and self._place(row) is not None

    def turns(self, visitor: str, newest: Sequence[Turn] = ()) -> Whose:
        """Whose a visitor of several users was, and from when on: of one that had one user here, that user until
        another came."""
        row = self._row(visitor)
        place = None if row < 0 else self._place(row)
        if place is not None and self._users[place] != SHARED:
            return Whose(np.array([NO_TIME]), self._users[place : place + 1], self._people, newest)
        if row < 0 or not self._turns:
            return no_turns(newest)
        visitors, times, users, _ = self._turns
        first, last = np.searchsorted(visitors, [row, row + 1])
        return Whose(times[first:last], users[first:last], self._people, newest)

    def turned(self, user: str) -> list[str]:
        """The visitors of several users who were this user's at some time."""
        row = self._row(user) if self._turns else -1
        if row < 0:
            return []
        visitors, _, users, by_user = self._turns
        first, last = np.searchsorted(users, [row, row + 1], sorter=by_user)
        return self._people.texts(np.unique(visitors[by_user[first:last]]))

    def _row(self, person: str) -> int:
        return found_row(person, self._hashes, self._rows, self._people)

    def _place(self, row: int) -> int | None:
        place = int(self._visitors.searchsorted(row))
        return place if place < len(self._visitors) and self._visitors[place] == row else None


def no_turns(newest: Sequence[Turn]) -> Whose:
    """What is known of a visitor whom the index says nothing of."""
    return Whose(np.zeros(0, np.int64), np.zeros(0, np.int32), None, newest)


def linked_people(folder: Path) -> LinkedPeople | None:
    """The links beside an index; None where visitors were not stitched when it was built."""
    return LinkedPeople(folder) if (folder / "linked-users.npy").is_file() else None


def write_links(links: Links, people: pl.DataFrame, folder: Path) -> None:
    """The people who are linked, with their names, which visitor became which user, and whose those of several were
    when; rows are places among them."""
    became = links.users != SHARED
    turned = () if links.turns is None else (links.turns.users,)
    codes = np.unique(np.concatenate([links.visitors, links.users[became], *turned]))
    users = np.where(became, np.searchsorted(codes, links.users), SHARED).astype(np.int32)
    hashes = write_texts(people[codes], folder, "linked")
    order = np.argsort(hashes, kind="stable")
    np.save(folder / "linked-hashes.npy", hashes[order])
    np.save(folder / "linked-rows.npy", order.astype(np.int32))
    np.save(folder / "linked-visitors.npy", np.searchsorted(codes, links.visitors).astype(np.int32))
    np.save(folder / "linked-users.npy", users)
    np.save(folder / "linked-by-user.npy", np.argsort(users, kind="stable").astype(np.int32))
    if links.turns is not None:
        np.save(folder / "linked-turn-visitors.npy", np.searchsorted(codes, links.turns.visitors).astype(np.int32))
        np.save(folder / "linked-turn-times.npy", links.turns.times.astype(np.int64))
        turned_to = np.searchsorted(codes, links.turns.users).astype(np.int32)
        np.save(folder / "linked-turn-users.npy", turned_to)
        np.save(folder / "linked-turn-by-user.npy", np.argsort(turned_to, kind="stable").astype(np.int32))
