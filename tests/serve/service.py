"""A running service for tests: real processes on a free port of loopback, and a plain client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SERVE = """
import sys
from pathlib import Path
from segue.serve.run import serve
from segue.serve.settings import ServeSettings
port, workers, seconds = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
serve(Path(sys.argv[1]), ServeSettings(port=port, workers=workers, drain_seconds=seconds))
"""


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection, kept alive; opened again where the other side closed it."""

    def __init__(self, port: int, key: str | None = None) -> None:
        self.port = port
        self.key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, key: str | None = None
    ) -> Answer:
        """`body` is sent as it is where it is bytes, as JSON otherwise."""
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if key := key or self.key:
            sent["Authorization"] = f"Bearer {key}"
        try:
            self._connection.request(method, path, payload, sent | (headers or {}))
            response = self._connection.getresponse()
            read = response.read()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, read)
        except BaseException:
            self._connection.close()
            raise

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def post(self, path: str, body: Any, **more: Any) -> Answer:
        return self.ask("POST", path, body, **more)

    def close(self) -> None:
        self._connection.close()


@dataclass
class Service:
    """The parent's process and its port."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    clients: list[Client] = field(default_factory=list)

    def client(self, key: str | None = None) -> Client:
        """A connection of its own; which worker answers it is the kernel's choice."""
        self.clients.append(Client(self.port, key))
        return self.clients[-1]

    def children(self) -> list[int]:
        """Process ids of the workers and the drainer."""
        return children(self.main())

    def main(self) -> int:
        """Process id of the parent, also where it runs under strace."""
        under = children(self.process.pid) if command(self.process.pid).startswith(b"strace") else []
        return under[0] if under else self.process.pid

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        return [child for child in self.children() if b"segue.serve.drainer" not in command(child)]

    def kill(self) -> None:
        """kill -9 of everything at once."""
        for pid in [self.main(), *self.children()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """As a process manager would; the exit code."""
        for client in self.clients:
            client.close()
        if self.process.poll() is None:
            os.kill(self.main(), signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(
    workspace: Path,
    workers: int = 2,
    drain_seconds: float = 1.0,
    before: tuple[str, ...] = (),
    sign: str = "/readyz",
) -> Iterator[Service]:
    """A service that answers 200 at `sign`. Whatever happens, none of its processes is left."""
    service = started(workspace, workers, drain_seconds, before=before, sign=sign)
    try:
        yield service
    finally:
        left = [service.main(), *service.children()] if service.process.poll() is None else []
        try:
            service.stop()
        finally:
            for pid in [service.process.pid, *left]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def started(
    workspace: Path,
    workers: int = 2,
    drain_seconds: float = 1.0,
    port: int = 0,
    before: tuple[str, ...] = (),
    sign: str = "/readyz",
    awaited: int = 0,
) -> Service:
    """Start it and wait until all workers are up, or as many as are `awaited`."""
    port = port or free_port()
    log = workspace / "service.log"
    arguments = [*before, sys.executable, "-c", SERVE, str(workspace), str(port), str(workers), str(drain_seconds)]
    with log.open("ab") as out:
        process = subprocess.Popen(arguments, stdout=out, stderr=out)
    service = Service(process, port, log)
    wait_ready(service, awaited or workers, sign)
    return service


def wait_ready(service: Service, workers: int, sign: str, seconds: float = 60.0) -> None:
    """Until all workers are up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert service.process.poll() is None, service.log.read_text()[-4000:]
        with suppress(OSError, http.client.HTTPException):
            client = Client(service.port)
            ready = client.get(sign).status == 200 and metric(client, "segue_workers") >= workers
            client.close()
            if ready:
                return
        time.sleep(0.05)
    raise AssertionError(f"not ready in {seconds} s: {service.log.read_text()[-4000:]}")


def metric(client: Client, name: str) -> float:
    """The sum of a metric over its labels."""
    lines = client.get("/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0].partition("{")[0] == name)


def children(pid: int) -> list[int]:
    """Process ids of the children of a process."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def command(pid: int) -> bytes:
    """The command line of a process, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], seconds: float = 40.0) -> None:
    """Until it is so, or an `AssertionError`."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not so after {seconds} s"
        time.sleep(0.05)
