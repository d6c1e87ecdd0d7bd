"""The process that moves what was acknowledged into the lake: one beside the workers, started again if it dies.

It is a process of its own because the lake's libraries keep threads, and workers are forked from the parent.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from segue.data.settings import EventSource
from segue.domain.errors import BusyError, SegueError

if TYPE_CHECKING:
    from segue.operate.registry import Registry

AGAIN_SECONDS = 1.0  # before a drainer that died is started again
LAST_SECONDS = 30.0  # that the last drain of an ending service may take

_log = logging.getLogger("segue.drain")


class Drainer:
    """Keeps the process running, from the parent's side."""

    def __init__(self, workspace: Path, seconds: float, source: EventSource) -> None:
        said = msgspec.json.encode(source).decode()
        self._command = [sys.executable, "-m", "segue.serve.drainer", str(workspace), str(seconds), said]
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="drainer", daemon=True)
        # A worker forked while the process is being started would inherit the pipe by which `Popen` learns that it
        # was started, and `Popen` would wait for that worker's end. So neither happens during the other.
        self._starting = threading.Lock()
        release = self._starting.release
        os.register_at_fork(before=self._starting.acquire, after_in_parent=release, after_in_child=release)

    def start(self) -> None:
        """Start the process, and a thread that starts it again."""
        self._process = self._started()
        self._thread.start()

    def stop(self) -> None:
        """Let it drain once more, and end."""
        self._ending.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(LAST_SECONDS)
            except subprocess.TimeoutExpired:
                _log.warning("the last drain takes long; the journal keeps the rest for the next start")
                self._process.kill()
        self._thread.join()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._starting:
            return subprocess.Popen(self._command)

    def _keep(self) -> None:
        while self._process is not None and not self._ending.is_set():
            code = self._process.wait()
            if not self._ending.is_set():
                _log.error("the drainer ended with %s; it is started again", code)
            if not self._ending.wait(AGAIN_SECONDS):
                self._process = self._started()


def keep_draining(workspace: Path, seconds: float, source: EventSource) -> None:
    """Drain again and again until asked to end, or until the parent is gone; then once more.

    Histories are indexed under the weights of the current release, under those of `source` where it does not say.
    """
    from segue.data.journal.drain import drain
    from segue.data.journal.journal import SQLiteJournal
    from segue.data.lake.lake import Lake
    from segue.operate.registry import Registry
    from segue.serve.weighing import Weighing

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which goes to all; the parent says when it is time
    journal = SQLiteJournal(workspace / "journal")
    lake, registry, weighing = Lake(workspace / "lake"), Registry(workspace), Weighing(workspace, source, journal)
    parent, last, events = os.getppid(), False, None
    while not last:
        last = _waited(ended, seconds, parent)
        try:
            events = _weights(registry, events)
            drain(lake, journal, weighing.by(events))
        except BusyError as error:
            _log.info("%s", error)
        except (SegueError, OSError) as error:
            _log.error("nothing was drained, trying again: %s", error)
    journal.close()


def _weights(registry: Registry, before: EventSource | None) -> EventSource | None:
    """What the current release says that events weigh; as before where it cannot be read."""
    try:
        release = registry.manifest()
    except (SegueError, OSError) as error:
        _log.warning("the weights stay as they were: %s", error)
        return before
    return release.events if release is not None else None


def _waited(ended: threading.Event, seconds: float, parent: int) -> bool:
    """Wait for the next round; whether it is the last one."""
    left = seconds
    while left > 0 and not ended.wait(min(left, 0.5)):
        left -= 0.5
        if os.getppid() != parent:
            return True
    return ended.is_set()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(name)s: %(message)s")
    keep_draining(Path(sys.argv[1]), float(sys.argv[2]), msgspec.json.decode(sys.argv[3], type=EventSource))
