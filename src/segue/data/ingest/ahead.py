"""Reads ahead: the next rows are read and converted while those before them are written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import Any, TypeVar

DEPTH = 6  # pieces that wait at most, which bounds the memory
PAUSE = 0.1  # seconds after which a reader that nobody waits for any more notices

Piece = TypeVar("Piece")
_END: Any = object()


@contextmanager
def ahead(pieces: Iterator[Piece], depth: int = DEPTH) -> Iterator[Iterator[Piece]]:
    """The same pieces in their order, made by a thread that is at most `depth` of them ahead.

    What the thread raises is raised where its piece would have come. It has ended when the block ends.
    """
    waiting: Queue[tuple[Piece, BaseException | None]] = Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_read, args=(pieces, waiting, stopped), name="segue-reading", daemon=True)
    thread.start()
    try:
        yield _arriving(waiting)
    finally:
        stopped.set()
        thread.join()


def _read(pieces: Iterator[Any], waiting: Queue[Any], stopped: threading.Event) -> None:
    try:
        for piece in pieces:
            if not _put(waiting, (piece, None), stopped):
                return
        _put(waiting, (_END, None), stopped)
    except BaseException as error:
        _put(waiting, (_END, error), stopped)


def _put(waiting: Queue[Any], entry: object, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            waiting.put(entry, timeout=PAUSE)
        except Full:
            continue
        return True
    return False


def _arriving(waiting: Queue[tuple[Piece, BaseException | None]]) -> Iterator[Piece]:
    while True:
        piece, error = waiting.get()
        if error is not None:
            raise error
        if piece is _END:
            return
        yield piece
