"""Robots are found and told with their evidence; busy people are not among them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from segue.data.identity.people import people, stitched
from segue.data.identity.robots import Robot, robots, rows
from segue.data.identity.settings import IdentitySettings, RobotSettings
from segue.data.ingest.ingest import ingest_events
from segue.data.interactions import interactions
from segue.data.lake.lake import Lake, Snapshot
from segue.data.settings import EventColumns, EventSource
from segue.simulate.world import World
from tests.data_lake.world import frame, moment

HEAVY = RobotSettings()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def found(snapshot: Snapshot, settings: RobotSettings = HEAVY, cache: Path | None = None) -> dict[str, Robot]:
    who = stitched(snapshot, IdentitySettings()).who
    names = snapshot.person_ids.ids
    return {names[robot.code]: robot for robot in robots(snapshot, settings, who, cache)}


def visits(person: str, minutes: np.ndarray, items: np.ndarray) -> list[dict[str, object]]:
    made = zip(minutes.tolist(), items.tolist(), strict=True)
    return [
        {"id": f"{person}{n}", "user": person, "item": f"i{item}", "time": moment(minute)}
        for n, (minute, item) in enumerate(made)
    ]


def test_each_rule_finds_its_robot_and_says_why(lake: Lake) -> None:
    rng = np.random.default_rng(0)
    uneven = np.sort(rng.choice(600_000, 100, replace=False)) / 600_000
    rows = [
        *visits("fast", uneven, np.arange(100)),
        *visits("even", 0.5 * np.arange(120), np.arange(120)),
        *visits("narrow", np.sort(rng.random(2_500)) * 600, np.zeros(2_500, int)),
        *visits("player", 0.5 * np.arange(120), np.zeros(120, int)),  # a film that says every half minute where it is
        *visits("buyer", np.zeros(3_000), np.arange(3_000)),  # one order
        *visits("keen", np.cumsum(rng.lognormal(-1.5, 1, 900)), rng.integers(500, size=900)),
        {"id": "agent", "user": "crawler", "item": "x", "context": '{"agent": "Examplebot/2.1"}'},
        {"id": "about", "user": "tinker", "item": "x", "context": '{"agent": "Bottle/2.1 (robotics shop)"}'},
    ]
    lake.append_events(frame([{"context": None, "time": None} | row for row in rows]), "b")
    told = found(lake.snapshot(), RobotSettings(agent="agent"))
    assert {name: robot.why() for name, robot in told.items()} == {
        "u:fast": "100 moments in a minute",
        "u:even": "118 moments at equal intervals",
        "u:narrow": "2,500 events with one item in a day",
        "u:crawler": "user agent Examplebot/2.1",
    }
    assert told["u:even"].events == 120


def test_robots_are_left_out_unless_they_are_wanted(lake: Lake, tmp_path: Path) -> None:
    even = visits("even", 0.5 * np.arange(120), np.arange(120))
    lake.append_events(frame([*even, {"id": "a", "user": "ann", "item": "i1", "time": moment(0)}]), "b")
    snapshot = lake.snapshot()
    for exclude, count in ((True, 1), (False, 121)):
        counted = people(snapshot, IdentitySettings(), RobotSettings(exclude=exclude), tmp_path / "cache")
        assert interactions(snapshot, EventSource(), people=counted).rows == count
        assert rows(counted.robots, snapshot.person_ids.ids)[0]["person"] == "even"
    assert found(snapshot, cache=tmp_path / "cache") == found(snapshot)


def test_without_times_nobody_is_a_robot(lake: Lake) -> None:
    lake.append_events(frame([{"user": "ann", "item": f"i{n}", "order": n} for n in range(500)]), "b")
    assert found(lake.snapshot()) == {}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_the_robots_of_a_world_are_found_and_nobody_else(seed: int, lake: Lake, tmp_path: Path) -> None:
    truth = World("shop", seed=seed, people=300, items=100, days=28, robots=6).write(tmp_path)
    source = EventSource(columns=EventColumns(user="user_id", item="item_id", type="event", time="timestamp"))
    ingest_events(lake, source, [tmp_path / name for name in truth.events], tmp_path, datetime.now(UTC))
    told = {name[2:] for name in found(lake.snapshot())}
    precision, recall = len(told & set(truth.robots)) / len(told), len(told & set(truth.robots)) / len(truth.robots)
    assert (precision, recall) == (1.0, 1.0)
