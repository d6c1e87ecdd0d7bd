"""How much people do: how many of them have one event, how many have thousands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

SHARES: Final = (0.25, 0.5, 0.75, 0.9, 0.99)
PERSON: Final = "person"


@dataclass(frozen=True)
class Band:
    """People who have from `low` to `high` events, both included, and how many events they have together."""

    low: int
    high: int
    people: int
    events: int


@dataclass(frozen=True)
class Activity:
    """Events by person, users and visitors alike.

    least      of one person
    quantiles  share of people -> events
    bands      1, 2, 3-4, 5-8, ... events
    busiest    the share of events that the busiest hundredth of people have
    """

    people: int
    events: int
    single: int
    mean: float
    least: int
    quantiles: dict[float, int]
    bands: tuple[Band, ...]
    busiest: float


def person(name: str = PERSON) -> pl.Expr:
    """The code of who did it: the user where known, the visitor where not."""
    return pl.coalesce(columns.USER, columns.VISITOR).alias(name)


def person_counts(snapshot: Snapshot) -> pl.DataFrame:
    """Events by person code: `person`, `events`."""
    who = snapshot.coded_events().select(person()).drop_nulls()
    return who.group_by(PERSON).len("events").collect(engine="streaming")


def activity(counts: pl.DataFrame) -> Activity | None:
    """The activity of `person_counts`; None where no event is of anybody."""
    if counts.is_empty():
        return None
    events = np.sort(counts["events"].to_numpy().astype(np.int64))
    people = len(events)
    busy = max(1, round(people / 100))
    return Activity(
        people=people,
        events=int(events.sum()),
        single=int((events == 1).sum()),
        mean=float(events.mean()),
        least=int(events[0]),
        quantiles={share: int(events[min(people - 1, int(share * people))]) for share in SHARES},
        bands=tuple(_bands(events)),
        busiest=float(events[-busy:].sum() / events.sum()),
    )


def _bands(events: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Band]:
    powers = np.ceil(np.log2(events)).astype(np.int64)
    found = []
    for power in range(int(powers[-1]) + 1):
        mine = events[powers == power]
        found.append(Band(2 ** (power - 1) + 1 if power else 1, 2**power, len(mine), int(mine.sum())))
    return found
