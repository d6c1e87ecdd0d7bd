"""Records that say who a visitor is: kept without an item, so that what the visitor did can count for the user."""

from __future__ import annotations

import re
from typing import Any, Final

from segue.data.maps.map import Record
from segue.data.maps.records import a_name

IDENTIFY: Final = "identify"
WEIGHT: Final = 0.0  # of the type: nothing is learned from it but who is who
_NAMES: Final = frozenset(("identify", "login", "logged_in", "sign_in", "signed_in", "sign_up", "signed_up", "signup"))
_PARTING: Final = re.compile(r"[^a-z]+")


def says_who(name: str | None, user: Any, visitor: Any) -> bool:
    """Whether an event of this name, whatever its case and blanks, tells which user a visitor is: it names both.

    >>> says_who("Signed In", "ann", "cookie-7"), says_who("login", "ann", None), says_who("page_view", "ann", "c")
    (True, False, False)
    """
    known = name is not None and _PARTING.sub("_", name.lower()) in _NAMES
    return known and a_name(user) is not None and a_name(visitor) is not None


def identified(record: Record, key: str) -> Record:
    """The record as an event of the type `identify`, which `key` holds; what it was called stays beside it."""
    name = record.get(key)
    return record | {key: IDENTIFY} | ({} if name in (None, IDENTIFY) else {"identified_by": name})
