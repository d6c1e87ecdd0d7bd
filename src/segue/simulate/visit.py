"""People visit a running service over HTTP: they ask for a list, look down it, open and buy by their known tastes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.domain.events import IMPRESSION
from segue.simulate.client import Client
from segue.simulate.respond import Plan, Response, respond
from segue.simulate.world import World

Clock = Callable[[], datetime]


def now() -> datetime:
    """The time on the wall, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Visited:
    """What came of a plan, row by row; `statuses` counts the answers by HTTP status (0: no answer).

    answered  bool[visits]: whether the service showed a list
    looked, opened, bought  int64[visits]: how many items
    spent     float64[visits]: the prices of what was bought
    seconds   how long all visits took together
    """

    plan: Plan
    answered: npt.NDArray[np.bool_]
    looked: npt.NDArray[np.int64]
    opened: npt.NDArray[np.int64]
    bought: npt.NDArray[np.int64]
    spent: npt.NDArray[np.float64]
    statuses: dict[int, int]
    seconds: float

    @property
    def events(self) -> int:
        """How many events were sent."""
        return int(self.looked.sum() + self.opened.sum() + self.bought.sum())

    @property
    def failures(self) -> int:
        """How many requests were refused, failed or got no answer."""
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)


@dataclass(frozen=True)
class Door:
    """Where people come in: the address of the service, its API key, the surface, how long the list is."""

    url: str
    key: str | None = None
    surface: str = "home"
    k: int = 20


def visit(world: World, plan: Plan, door: Door, *, threads: int = 8, clock: Clock = now, label: str = "v") -> Visited:
    """Carry out a plan. One person's visits follow each other; at most `threads` people are there at once.

    `label` begins every request and event id, so that a repeated call with the same label changes nothing in the log.
    """
    rows: list[_Row | None] = [None] * len(plan)
    statuses: Counter[int] = Counter()
    started = time.perf_counter()

    def guest(thread: int) -> Counter[int]:
        client = Client(door.url, door.key)
        try:
            for row in np.flatnonzero(plan.people % threads == thread).tolist():
                rows[row] = _one_visit(world, client, door, plan, row, clock, label)
        finally:
            client.close()
        return client.statuses

    with ThreadPoolExecutor(threads) as pool:
        for counted in pool.map(guest, range(threads)):
            statuses.update(counted)
    return _visited(plan, rows, dict(sorted(statuses.items())), time.perf_counter() - started)


@dataclass(frozen=True)
class _Row:
    looked: int
    opened: int
    bought: int
    spent: float


def _one_visit(world: World, client: Client, door: Door, plan: Plan, row: int, clock: Clock, label: str) -> _Row | None:
    person, number = int(plan.people[row]), int(plan.numbers[row])
    name, user = f"{label}-{person}-{number}", world.crowd.ids[person]
    answer = client.post(f"/v1/surfaces/{door.surface}", {"user": user, "k": door.k, "request_id": name})
    if answer is None:
        return None
    shown = [entry["item"] for entry in answer["items"]]
    response = respond(world, person, number, shown)
    events = list(_events(world, user, name, answer, response, clock()))
    if events and client.post("/v1/events", events) is None:
        return None
    spent = sum(world.catalog.items[world.item_positions[shown[place]]].price or 0.0 for place in response.bought)
    return _Row(response.looked, len(response.opened), len(response.bought), spent)


def _events(
    world: World, user: str, name: str, answer: dict[str, Any], response: Response, moment: datetime
) -> Iterator[dict[str, Any]]:
    """The events of one visit in the order in which they happen, a microsecond apart."""
    entries = answer["items"]
    parts = [(IMPRESSION, range(response.looked)), (world.style.look, response.opened)]
    steps = [(kind, place) for kind, places in [*parts, (world.style.take, response.bought)] for place in places]
    for step, (kind, place) in enumerate(steps):
        entry = entries[place]
        event = {
            "id": f"{name}-{kind}-{place}",
            "type": kind,
            "user": user,
            "item": entry["item"],
            "time": (moment + timedelta(microseconds=step)).isoformat(),
            "session": name,
            "decision": answer["decision"],
            "position": entry["position"],
        }
        bought = {"value": world.catalog.items[world.item_positions[entry["item"]]].price, "quantity": 1}
        yield event | bought if kind == world.style.take else event


def _visited(plan: Plan, rows: list[_Row | None], statuses: dict[int, int], seconds: float) -> Visited:
    none = _Row(0, 0, 0, 0.0)
    filled = [row or none for row in rows]
    return Visited(
        plan,
        np.array([row is not None for row in rows], np.bool_),
        np.array([row.looked for row in filled], np.int64),
        np.array([row.opened for row in filled], np.int64),
        np.array([row.bought for row in filled], np.int64),
        np.array([row.spent for row in filled], np.float64),
        statuses,
        seconds,
    )
