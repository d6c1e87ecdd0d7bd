"""Which visitors became which users, kept beside an index of histories, by name: it outlives the codes of a layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from segue.data.histories.index import Texts, found_row, opened, write_texts
from segue.data.identity.stitch import SHARED, Links


class LinkedPeople:
    """The visitors who were seen with users, opened. Reading needs a page or two, however many there are."""

    def __init__(self, folder: Path) -> None:
        self._hashes, self._rows = opened(folder / "linked-hashes.npy"), opened(folder / "linked-rows.npy")
        self._visitors, self._users = opened(folder / "linked-visitors.npy"), opened(folder / "linked-users.npy")
        self._by_user = opened(folder / "linked-by-user.npy")
        self._people = Texts(folder, "linked")

    def alike(self, person: str) -> list[str]:
        """All the names that one person has: the user first, then the visitors who became that user."""
        row = found_row(person, self._hashes, self._rows, self._people)
        if row < 0:
            return [person]
        place = self._place(row)
        if place is not None:
            row = row if self._users[place] == SHARED else int(self._users[place])
        first, last = np.searchsorted(self._users, [row, row + 1], sorter=self._by_user)
        return self._people.texts(np.concatenate([[row], self._visitors[self._by_user[first:last]]]))

    def holds(self, visitor: str) -> bool:
        """Whether the visitor was seen with a user, or with several."""
        row = found_row(visitor, self._hashes, self._rows, self._people)
        return row >= 0 and self._place(row) is not None

    def _place(self, row: int) -> int | None:
        place = int(self._visitors.searchsorted(row))
        return place if place < len(self._visitors) and self._visitors[place] == row else None


def linked_people(folder: Path) -> LinkedPeople | None:
    """The links beside an index; None where visitors were not stitched when it was built."""
    return LinkedPeople(folder) if (folder / "linked-users.npy").is_file() else None


def write_links(links: Links, people: pl.DataFrame, folder: Path) -> None:
    """The people who are linked, with their names, and which visitor became which user; rows are places among them."""
    became = links.users != SHARED
    codes = np.unique(np.concatenate([links.visitors, links.users[became]]))
    users = np.where(became, np.searchsorted(codes, links.users), SHARED).astype(np.int32)
    hashes = write_texts(people[codes], folder, "linked")
    order = np.argsort(hashes, kind="stable")
    np.save(folder / "linked-hashes.npy", hashes[order])
    np.save(folder / "linked-rows.npy", order.astype(np.int32))
    np.save(folder / "linked-visitors.npy", np.searchsorted(codes, links.visitors).astype(np.int32))
    np.save(folder / "linked-users.npy", users)
    np.save(folder / "linked-by-user.npy", np.argsort(users, kind="stable").astype(np.int32))
