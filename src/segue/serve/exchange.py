"""One HTTP exchange as handlers see it: a request that is read with limits, and a response."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from segue.domain.errors import RequestError
from segue.serve.problems import MEDIA_TYPE, Problem, Refusal, wire

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
PAUSE_SECONDS = 20.0  # the longest wait for the next part of a body
SWALLOWED = 64  # a body of up to this many times the limit is read to its end, so that the client hears the refusal

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    status: int
    body: bytes
    media_type: bytes = JSON
    headers: Sequence[Header] = ()

    async def send(self, send: Send) -> None:
        """Write it out."""
        headers = [
            (b"content-type", self.media_type),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-content-type-options", b"nosniff"),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def answer(value: Any, status: int = 200, headers: Sequence[Header] = ()) -> Response:
    """A response of JSON; it is about one person at one moment, so nobody may keep it."""
    return Response(status, _encode(value), JSON, ((b"cache-control", b"no-store"), *headers))


def refused(refusal: RequestError) -> Response:
    """A response of problem+json."""
    problem: Problem = wire(refusal)
    headers = refusal.headers if isinstance(refusal, Refusal) else ()
    return Response(problem.status, _encode(problem), MEDIA_TYPE, ((b"cache-control", b"no-store"), *headers))


class Request:
    """One request: method, path, headers, and a body that is read once and with a limit."""

    __slots__ = ("__dict__", "_receive", "_started", "method", "path", "scope", "tail")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.tail = ""  # what follows the prefix of the route, such as the name of a surface
        self._receive = receive
        self._started = time.perf_counter()

    @cached_property
    def headers(self) -> dict[bytes, bytes]:
        """By lower-case name; the last where one is sent twice."""
        return dict(self.scope["headers"])

    @property
    def query(self) -> str:
        """What follows the question mark, undecoded."""
        raw: bytes = self.scope["query_string"]
        return raw.decode("latin-1")

    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self._started

    async def body(self, limit: int) -> bytes:
        """The whole body; a `Refusal` where it is larger than `limit` bytes, or comes too slowly."""
        announced = self._announced()
        if announced > limit * SWALLOWED:
            raise _too_large(limit, b"close")
        message = await self._next()
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > limit:
                raise _too_large(limit)
            return body
        return await self._rest(body, limit)

    async def _rest(self, first: bytes, limit: int) -> bytes:
        """Join the parts. What is over the limit is swallowed, to a point, so that the client reads our refusal."""
        parts, size, more = [first], len(first), True
        while more:
            message = await self._next()
            part = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            if size <= limit:
                parts.append(part)
            elif size > limit * SWALLOWED:
                raise _too_large(limit, b"close")
        if size > limit:
            raise _too_large(limit)
        return b"".join(parts)

    async def _next(self) -> MutableMapping[str, Any]:
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                message = await self._receive()
        except TimeoutError as error:
            raise Refusal("too_slow", f"no part of the body came for {PAUSE_SECONDS:.0f} s") from error
        if message["type"] == "http.disconnect":
            # granian says the same of chunks that it cannot read; a client that has left hears no answer anyway
            close = ((b"connection", b"close"),)
            raise Refusal("broken_body", "the body broke off before its end", mend="send it whole", headers=close)
        return message

    def _announced(self) -> int:
        length = self.headers.get(b"content-length", b"0")
        try:
            return int(length)
        except ValueError as error:
            raise Refusal("bad_header", f"Content-Length is {length.decode('latin-1')!r}, not a number") from error


def _too_large(limit: int, connection: bytes = b"") -> Refusal:
    return Refusal(
        "too_large",
        f"the body has more than {limit:,} bytes",
        mend="send less at once, such as the events in several requests",
        headers=((b"connection", connection),) if connection else (),
    )
