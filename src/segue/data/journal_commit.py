"""Group commit: many callers wait for one sync."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """A thread that gathers what many callers submit, commits it as one, and tells each its own result.

    `commit` takes the gathered items, oldest first, at most `limit`, and returns one result for each. While it works
    the next group gathers, so the busier the callers the larger the groups. If it raises, every caller of the group
    gets the error. In asyncio: `await asyncio.wrap_future(group.submit(item))`.

    >>> with GroupCommit(lambda items: [item * 2 for item in items]) as group:
    ...     group.submit(21).result()
    42
    """

    def __init__(self, commit: Callable[[list[T]], list[R]], limit: int = 1_000, name: str = "group-commit") -> None:
        self._commit = commit
        self._limit = limit
        self._waiting: queue.SimpleQueue[tuple[T, Future[R]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: T) -> Future[R]:
        """A future that has the result once the item's group is committed."""
        future: Future[R] = Future()
        with self._closing:
            if self._closed:
                raise RuntimeError("this group commit is closed")
            self._waiting.put((item, future))
        return future

    def close(self) -> None:
        """Commit what was submitted, then stop."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def __enter__(self) -> GroupCommit[T, R]:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self) -> None:
        ended = False
        while not ended:
            group, ended = self._gathered()
            wanted = [(item, future) for item, future in group if future.set_running_or_notify_cancel()]
            if wanted:
                self._settle(wanted)

    def _gathered(self) -> tuple[list[tuple[T, Future[R]]], bool]:
        """What waits now, at least one; and whether that was the last."""
        group: list[tuple[T, Future[R]]] = []
        entry = self._waiting.get()
        while entry is not None:
            group.append(entry)
            if len(group) == self._limit:
                return group, False
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _settle(self, group: list[tuple[T, Future[R]]]) -> None:
        try:
            results = self._commit([item for item, _ in group])
        except BaseException as error:
            for _, future in group:
                future.set_exception(error)
            return
        for (_, future), result in zip(group, results, strict=True):
            future.set_result(result)
