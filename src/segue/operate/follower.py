"""The follower of a running service: sees a switch within one stat call, and swaps releases whole."""

from __future__ import annotations

import os
from pathlib import Path

from segue.domain.errors import SegueError
from segue.operate.registry import Registry
from segue.operate.release import LoadedRelease

Stamp = tuple[int, int]


class Follower:
    """The release that is in service in this process.

    Ask `stale()` as often as you like (one stat call), and call `refresh()` where it says so, in a thread of its own if
    requests must not wait. `release` is swapped only after the new one is loaded and rehearsed in full; a request that
    holds the old one finishes with it. A new release that is broken leaves the old one in service and says why in
    `problem`.
    """

    def __init__(self, workspace: Path) -> None:
        self._registry = Registry(workspace)
        self._stamp: Stamp | None = None
        self.release: LoadedRelease | None = None
        self.problem = "nothing is released yet: run `segue release`"

    def stale(self) -> bool:
        """Whether the current release was switched since the last `refresh`."""
        return _stamp(self._registry.current_file) != self._stamp

    def refresh(self) -> bool:
        """Load the current release if it is another one; whether a new one is now in service."""
        stamp = _stamp(self._registry.current_file)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            name = self._registry.current()
            if self.release is not None and self.release.id == name:
                self.problem = ""
                return False
            release = self._registry.load(name)
            release.rehearse()
        except Exception as error:  # whatever a third party's model raises: the old release goes on
            self.problem = str(error) if isinstance(error, SegueError) else f"{type(error).__name__}: {error}"
            return False
        self.release, self.problem = release, ""
        return True


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
