"""Events a second that the journal acknowledges after their sync, and how fast a drain and a point read are.

python benchmarks/journal.py [--seconds 3] [--folder DIR] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segue.data.histories.state import UserState
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake.lake import Lake
from segue.domain.events import Event
from segue.serve.gathering import Gathering

WRITERS = (1, 16, 64)
PEOPLE = 5_000


def main() -> None:
    said = _arguments()
    rows = []
    for writers in WRITERS:
        with tempfile.TemporaryDirectory(dir=said.folder) as folder:
            rows.append(_append(Path(folder), writers, said.seconds))
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        rows += _drain_and_read(Path(folder))
    if said.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def _append(folder: Path, writers: int, seconds: float) -> dict[str, Any]:
    """Each writer sends one event and waits until it is acknowledged; all go through the service's group commit."""
    journal = SQLiteJournal(folder / "journal")
    took = sorted(asyncio.run(_written(journal, writers, seconds)))
    journal.close()
    return {
        "what": "append",
        "writers": writers,
        "events_per_s": round(len(took) / seconds),
        "p50_ms": round(statistics.median(took) * 1e3, 2),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1e3, 2),
    }


async def _written(journal: SQLiteJournal, writers: int, seconds: float) -> list[float]:
    latencies: list[float] = []

    def commit(events: list[Event]) -> list[bool]:
        return journal.append(events, datetime.now(UTC))

    group = Gathering(commit, limit=1_000)
    until = time.perf_counter() + seconds

    async def write(writer: int) -> None:
        number = 0
        while (begun := time.perf_counter()) < until:
            assert await group.put(_event(f"{writer}-{number}", number))
            latencies.append(time.perf_counter() - begun)
            number += 1

    await asyncio.gather(*(write(writer) for writer in range(writers)))
    await group.close()
    return latencies


def _drain_and_read(folder: Path) -> list[dict[str, Any]]:
    journal, lake = SQLiteJournal(folder / "journal"), Lake(folder / "lake")
    state = UserState(folder, journal=journal)
    rows = []
    for events in (100, 1_000, 10_000, 50_000):
        _fill(journal, events)
        seconds = _timed(lambda: drain(lake, journal, state))
        rows.append({"what": "drain", "events": events, "seconds": round(seconds, 3)})
    _fill(journal, 10_000)
    reads = [_timed(lambda n=n: state.history(f"u:p{n % PEOPLE}")) for n in range(5_000)]
    rows.append({"what": "history", "p50_ms": round(statistics.median(reads) * 1e3, 3)})
    journal.close()
    return rows


def _fill(journal: SQLiteJournal, events: int) -> None:
    first = journal.last().events
    for start in range(first, first + events, 5_000):
        stop = min(start + 5_000, first + events)
        journal.append([_event(f"f{n}", n) for n in range(start, stop)], datetime.now(UTC))


def _event(identifier: str, number: int) -> Event:
    return Event(
        id=identifier,
        type="view",
        user=f"p{number % PEOPLE}",
        item=f"i{number % 997}",
        time=datetime.now(UTC),
        value=1.0,
    )


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; the system's place else")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
