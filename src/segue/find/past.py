"""One thing that a person did, as retrieval reads it: whatever keeps histories offers this."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from segue.domain.requests import NO_TIME


class Past(Protocol):
    """One event of a history. `time` is in microseconds since 1970 UTC, `NO_TIME` where there is none."""

    @property
    def item(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def weight(self) -> float: ...

    @property
    def time(self) -> int: ...


class Named(NamedTuple):
    """An event of which only the item is known: what a request's bare `history` holds."""

    item: str
    type: str = ""
    weight: float = 1.0
    time: int = NO_TIME
