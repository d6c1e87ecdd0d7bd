"""What there is: the record of one item of the catalog."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that can be shown. Variants of one thing share a `group`: what was seen and diversity go by group."""

    id: str
    title: str = ""
    text: str = ""
    categories: tuple[str, ...] = ()
    kind: str = "item"
    group: str | None = None
    price: float | None = None
    currency: str | None = None
    released: datetime | None = None
    available_from: datetime | None = None
    available_to: datetime | None = None
    image: str | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
