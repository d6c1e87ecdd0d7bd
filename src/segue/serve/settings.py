"""What the declaration may say about the service."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from segue.domain.settings import Settings

Positive = msgspec.Meta(gt=0)


class ServeSettings(Settings, frozen=True):
    """Where the service listens and what it takes.

    host            the address; other than loopback, the page is closed and put TLS in front
    port            0 takes a free one
    page            "loopback": whoever reaches the service on this machine can look at the page; "off": nobody
    workers         processes that answer
    drain_seconds   how often what was acknowledged moves from the journal into the lake
    max_body_bytes  a larger body is refused with 413
    max_events      of one request, at most 100,000
    """

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8000
    page: Literal["loopback", "off"] = "loopback"
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    drain_seconds: Annotated[float, Positive] = 5.0
    max_body_bytes: Annotated[int, Positive] = 8 * 1024 * 1024
    max_events: Annotated[int, msgspec.Meta(gt=0, le=100_000)] = 10_000
