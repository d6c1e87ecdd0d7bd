"""The full rule set on 20M rows: `segue check` against pandera, pointblank and Great Expectations, same verdicts.

    python benchmarks/quality.py [--rows 20] [--peers pandera pointblank great_expectations] [--python PEERS]

Events with string ids of people and items, a type, a time, a value and a quantity, some of them broken on purpose.
Segue holds a lake of them to eleven rules, from Delta files; a peer holds a Parquet file of the same rows, ids as
text, to the same rules, in a process of its own with the interpreter in --python (benchmarks/peers/quality.txt says
what it needs). Each says how many rows broke each rule; where two differ, the run fails. Peak memory is the largest
resident set as the kernel counted it; a peer that runs out of memory or time is told as such. Reading is in the time of
everybody, loading the packages in that of nobody.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from environment import environment

HERE = Path(__file__).resolve().parent
DAY = 250_000  # events
TYPES = ("view", "cart", "purchase")
PEERS = ("pandera", "pointblank", "great_expectations")  # the last holds 20M rows as Python objects: only if named
PATIENCE_S = 1200
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    said = _arguments()
    if said.segue:
        return _segue(said.segue)
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        found = _measured(
            Path(folder),
            int(said.rows * 1e6),
            said.peers,
            said.python or str(environment("quality-peers", "quality.txt")),
        )
    if said.json:
        return print(json.dumps(found, indent=2))
    return _print(found)


def _measured(folder: Path, rows: int, peers: list[str], python: str) -> list[dict[str, Any]]:
    _write(folder, rows)
    found = [_run("segue", [sys.executable, __file__, "--segue", str(folder)])]
    peer = HERE / "peers" / "quality_peers.py"
    found += [_run(name, [python, str(peer), name, str(folder)]) for name in peers]
    for each in found:
        if each["broken"] is not None and each["broken"] != found[0]["broken"]:
            raise SystemExit(f"{each['tool']} has other verdicts: {each['broken']}, Segue has {found[0]['broken']}")
    return found


def _run(name: str, command: list[str]) -> dict[str, Any]:
    """What a process says of itself: seconds and broken rows by rule; its peak memory as the kernel counted it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        out, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return {"tool": name, "seconds": None, "peak_mb": None, "broken": None, "why": f"over {PATIENCE_S} s"}
    if process.returncode:
        return {"tool": name, "seconds": None, "peak_mb": None, "broken": None, "why": f"exit {process.returncode}"}
    return {"tool": name, **json.loads(out.splitlines()[-1])}


def _write(folder: Path, rows: int) -> None:
    """The same rows as a lake and as one Parquet file."""
    import numpy as np
    import polars as pl
    import pyarrow.parquet as pq

    from segue.data.lake.lake import Lake

    lake, writer = Lake(folder / "lake"), None
    random = np.random.default_rng(4)
    catalog = pl.DataFrame({"id": [f"item-{code:06d}" for code in range(90_000)]})
    lake.put_items(catalog.with_columns(title=pl.col("id"), price=pl.lit(1.0)), "items")
    catalog.write_parquet(folder / "items.parquet")
    for first in range(0, rows, 1_000_000):
        frame = _rows(np, pl, random, first, min(1_000_000, rows - first))
        lake.append_events(frame, f"batch-{first:012d}")
        table = frame.to_arrow()
        writer = writer or pq.ParquetWriter(folder / "events.parquet", table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _rows(np: Any, pl: Any, random: Any, first: int, count: int) -> Any:
    place = np.arange(first, first + count)
    people = (random.pareto(1.1, count) * 1000).astype(np.int64) % 1_000_000
    items = (random.pareto(1.0, count) * 500).astype(np.int64) % 100_000
    value = np.round(random.gamma(2.0, 20.0, count), 2)
    value[random.random(count) < 0.001] = -1.0
    start = NOW - timedelta(days=400)
    seconds = place * (86_400 / DAY) + random.normal(0, 3600, count)
    frame = pl.DataFrame({"place": place, "person": people, "thing": items, "value": value, "seconds": seconds})
    kind = random.choice([*TYPES, "oops"], count, p=[0.8, 0.15, 0.0499, 0.0001])
    lost = pl.Series(random.random(count) < 0.01)
    return frame.select(
        id=pl.lit("e-") + pl.col("place").cast(pl.String).str.zfill(10),  # a lake takes no id twice
        user=pl.lit("user-") + pl.col("person").cast(pl.String).str.zfill(7),
        item=pl.when(~lost).then(pl.lit("item-") + pl.col("thing").cast(pl.String).str.zfill(6)),
        type=pl.Series(kind),
        time=(pl.lit(start) + pl.duration(microseconds=(pl.col("seconds") * 1e6).cast(pl.Int64))).cast(
            pl.Datetime("us", "UTC")
        ),
        received=pl.lit(NOW).cast(pl.Datetime("us", "UTC")),
        value=pl.col("value"),
        quantity=pl.Series(random.integers(1, 12, count).astype(np.float64)),
    )


def _segue(folder: str) -> None:
    from time import perf_counter

    from segue.data.lake.lake import Lake
    from segue.data.quality.check import check
    from segue.data.settings import Rule

    began = perf_counter()
    events = {"table": "events"}
    rules = [
        Rule(**events, column="id", rule="unique"),
        Rule(**events, column="user", rule="null"),
        Rule(**events, column="item", rule="null"),
        Rule(**events, column="type", rule="allowed", values=TYPES),
        Rule(**events, column="value", rule="range", min=0.0, max=1000.0),
        Rule(**events, column="quantity", rule="range", min=1.0, max=10.0),
        Rule(**events, column="time", rule="time_range", min="2024-12-01", max="2026-01-01"),
        Rule(**events, column="user", rule="regex", pattern="^user-[0-9]{7}$"),
        Rule(**events, column="item", rule="regex", pattern="^item-0[0-9]{5}$"),
        Rule(**events, column="item", rule="known_item"),
        Rule(**events, rule="expression", expression="value * quantity < 2000"),
    ]
    results = check(Lake(Path(folder) / "lake").snapshot(), rules, NOW)
    seconds = perf_counter() - began
    peak = _peak()
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "broken": [result.broken for result in results]}))


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)


def _print(found: list[dict[str, Any]]) -> None:
    ours = found[0]
    print("| tool | seconds | against Segue | peak MB |\n|---|---:|---:|---:|")
    for each in found:
        if each["seconds"] is None:
            print(f"| {each['tool']} | {each['why']} | | |")
            continue
        ratio = each["seconds"] / ours["seconds"]
        print(f"| {each['tool']} | {each['seconds']:.2f} | {ratio:.1f}x | {each['peak_mb']:,.0f} |")
    print(f"\nbroken rows by rule, the same for all that ended: {ours['broken']}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=20, help="Millions.")
    parser.add_argument("--peers", nargs="*", default=list(PEERS[:2]), choices=PEERS)
    parser.add_argument("--python", help="The peers' interpreter; made in .cache where none is named.")
    parser.add_argument("--folder", help="Where to put the data.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--segue", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
