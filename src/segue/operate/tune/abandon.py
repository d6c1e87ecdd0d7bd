"""Work that is given up when its time is over."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

SHORTEST_S = 0.001  # a timer of 0 would be none at all


class OutOfTime(BaseException):
    """Raised in the middle of the work. It is no `Exception`, so that nothing on the way takes it for its own."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """`OutOfTime` in the block after so many seconds: as soon as Python code runs, so a call into C is ended first.

    Only the main thread can be told so; in any other the block is left to end by itself.

    >>> with within(60):
    ...     print("done")
    done
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, SHORTEST_S))
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # also where the time was over between the end of the block and the line above
        signal.signal(signal.SIGALRM, before)


def _ring(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise OutOfTime


__all__ = ["OutOfTime", "within"]
