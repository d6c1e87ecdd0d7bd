"""The service as the demo runs it: a child process, and copies of the workspace that show everybody one variant."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from segue.domain.errors import SegueError
from segue.domain.experiment import Variant

PORT = 8000  # if it is free
READY_S = 60.0
STOP_S = 20.0
LOOK_S = 0.2
LOG = "service.log"


class Service:
    """`segue serve` as a child process; use it in a `with` block.

    Raises SegueError with the end of its log where it does not become ready within a minute.
    """

    def __init__(self, folder: Path, workers: int, port: int | None = None) -> None:
        self.folder = folder
        self.port = port if port is not None else free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, unless it is started, and wait until it is ready."""
        if self._process is not None:
            return
        try:
            self._start()
        except SegueError as error:
            if "the port is taken" not in error.mend:
                raise
            self.port = free_port()  # somebody was quicker
            self.url = f"http://127.0.0.1:{self.port}"
            self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "segue", "-C", str(self.folder), "serve", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", str(self._workers)]
        with (self.folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ask it to stop, and see to it that it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stay(self) -> None:
        """Wait until it ends or Ctrl-C is pressed, then see to it that it stops.

        It is looked at now and then: a signal that another thread gets does not wake a thread that waits for a child.
        """
        try:
            while self._process is not None and self._process.poll() is None:
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        end = (self.folder / LOG).read_text("utf-8", "replace")[-1_500:]
        raise SegueError("the service did not become ready", where=str(self.folder / LOG), mend=f"it says:\n{end}")


def free_port(wanted: int = 0) -> int:
    """A port on loopback that nobody listens on: `wanted` if it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def forced_copy(workspace: Path, to: Path, surface: str, variant: Variant) -> Path:
    """A copy of a workspace that is released anew: everybody gets one variant of a surface, and no experiment runs.

    The models are the same, so the copy answers as the original does for that variant.
    """
    from segue.declaration import load
    from segue.project import Project

    shutil.copytree(workspace, to, ignore=shutil.ignore_patterns("cache", "files", LOG, ".writer"))
    prefix = f"SEGUE__SURFACES__{surface.upper()}__"
    override = {prefix + field.upper(): msgspec.json.encode(value).decode() for field, value in variant.surface.items()}
    Project(to, load(to, override | {"SEGUE__EXPERIMENTS": "{}"})).release(())
    return to
