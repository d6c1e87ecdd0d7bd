"""The ASGI application of one worker: finds the endpoint, answers every refusal as a problem, counts everything."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from segue.data.journal.journal import SQLiteJournal
from segue.data.settings import EventSource
from segue.domain.errors import RequestError
from segue.learn.warm import warm
from segue.serve.access import Access
from segue.serve.console import Console
from segue.serve.decisions import DecisionsEndpoint
from segue.serve.events import EventsEndpoint
from segue.serve.exchange import Receive, Request, Response, Scope, Send, refused
from segue.serve.metrics import Board
from segue.serve.parent import watch_parent
from segue.serve.problems import Refusal
from segue.serve.released import Released
from segue.serve.settings import ServeSettings
from segue.serve.surfaces import SurfacesEndpoint
from segue.serve.system import System
from segue.serve.weighing import Weighing

Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger("segue.serve")


@dataclass(frozen=True)
class Route:
    """Where a path leads: `name` groups it in the metrics, `handlers` are by method."""

    name: str
    handlers: Mapping[str, Handler]


class Application:
    """Plain ASGI, no framework: a dictionary of paths, and one of prefixes whose rest is a name."""

    def __init__(self, workspace: Path, settings: ServeSettings, source: EventSource, board: Board) -> None:
        self.journal = SQLiteJournal(workspace / "journal")
        self.counters = board.claim()
        self.released = Released(workspace, self.counters)
        access = Access(workspace, settings)
        weighing = Weighing(workspace, source, self.journal)
        self._events = EventsEndpoint(self.journal, access, self.counters, settings, source.identity.normalise)
        surfaces = SurfacesEndpoint(
            self.journal, weighing, self.released, access, self.counters, settings, source.identity.normalise
        )
        decisions = DecisionsEndpoint(self.journal, workspace, access)
        system = System(self.journal, self.released, board, settings)
        console = Console(workspace, weighing, self.released, surfaces, access)
        self._exact = {
            "/v1/events": Route("events", {"POST": self._events}),
            "/livez": Route("system", {"GET": system.live}),
            "/readyz": Route("system", {"GET": system.ready}),
            "/metrics": Route("system", {"GET": system.metrics}),
            "/openapi.json": Route("system", {"GET": system.openapi}),
            "/": Route("page", {"GET": console.page}),
        } | {path: Route("page", {"GET": handler}) for path, handler in console.routes().items()}
        self._prefixes = {
            "/v1/surfaces/": Route("surfaces", {"POST": surfaces}),
            "/v1/decisions/": Route("decisions", {"GET": decisions}),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP exchange, or the life of the worker."""
        if scope["type"] == "http":
            await self._exchange(Request(scope, receive), send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _exchange(self, request: Request, send: Send) -> None:
        name, response = "other", None
        try:
            route = self._route(request)
            name = route.name
            response = await _handler(route, request)(request)
        except RequestError as refusal:
            response = refused(refusal)
        except Exception:  # whatever a handler meets, the client gets an answer, and the next exchange its turn
            _log.exception("%s %s failed", request.method, request.path)
            response = refused(Refusal("internal", "the service failed; its log says how"))
        self.counters.answered(name, response.status, request.seconds())
        await response.send(send)

    def _route(self, request: Request) -> Route:
        path = request.path
        if path in self._exact:
            return self._exact[path]
        for prefix, route in self._prefixes.items():
            if path.startswith(prefix) and len(path) > len(prefix):
                request.tail = path[len(prefix) :]
                return route
        raise Refusal("unknown_path", f"nothing is at {path[:200]}", mend="see /openapi.json")

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start up and shut down with the worker: what was submitted is committed, what was decided is synced."""
        await receive()
        watcher = asyncio.create_task(watch_parent())
        await asyncio.to_thread(_warm)
        self.released.start()
        self.counters.count("starts")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watcher.cancel()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def close(self) -> None:
        """Let go of everything; nothing that was acknowledged waits any more."""
        self.released.close()
        await self._events.close()
        self.journal.close()


def application(
    workspace: Path,
    settings: ServeSettings | None = None,
    source: EventSource | None = None,
    board: Board | None = None,
) -> Application:
    """The ASGI application of one worker over a workspace folder. `source` says what an event of each type weighs."""
    return Application(Path(workspace), settings or ServeSettings(), source or EventSource(), board or Board())


def _warm() -> None:
    """Load the kernels before the first request, not with it; without them, answers are the same and come later."""
    try:
        warm(lambda purpose: _log.debug("loading the kernels for %s", purpose))
    except Exception:  # of numba, LLVM or the disk of its cache: the service answers without them
        _log.exception("the kernels cannot be loaded")


def _handler(route: Route, request: Request) -> Handler:
    method = "GET" if request.method == "HEAD" else request.method
    if method not in route.handlers:
        allowed = ", ".join(route.handlers)
        raise Refusal(
            "wrong_method",
            f"{request.method} is not for {request.path[:200]}",
            mend=f"use {allowed}",
            headers=((b"allow", allowed.encode()),),
        )
    return route.handlers[method]
