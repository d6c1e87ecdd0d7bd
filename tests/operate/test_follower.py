"""The follower of a running service: one stat to see a switch, the old release until the new one is ready."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segue.decide.ask import Ask
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
