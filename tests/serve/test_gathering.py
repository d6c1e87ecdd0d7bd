"""Group commit in a loop: everybody gets their own result, in few commits, and errors reach those they concern."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from segue.serve.gathering import Gathering


def test_what_comes_during_a_commit_goes_into_the_next_as_one() -> None:
    groups: list[list[int]] = []

    def commit(items: list[int]) -> list[int]:
        groups.append(items)
        time.sleep(0.02)
        return [item * 2 for item in items]

    async def run() -> list[int]:
        gathering = Gathering(commit, limit=50)
        results = await asyncio.gather(*(gathering.put(item) for item in range(100)))
        await gathering.close()
        return results

    assert asyncio.run(run()) == [item * 2 for item in range(100)]
    assert [len(group) for group in groups] == [1, 50, 49]
    assert [item for group in groups for item in group] == list(range(100))


def test_an_error_reaches_its_group_and_the_next_group_goes_on() -> None:
    failing = iter([True, False])

    def commit(items: list[int]) -> list[int]:
        if next(failing):
            raise OSError("the disk is full")
        return items

    async def run() -> None:
        gathering = Gathering(commit, limit=10)
        with pytest.raises(OSError, match="full"):
            await gathering.put(1)
        assert await gathering.put(2) == 2
        await gathering.close()

    asyncio.run(run())


def test_a_caller_who_leaves_takes_nobody_along() -> None:
    gate = threading.Event()

    def commit(items: list[int]) -> list[int]:
        gate.wait(5)
        return items

    async def run() -> int:
        gathering = Gathering(commit, limit=10)
        first = asyncio.create_task(gathering.put(0))
        leaving, staying = asyncio.create_task(gathering.put(1)), asyncio.create_task(gathering.put(2))
        await asyncio.sleep(0)
        leaving.cancel()
        gate.set()
        await first
        result = await staying
        await gathering.close()
        return result

    assert asyncio.run(run()) == 2


def test_closing_commits_what_waits() -> None:
    kept: list[int] = []

    def commit(items: list[int]) -> list[int]:
        time.sleep(0.01)
        kept.extend(items)
        return items

    async def run() -> None:
        gathering = Gathering(commit, limit=2)
        tasks = [asyncio.create_task(gathering.put(item)) for item in range(7)]
        await asyncio.sleep(0)
        await gathering.close()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert kept == list(range(7))
