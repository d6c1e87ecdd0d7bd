"""Who can be picked on the page: the people of the lake with their names, found by a part of either."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from segue.data.lake.lake import Lake
from segue.domain.columns import CODE, ID, USER, VISITOR

KEPT = 100_000  # those who did most, where there are more
FOUND = 12
GUEST, STRANGER = "guest-", "Someone new"  # the page makes visitors whom it calls so
FRESH_SECONDS = 60.0
NAMES = ("name", "full_name", "display_name", "username", "nickname")


@dataclass(frozen=True)
class Person:
    """Somebody of the log: `key` as `person_key` names them, and what people call them."""

    key: str
    name: str
    events: int

    @property
    def kind(self) -> str:
        """`user` or `visitor`."""
        return USER if self.key.startswith("u:") else VISITOR

    @property
    def id(self) -> str:
        """Without the kind."""
        return self.key[2:]

    @property
    def known(self) -> bool:
        """Whether there is a name to call them by."""
        return self.name not in (self.id, STRANGER)


class People:
    """Read from the lake when the page first asks, and again, at most each minute, when the lake has changed."""

    def __init__(self, workspace: Path) -> None:
        self._lake = workspace / "lake"
        self._lock = threading.Lock()
        self._people: list[Person] = []
        self._by_key: dict[str, Person] = {}
        self._searched: list[str] = []
        self._read_at = -FRESH_SECONDS
        self._fingerprint = ""

    def find(self, text: str) -> list[Person]:
        """At most a dozen whose name or id has `text` in it, the best known first. It may read the lake."""
        self._refresh()
        wanted = text.casefold().strip()
        found = []
        for person, searched in zip(self._people, self._searched, strict=True):
            if wanted in searched:
                found.append(person)
                if len(found) == FOUND:
                    break
        return found

    def get(self, key: str) -> Person:
        """The person of this key; one who is not in the lake is called by the id."""
        self._refresh()
        return self._by_key.get(key) or Person(key, STRANGER if key.startswith(f"v:{GUEST}") else key[2:], 0)

    def __len__(self) -> int:
        return len(self._people)

    def at(self, place: int) -> Person:
        """One of them."""
        return self._people[place]

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < FRESH_SECONDS:
                return
            snapshot = Lake(self._lake).snapshot()
            if snapshot.fingerprint != self._fingerprint:
                self._people = _people(snapshot)
                self._by_key = {person.key: person for person in self._people}
                self._searched = [f"{person.name} {person.id}".casefold() for person in self._people]
                self._fingerprint = snapshot.fingerprint
            self._read_at = time.monotonic()


def _people(snapshot: Any) -> list[Person]:
    """Those with a name first (what has none may be a robot), and among them those who did most."""
    import polars as pl

    person = pl.coalesce(USER, VISITOR).alias(CODE)
    counts = snapshot.coded_events().select(person).drop_nulls().group_by(CODE).len()
    most = counts.sort("len", CODE, descending=[True, False]).head(KEPT).collect()
    ids = snapshot.person_ids
    names = _names(snapshot)
    keys = ids.take(most[CODE].to_list())
    everybody = zip(keys, most["len"].to_list(), strict=True)
    people = [Person(key, names.get(key, key[2:]), count) for key, count in everybody]
    return sorted(people, key=lambda person: person.key not in names)


def _names(snapshot: Any) -> dict[str, str]:
    """What the user table calls them, by key."""
    rows = snapshot.users().collect()
    named = {}
    for user, attributes in zip(rows[ID].to_list(), rows["attributes"].to_list(), strict=True):
        if name := _name(msgspec.json.decode(attributes or "{}")):
            named[f"u:{user}"] = name
    return named


def _name(attributes: dict[str, Any]) -> str:
    for column, value in attributes.items():
        if column.casefold() in NAMES and isinstance(value, str) and value.strip():
            return value.strip()[:80]
    return ""
