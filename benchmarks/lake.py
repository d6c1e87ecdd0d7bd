"""What a lake costs as it grows: one more day upon a year, opening the year, one person's history, and upkeep.

python benchmarks/lake.py [--days 365] [--daily 30000] [--people 1000000] [--events 100000000] [--folder DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from segue.data.histories.state import UserState
from segue.data.lake.lake import Lake
from segue.data.lake.upkeep import Upkeep
from segue.project import Project

START = datetime(2025, 1, 1, tzinfo=UTC)
ITEMS = 50_000
BLOCK = 2_000_000  # events that are appended at a time
ASKED = 200  # people, by a process that has just begun
MOMENT = pl.Datetime("us", "UTC")


def main() -> None:
    said = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="lake-bench-", dir=said.folder))
    try:
        rows = [*_year(folder / "year", said.days, said.daily, said.people)]
        if said.events:
            rows += _history(folder / "many", said.events, said.people)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for row in rows:
        print(json.dumps(row) if said.json else "  ".join(f"{name} {value}" for name, value in row.items()))


def _year(folder: Path, days: int, daily: int, people: int) -> Iterator[dict[str, Any]]:
    """Day upon day: the first days, the last, and one more; then the year is opened, compacted and asked again."""
    folder.mkdir()
    (folder / "segue.toml").write_text("")
    took = []
    for day in range(days + 1):
        rows = _events(day, daily, people)
        began = time.perf_counter()
        lake = Lake(folder / "lake")
        lake.append_events(rows, f"day-{day}")
        appended = time.perf_counter()
        UserState(folder).update(lake.snapshot())
        took.append((appended - began, time.perf_counter() - appended))
    first, last = took[5:25], took[-21:]
    yield {
        "what": f"one more day of {daily:,} events, random ids",
        "first_days_ms": _middle([sum(each) for each in first]),
        "after_a_year_ms": _middle([sum(each) for each in last]),
        "lake_ms": _middle([each[0] for each in last]),
        "histories_ms": _middle([each[1] for each in last]),
        "slowest_ms": round(max(sum(each) for each in last) * 1e3),
    }
    yield _opened(folder, f"open {days + 1} days, {days + 1} files")
    began = time.perf_counter()
    Upkeep(Lake(folder / "lake")).compact()
    yield {"what": "compact them (a file a day: only dictionaries)", "ms": round((time.perf_counter() - began) * 1e3)}
    yield _opened(folder, f"open {days + 1} days, compacted")


def _opened(folder: Path, what: str) -> dict[str, Any]:
    """Open the workspace, take a snapshot, and count its events, again and again in one process."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        snapshot = Project.open(folder).snapshot()
        assert snapshot.events_count
        times.append(time.perf_counter() - began)
    return {"what": what, "ms": _middle(times), "first_ms": round(times[0] * 1e3, 1)}


def _history(folder: Path, events: int, people: int) -> list[dict[str, Any]]:
    """As many events as are asked for, the index by its command, and one person after another in a new process."""
    folder.mkdir()
    (folder / "segue.toml").write_text("")
    lake, began = Lake(folder / "lake"), time.perf_counter()
    with lake.writer():
        for number in range(-(-events // BLOCK)):
            lake.append_events(_events(number, min(BLOCK, events - number * BLOCK), people, by_row=True), f"b{number}")
    imported = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    command = [sys.executable, "-m", "segue", "-C", str(folder), "lake", "index"]
    subprocess.run(command, check=True, capture_output=True)
    indexed = time.perf_counter() - began
    told = json.loads(subprocess.run([sys.executable, "-c", _ASK, str(folder), str(people)], check=True,
                                     capture_output=True, text=True).stdout)  # fmt: skip
    size = {"events": events, "people": people}
    return [
        {"what": "import", **size, "s": round(imported, 1), "peak_mb": peak // 1024},
        {"what": "segue lake index", **size, "s": round(indexed, 1),
         "peak_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024},
        {"what": "history of one person, new process", **size, **told},
    ]  # fmt: skip


_ASK = f"""
import json, random, statistics, sys, time
from pathlib import Path
from segue.data.histories.state import UserState
state = UserState(Path(sys.argv[1]))
times, lengths = [], []
for number in random.Random(1).choices(range(int(sys.argv[2])), k={ASKED}):
    began = time.perf_counter()
    lengths.append(len(state.history(f"u:{{number}}")))
    times.append(time.perf_counter() - began)
print(json.dumps({{"first_ms": round(times[0] * 1e3, 2), "p50_ms": round(statistics.median(times) * 1e3, 3),
                  "p99_ms": round(sorted(times)[int(len(times) * 0.99)] * 1e3, 3),
                  "events_each": round(statistics.mean(lengths), 1)}}))
"""


def _events(number: int, rows: int, people: int, *, by_row: bool = False) -> pl.DataFrame:
    """Random events of one day; ids are random as well, or where `by_row` those of a file without any."""
    random = np.random.default_rng(number)
    day = START + timedelta(days=number)
    seconds = np.sort(random.integers(0, 86_400_000_000, rows))
    at = pl.Series(seconds).cast(pl.Duration("us")) + pl.lit(day, MOMENT)
    ids = pl.Series(random.integers(0, 2**63, rows, dtype=np.int64)).cast(pl.String)
    lines = pl.int_range(rows, eager=True).cast(pl.String).str.zfill(10)
    return pl.DataFrame(
        {
            "id": f"{number:016x}-" + lines if by_row else ids,
            "user": pl.Series(random.integers(0, people, rows)).cast(pl.String),
            "item": "i" + pl.Series(random.integers(0, ITEMS, rows)).cast(pl.String),
            "type": pl.Series(["view"]).extend_constant("view", rows - 1),
        }
    ).with_columns(at.alias("time"), pl.lit(day + timedelta(days=1), MOMENT).alias("received"))


def _middle(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1e3, 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--daily", type=int, default=30_000)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
