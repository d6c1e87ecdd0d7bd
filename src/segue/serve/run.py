"""Run the service: workers that answer, started again when they die, and one process that drains."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from segue.data.settings import EventSource
from segue.domain.errors import BusyError, DeclarationError, SegueError
from segue.serve.drainer import Drainer
from segue.serve.settings import ServeSettings

if TYPE_CHECKING:
    from segue.serve.http import Application
    from segue.serve.metrics import Board

# A worker answers one request at a time: threads within one small sum would only fight the other workers for cores.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LAST_REQUESTS_SECONDS = 15  # that workers of an ending service may take


def serve(workspace: Path, settings: ServeSettings | None = None, source: EventSource | None = None) -> None:
    """Serve a workspace until SIGTERM or SIGINT; `source` is what the declaration says of events.

    What was acknowledged is on disk, whatever happens. A worker that dies is started again. `BusyError` where the port
    is taken, `DeclarationError` where the address cannot be listened on.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.server import Server

    workspace, source = Path(workspace).resolve(), source or EventSource()
    settings = _placed(settings or ServeSettings())
    board = _board(settings)
    drainer = Drainer(workspace, settings.drain_seconds, source)
    server = Server(
        "segue.serve.http:application",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        workers=settings.workers,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=LAST_REQUESTS_SECONDS,
        log_dictconfig=_LOGGING,
    )
    print(f"serving {workspace} on {address(settings)}", file=sys.stderr, flush=True)  # noqa: T201
    drainer.start()
    try:
        with _claimed(settings):
            server.serve(target_loader=partial(_worker, workspace, settings, source, board), wrap_loader=False)
    finally:
        drainer.stop()
        board.path.unlink(missing_ok=True)


def address(settings: ServeSettings) -> str:
    """Where a browser on this machine finds the service."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port}/"


def _worker(workspace: Path, settings: ServeSettings, source: EventSource, board: Board) -> Application:
    """The application, in the worker: what keeps threads is imported after the fork."""
    from segue.serve.http import application

    return application(workspace, settings, source, board)


def _board(settings: ServeSettings) -> Board:
    """The counters; with them NumPy is loaded, which looks once, now, at how many threads it may start."""
    for name, count in ONE_THREAD.items():
        os.environ.setdefault(name, count)  # who set them knows better
    from segue.serve.metrics import Board

    return Board(settings.workers)


def _placed(settings: ServeSettings) -> ServeSettings:
    """The settings with a port that is free. Workers share the port, so nobody else would tell us that it is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise _refused(settings, error) from error
        return msgspec.structs.replace(settings, port=probe.getsockname()[1])


@contextmanager
def _claimed(settings: ServeSettings) -> Iterator[None]:
    """Hold the port against another service that looks at it in the same moment: the kernel would let both share it."""
    if sys.platform != "linux":
        yield
        return
    with socket.socket(socket.AF_UNIX) as claim:  # a name without a file, gone with the process
        try:
            claim.bind(f"\0segue-serve-{settings.port}")
        except OSError as error:
            raise _refused(settings, error) from error
        yield


def _refused(settings: ServeSettings, error: OSError) -> SegueError:
    where = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return BusyError("the port is taken", where=where, mend="end what listens there, or take `--port 0`")
    if error.errno == errno.EACCES:
        return DeclarationError("this port needs more rights", where=where, mend="take one above 1023")
    return DeclarationError(f"cannot listen here: {error.strerror}", where=where, mend="correct `serve.host`")


_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "[%(levelname)s] %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"}},
    "loggers": {
        "_granian": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "segue": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}
