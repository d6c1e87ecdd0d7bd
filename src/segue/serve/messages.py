"""What goes over the wire: the bodies of requests and answers, typed once for parsing, answering and documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from segue.domain.decisions import CANDIDATES_KEPT, Shown
from segue.domain.events import Event, Name

HISTORY_KEPT = 1_000  # of one person, newest; a longer `history` is refused


class Events(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several events in one request: all of them are taken, or none."""

    events: list[Event]


class EventsTaken(msgspec.Struct, frozen=True):
    """The events are on disk. `new` were not known before, `known` were sent earlier and changed nothing."""

    received: int
    new: int
    known: int


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to decide for, by exactly one of `user`, `visitor` and `history` (item ids, oldest first).

    `k` is how many items are wanted (the surface's own number where it is left out). The same `request_id` is the same
    decision: sent again, to whichever worker, it gets the list that it got.
    """

    user: Name | None = None
    visitor: Name | None = None
    history: Annotated[list[Name], msgspec.Meta(max_length=HISTORY_KEPT)] | None = None
    context: dict[str, Any] = msgspec.field(default_factory=dict)
    k: Annotated[int, msgspec.Meta(ge=1, le=CANDIDATES_KEPT)] | None = None
    request_id: Name | None = None


class Listed(msgspec.Struct, frozen=True):
    """A list: what to show at which position, and why.

    `decision` is to be sent back with every event that answers this list, together with the item's `position`.
    `fallback` says in plain words why the list is not personal; it is empty where it is.
    """

    decision: str
    request_id: str
    time: datetime
    surface: str
    release: str
    policy: str
    assignments: dict[str, str]
    items: tuple[Shown, ...]
    fallback: str


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the process lives (`/livez`), or can answer (`/readyz`), and with which release."""

    status: str
    release: str = ""
