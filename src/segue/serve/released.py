"""The release in force in this worker: followed in the background, so that no request waits for one that loads."""

from __future__ import annotations

import gc
import logging
import threading
from pathlib import Path

from segue.domain.errors import unknown
from segue.operate.follower import Follower
from segue.operate.release import LoadedRelease
from segue.serve.metrics import Counters
from segue.serve.problems import Refusal

CHECK_SECONDS = 0.1

_log = logging.getLogger("segue.serve")


class Released:
    """What answers now. A request that began with the old release ends with it."""

    def __init__(self, workspace: Path, counters: Counters) -> None:
        self._follower = Follower(workspace)
        self._counters = counters
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="release", daemon=True)

    @property
    def current(self) -> LoadedRelease | None:
        """The release, or None before the first."""
        return self._follower.release

    def needed(self) -> LoadedRelease:
        """The release; a `Refusal` (503) before the first."""
        release = self._follower.release
        if release is None:
            raise Refusal(
                "no_release",
                self._follower.problem,
                mend="`segue train`, then `segue release`; the running service follows",
                headers=((b"retry-after", b"5"),),
            )
        return release

    def start(self) -> None:
        """Load what is released now, then follow."""
        self._refresh()
        self._thread.start()

    def close(self) -> None:
        """Follow no more."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(CHECK_SECONDS):
            self._counters.beat()
            if self._follower.stale():
                self._refresh()

    def _refresh(self) -> None:
        """Load; what stays for long is then left out of garbage collection, whose pauses requests would feel."""
        if self._follower.refresh():
            gc.collect()
            gc.freeze()
            self._counters.count("releases")
        elif self._follower.problem:
            _log.warning("the release is not followed: %s", self._follower.problem)


def check_surface(release: LoadedRelease, surface: str) -> None:
    """A `Refusal` (404), with the nearest known name, where the release has no such surface."""
    if surface not in release.surfaces:
        told = unknown("surface", surface[:200], release.surfaces, where=f"release {release.id}")
        raise Refusal("unknown_surface", told.problem, where=told.where, mend=told.mend)
