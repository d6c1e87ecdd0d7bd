"""The follower of a running service: one stat to see a switch, the old release until the new one is ready."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from segue.decide.ask import Ask
from segue.domain.errors import ModelError
from segue.operate import follower as module
from segue.operate.follower import Follower
from segue.operate.release import LoadedRelease
from tests.operate.shop import NOW, released, shop


def test_it_waits_for_the_first_release_and_says_so(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert not follower.stale()
    assert not follower.refresh()
    assert follower.release is None
    assert "nothing is released yet" in follower.problem
    made = released(shop(tmp_path))
    assert follower.stale()
    assert follower.refresh()
    assert not follower.stale()
    assert follower.release is not None
    assert follower.release.id == made.id
    assert follower.problem == ""


def test_it_follows_every_switch_while_it_decides(tmp_path: Path) -> None:
    registry = shop(tmp_path)
    names = sorted(released(registry).id for _ in range(2))
    follower = Follower(tmp_path)
    follower.refresh()
    for turn in range(6):
        registry.switch(names[turn % 2])
        held = follower.release
        follower.refresh()
        assert follower.release is not None
        assert follower.release.id == names[turn % 2]
        if held is not None:  # a request that began before the switch ends with the release that it began with
            assert held.decide(Ask("home", "r", NOW, history=("i01",))).release == held.id


@pytest.mark.slow
def test_twenty_switches_under_load_fail_no_request(tmp_path: Path) -> None:
    registry = shop(tmp_path)
    names = sorted(released(registry).id for _ in range(2))
    follower = Follower(tmp_path)
    follower.refresh()
    over = threading.Event()

    def visit(visitor: int) -> set[str]:
        met = set()
        while not over.is_set():
            assert follower.release is not None
            decision = follower.release.decide(Ask("home", f"r{visitor}", NOW, history=("i01",)))
            assert len(decision.shown) == 5
            met.add(decision.release)
        return met

    with ThreadPoolExecutor(3) as pool:
        visits = [pool.submit(visit, visitor) for visitor in range(3)]
        for turn in range(20):
            registry.switch(names[turn % 2])
            follower.refresh()
            assert follower.problem == ""
        over.set()
        assert set().union(*(each.result() for each in visits)) == set(names)


def test_a_switch_to_the_same_release_loads_nothing(tmp_path: Path) -> None:
    registry = shop(tmp_path)
    made = released(registry)
    follower = Follower(tmp_path)
    follower.refresh()
    held = follower.release
    registry.switch(made.id)
    assert follower.stale()
    assert not follower.refresh()
    assert follower.release is held


def test_a_model_that_fails_in_any_way_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = shop(tmp_path)
    good = released(registry).id
    follower = Follower(tmp_path)
    follower.refresh()
    released(registry)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a model of somebody's own")

    monkeypatch.setattr(LoadedRelease, "rehearse", broken)
    assert not follower.refresh()
    assert follower.problem == "ZeroDivisionError: a model of somebody's own"
    assert follower.release is not None
    assert follower.release.id == good


def test_what_fails_in_passing_is_tried_again_until_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT_S", 0.05)
    registry = shop(tmp_path)
    released(registry)
    follower = Follower(tmp_path)
    follower.refresh()
    better = released(registry).id
    with no_more_files():
        assert not follower.refresh()
        assert "Too many open files" in follower.problem
        time.sleep(0.1)
        assert follower.stale()
        assert not follower.refresh()
        assert not follower.stale()  # it waits longer each time
    time.sleep(0.2)
    assert follower.stale()
    assert follower.refresh()
    assert follower.release is not None
    assert (follower.release.id, follower.problem) == (better, "")
    assert not follower.stale()


def test_a_file_that_cannot_be_opened_in_passing_is_no_damaged_release(tmp_path: Path) -> None:
    reason = OSError(errno.EMFILE, "Too many open files")
    error = ModelError("the file cannot be read (Too many open files)")
    error.__cause__ = reason
    assert module._may_pass(error)
    error.__cause__ = FileNotFoundError()
    assert not module._may_pass(error)


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process has as many open as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 20, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for handle in held:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_release_that_is_gone_leaves_the_old_one_until_a_good_one_comes(tmp_path: Path) -> None:
    registry = shop(tmp_path)
    good = released(registry).id
    follower = Follower(tmp_path)
    follower.refresh()
    shutil.rmtree(registry.folder / released(registry).id)
    assert not follower.refresh()
    assert follower.release is not None
    assert follower.release.id == good
    assert "no release is called" in follower.problem
    assert not follower.stale()  # it does not try again and again
    better = released(registry).id
    assert follower.refresh()
    assert follower.release.id == better
    assert follower.problem == ""
