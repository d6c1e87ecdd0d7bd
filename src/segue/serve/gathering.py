"""Group commit inside an event loop: what many requests bring while one commit runs goes into the next, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Gathering(Generic[T, R]):
    """Commits in a thread of its own, one group after the other, and wakes the loop once a group.

    `commit` takes at most `limit` items, oldest first, and returns one result for each; where it raises, everybody of
    the group gets the error.
    """

    def __init__(self, commit: Callable[[list[T]], list[R]], limit: int) -> None:
        self._commit = commit
        self._limit = limit
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Future[list[R]] | None = None
        self._thread = ThreadPoolExecutor(1, "commit")

    async def put(self, item: T) -> R:
        """The result of this item, once its group is committed."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._start()
        return await future

    async def close(self) -> None:
        """Commit what waits, then stop."""
        while self._running is not None:
            await asyncio.wait([self._running])
            await asyncio.sleep(0)  # for the callback, which may start the next group
        self._thread.shutdown()

    def _start(self) -> None:
        group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
        items = [item for item, _ in group]
        self._running = asyncio.get_running_loop().run_in_executor(self._thread, self._commit, items)
        self._running.add_done_callback(partial(self._finish, [future for _, future in group]))

    def _finish(self, futures: list[asyncio.Future[R]], done: asyncio.Future[list[R]]) -> None:
        """Tell everybody; a caller who left in the meantime is passed over."""
        self._running = None
        if self._waiting:
            self._start()
        error = done.exception()
        results = [None] * len(futures) if error is not None else done.result()
        for future, result in zip(futures, results, strict=True):
            if future.done():
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # None only beside an error
