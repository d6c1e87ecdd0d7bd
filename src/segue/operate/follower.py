"""The follower of a running service: sees a switch within one stat call, and swaps releases whole."""

from __future__ import annotations

import os
import time
from pathlib import Path

from segue.domain.errors import SegueError
from segue.operate.registry import Registry
from segue.operate.release import LoadedRelease

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0  # before what failed in passing is tried again; doubled each time

Stamp = tuple[int, int]


class Follower:
    """The release that is in service in this process.

    Ask `stale()` as often as you like (one stat call), and call `refresh()` where it says so, in a thread of its own if
    requests must not wait. `release` is swapped only after the new one is loaded and rehearsed in full; a request that
    holds the old one finishes with it. A new release that cannot be loaded leaves the old one in service and says why
    in `problem`. One that is broken (a `SegueError`) is not tried again before the next switch; what may pass, such as
    too many open files or no memory left, is tried again and again, at longer and longer intervals.
    """

    def __init__(self, workspace: Path) -> None:
        self._registry = Registry(workspace)
        self._stamp: Stamp | None = None
        self._wait_s = FIRST_WAIT_S
        self._again: float | None = None  # by the monotonic clock; None where there is nothing to try again
        self.release: LoadedRelease | None = None
        self.problem = "nothing is released yet: run `segue release`"

    def stale(self) -> bool:
        """Whether the current release was switched since the last `refresh`, or is to be tried again now."""
        return self._due() or _stamp(self._registry.current_file) != self._stamp

    def refresh(self) -> bool:
        """Load the current release if it is another one; whether a new one is now in service."""
        stamp = _stamp(self._registry.current_file)
        if stamp == self._stamp and not self._due():
            return False
        if stamp != self._stamp:
            self._wait_s = FIRST_WAIT_S
        self._stamp, self._again = stamp, None
        try:
            name = self._registry.current()
            if self.release is not None and self.release.id == name:
                self.problem = ""
                return False
            release = self._registry.load(name)
            release.rehearse()
        except Exception as error:  # whatever a third party's model raises: the old release goes on
            self.problem = str(error) if isinstance(error, SegueError) else f"{type(error).__name__}: {error}"
            if _may_pass(error):
                self._again = time.monotonic() + self._wait_s
                self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            return False
        self.release, self.problem = release, ""
        return True

    def _due(self) -> bool:
        return self._again is not None and time.monotonic() >= self._again


def _may_pass(error: BaseException) -> bool:
    """Whether trying again may help: not where a `SegueError` says what is wrong, unless the system was its reason."""
    if isinstance(error, SegueError):
        return isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError)
    return True


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:  # not there, or not to be seen just now: a later look finds another stamp
        return None
    return found.st_ino, found.st_mtime_ns
