"""What people did: the record of one event, as it comes over the wire and as the log keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

IMPRESSION = "impression"  # an item was really seen in a list; being decided is not being seen


class Event(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that one person did, at one moment, mostly to one item.

    `id` makes sending it twice harmless. One of `user` (known) and `visitor` (not known yet) is needed. `decision`
    and `position` say which list it answers. `value` is money, a rating or a weight, `quantity` a count.
    """

    id: Name
    type: Name
    user: Name | None = None
    visitor: Name | None = None
    item: Name | None = None
    time: Moment | None = None
    value: float | None = None
    quantity: float | None = None
    session: Name | None = None
    decision: Name | None = None
    position: Annotated[int, msgspec.Meta(ge=0, le=100_000)] | None = None
    context: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def person(self) -> str:
        """The unit that did it, as `person_key` names it."""
        return person_key(self.user, self.visitor)


def person_key(user: str | None, visitor: str | None) -> str:
    """One name for a user or a visitor: the two kinds never collide.

    >>> person_key("7", None), person_key(None, "7")
    ('u:7', 'v:7')
    """
    if user is not None:
        return f"u:{user}"
    if visitor is not None:
        return f"v:{visitor}"
    return ""
