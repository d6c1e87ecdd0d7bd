"""What one person does with one list on one visit: fixed by the person, the visit and the items alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.simulate.stream import stream, uniform
from segue.simulate.world import World


@dataclass(frozen=True)
class Plan:
    """Who comes when: row by row the person (position in the crowd) and how many visits that person made before."""

    people: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.people)

    def rows(self, start: int, stop: int) -> Plan:
        """The visits from `start` to `stop`."""
        return Plan(self.people[start:stop], self.numbers[start:stop])


@dataclass(frozen=True)
class Response:
    """Positions (from 0) of the list: `looked` is how many were looked at, then those opened and those bought."""

    looked: int
    opened: tuple[int, ...]
    bought: tuple[int, ...]


def plan_visits(world: World, visits: int, seed: int = 0) -> Plan:
    """The next `visits` visits: people come as often as they are active."""
    rng = stream(world.seed, f"visits {seed}")
    activity = world.crowd.activity
    people = rng.choice(len(world.crowd), visits, p=activity / activity.sum())
    order = np.argsort(people, kind="stable")
    grouped = people[order]
    numbers = np.empty(visits, np.int64)
    numbers[order] = np.arange(visits) - np.searchsorted(grouped, grouped)
    return Plan(people.astype(np.int64), numbers)


def respond(world: World, person: int, number: int, shown: Sequence[str]) -> Response:
    """What the person does with the list `shown` (item ids, best first) on visit `number`.

    The luck of each step depends on the person, the visit and the item only (common random numbers), how far down a
    person looks on the person and the visit only: two policies are answered differently only where they show something
    different. Items that the world does not know are never opened.
    """
    behaviour = world.behaviour
    depth = behaviour.depth(uniform(world.seed, "depth", [person], [number]), len(shown))
    looked = int(depth[0])
    positions = [place for place in range(looked) if shown[place] in world.item_positions]
    items = np.array([world.item_positions[shown[place]] for place in positions], np.int64)
    liking = world.liking(np.full(len(items), person), items)
    opened = uniform(world.seed, "open", person, number, items) < behaviour.opens(liking)
    bought = opened & (uniform(world.seed, "buy", person, number, items) < behaviour.buys(liking))
    return Response(looked, _which(positions, opened), _which(positions, bought))


def _which(positions: list[int], chosen: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(place for place, yes in zip(positions, chosen.tolist(), strict=True) if yes)
