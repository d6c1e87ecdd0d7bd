"""Writes a world as the files that a team would have: events by week, the catalog, the users, and the truth aside."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from segue.domain.catalog import Item
from segue.simulate.breakage import BrokenRow, Fields, break_rows
from segue.simulate.catalog import Catalog
from segue.simulate.history import KEEP, LOOK, TAKE, History
from segue.simulate.naming import Style
from segue.simulate.people import Crowd
from segue.simulate.stream import stream

EVENT_HEADER = ["event_id", "user_id", "item_id", "event", "timestamp", "price", "quantity", "session_id"]
DAYS_A_FILE = 7


class Truth(msgspec.Struct, frozen=True):
    """What is true of the files that were written, for comparison with what Segue makes of them.

    rows     lines of events that were written, broken and doubled ones included, headers not
    broken   every damaged row
    robots   the user ids that are no people
    """

    events: tuple[str, ...]
    items: str
    users: str
    rows: int
    broken: tuple[BrokenRow, ...]
    robots: tuple[str, ...]

    @property
    def duplicates(self) -> int:
        """Rows that are a second copy of a whole row."""
        return sum(row.kind == "duplicate" for row in self.broken)

    @property
    def unreadable(self) -> int:
        """Rows that belong into quarantine."""
        return len(self.broken) - self.duplicates

    @property
    def whole(self) -> int:
        """Events that belong into the lake."""
        return self.rows - len(self.broken)

    def kinds(self) -> dict[str, int]:
        """How many rows were damaged in which way."""
        return dict(sorted(Counter(row.kind for row in self.broken).items()))


def write_world(
    folder: Path,
    seed: int,
    start: date,
    crowd: Crowd,
    catalog: Catalog,
    history: History,
    style: Style,
    broken: Mapping[str, float],
) -> Truth:
    """Write all files into `folder` and say what was damaged. Nothing else in the folder is touched."""
    folder.mkdir(parents=True, exist_ok=True)
    robots = tuple(f"u{len(crowd) + number + 1:05d}" for number in range(history.robots))
    rows = _event_rows(crowd.ids + robots, start, catalog, history, style)
    names, written, damaged = [], 0, []
    week = history.seconds // (DAYS_A_FILE * 86_400)
    edges = np.searchsorted(week, np.arange(int(week[-1]) + 2 if len(week) else 1))
    rng = stream(seed, "breakage")
    for number, (begin, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        name = f"events-{start + timedelta(days=DAYS_A_FILE * number)}.csv"
        lines, bad = break_rows(rng, name, EVENT_HEADER, rows[begin:end], broken)
        (folder / name).write_bytes(b"\n".join([",".join(EVENT_HEADER).encode(), *lines, b""]))
        names.append(name)
        written += len(lines)
        damaged += bad
    (folder / "items.jsonl").write_bytes(b"".join(msgspec.json.encode(_plain(item)) + b"\n" for item in catalog.items))
    (folder / "users.csv").write_bytes(_users(crowd, seed, start))
    truth = Truth(tuple(names), "items.jsonl", "users.csv", written, tuple(damaged), robots)
    (folder / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(truth)))
    return truth


def _event_rows(ids: tuple[str, ...], start: date, catalog: Catalog, history: History, style: Style) -> list[Fields]:
    verbs = {LOOK: style.look.encode(), KEEP: style.keep.encode(), TAKE: style.take.encode()}
    users = [user.encode() for user in ids]
    items = [item.id.encode() for item in catalog.items]
    prices = [f"{item.price:.2f}".encode() for item in catalog.items]
    times = np.datetime_as_string(np.datetime64(start, "s") + history.seconds, unit="s")
    columns = zip(
        history.people.tolist(),
        history.items.tolist(),
        history.kinds.tolist(),
        times.tolist(),
        history.quantity.tolist(),
        history.sessions.tolist(),
        strict=True,
    )
    return [
        [
            b"e%07d" % (number + 1), users[person], items[item], verbs[kind], time.encode() + b"Z",
            prices[item], b"%d" % quantity, b"s%06d" % (session % 1_000_000),
        ]
        for number, (person, item, kind, time, quantity, session) in enumerate(columns)
    ]  # fmt: skip


def _plain(item: Item) -> dict[str, Any]:
    """The item as a shop would export it: flat, without what is empty."""
    record = msgspec.to_builtins(item)
    record |= record.pop("attributes", {})
    return {name: value for name, value in record.items() if value is not None}


def _users(crowd: Crowd, seed: int, start: date) -> bytes:
    joined = stream(seed, "joined").integers(1, 1_500, len(crowd)).tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["user_id", "name", "town", "joined"])
    for user, name, town, days in zip(crowd.ids, crowd.names, crowd.towns, joined, strict=True):
        writer.writerow([user, name, town, start - timedelta(days=days)])
    return text.getvalue().encode()
