"""Rows a second and peak memory from a CSV to codes, sorted, by day, on disk; polars, pyarrow and DuckDB beside it.

    python benchmarks/ingest.py [--rows 1 5 20] [--peers polars pyarrow duckdb] [--folder DIR] [--json]

Millions of events with string ids (a long tail of people and items), ISO times that are out of order by some hours, a
type and a value. Segue runs its whole command: the rows are checked, those that cannot be taken are put aside with
their line, each event gets an id, the Delta table is synced and the index of histories built. A peer reads the same CSV
with the types told, gives out dense codes, sorts by time and writes a Parquet folder for each day, with its
dictionaries. Each runs in a process of its own, one after the other. Peak memory is the largest resident set as the
kernel counted it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DAY = 250_000  # events
CHUNK = 1_000_000
TYPES = ("view", "cart", "purchase")
DECLARATION = """
[events]
files = ["events.csv"]
[events.columns]
user = "user"
item = "item"
type = "type"
time = "time"
value = "value"
"""


def main() -> None:
    said = _arguments()
    if said.peer:
        PEERS[said.peer](said.file, said.out)
        return
    rows = []
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:  # so that nobody's code is compiled while it is timed
        subprocess.run([sys.executable, "-c", "from segue.learn.warm import warm; warm()"], check=True)
        _measured(Path(folder), 10_000, said.peers)
    for millions in said.rows:
        with tempfile.TemporaryDirectory(dir=said.folder) as folder:
            rows += _measured(Path(folder), int(millions * 1e6), said.peers)
            if not said.json:
                _print(rows[-len(said.peers) - 1 :])
    if said.json:
        print(json.dumps(rows, indent=2))


def _measured(folder: Path, rows: int, peers: list[str]) -> list[dict[str, Any]]:
    file = folder / "workspace" / "events.csv"
    file.parent.mkdir()
    write_events(file, rows)
    (file.parent / "segue.toml").write_text(DECLARATION)
    found = [_run("segue", [sys.executable, "-m", "segue", "ingest"], file.parent, rows)]
    for lake in ("lake", "state"):
        shutil.rmtree(file.parent / lake, ignore_errors=True)
    for peer in peers:
        out = folder / peer
        command = [sys.executable, __file__, "--peer", peer, "--file", str(file), "--out", str(out)]
        found.append(_run(peer, command, out, rows))
        shutil.rmtree(out)
    for each in found:
        each["times_slower_than_segue"] = round(each["seconds"] / found[0]["seconds"], 2)
    return found


def _run(name: str, command: list[str], out: Path, rows: int) -> dict[str, Any]:
    out.mkdir(exist_ok=True)
    before = _bytes(out)
    os.sync()
    begun = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(command, cwd=out, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}")
    return {
        "what": name,
        "rows": rows,
        "seconds": round(seconds, 2),
        "rows_per_s": round(rows / seconds),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_mb": round(used.ru_maxrss / 1024),
        "out_mb": round((_bytes(out) - before) / 1e6),
    }


def write_events(file: Path, rows: int) -> None:
    """Events in the order of arrival, not quite that of their times; a twentieth as many people as events."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(11)
    users, items = max(rows // 20, 1), max(rows // 200, 1)
    start = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1_000)
    with file.open("wb") as out:
        for first in range(0, rows, CHUNK):
            count = min(CHUNK, rows - first)
            arrived = np.arange(first, first + count) * (86_400_000 / DAY)
            times = start + arrived + random.integers(-7_200_000, 7_200_000, count)
            frame = pl.DataFrame(
                {
                    "user": _tailed(random, users, count),
                    "item": _tailed(random, items, count),
                    "type": random.choice(3, count, p=[0.8, 0.15, 0.05]),
                    "time": times.astype(np.int64),
                    "value": np.round(random.gamma(2.0, 20.0, count), 2),
                }
            )
            frame.select(
                pl.format("u{}", pl.col("user").cast(pl.String).str.zfill(8)).alias("user"),
                pl.format("sku-{}", pl.col("item").cast(pl.String).str.zfill(7)).alias("item"),
                pl.col("type").replace_strict(list(range(3)), list(TYPES), return_dtype=pl.String),
                pl.col("time").cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"),
                "value",
            ).write_csv(out, include_header=first == 0)


def _tailed(random: Any, many: int, count: int) -> Any:
    """Numbers below `many`, a few of them often and most of them seldom, in no order of how often."""
    ranks = (many * random.random(count) ** 3).astype("int64")
    return ranks * 7_919 % many


def _polars(file: Path, out: Path) -> None:
    """The lazy engine, streaming where it can; categoricals of their own for people and items give dense codes."""
    import polars as pl

    kinds = {name: pl.Categorical(pl.Categories(name)) for name in ("user", "item")}
    rows = pl.scan_csv(
        file, schema={"user": pl.String, "item": pl.String, "type": pl.String, "time": pl.String, "value": pl.Float64}
    ).with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us"))
    coded = rows.with_columns(pl.col(name).cast(kind).to_physical() for name, kind in kinds.items())
    coded = coded.with_columns(pl.col("time").dt.date().alias("day")).sort("time")
    coded.sink_parquet(pl.PartitionBy(out / "events", key="day"), mkdir=True, engine="streaming")
    for name in kinds:
        pl.Categories(name).to_series().to_frame("id").write_parquet(out / f"{name}.parquet")


def _pyarrow(file: Path, out: Path) -> None:
    """Dictionaries while reading, in threads; the whole table is in memory."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq
    from pyarrow import csv

    words = pa.dictionary(pa.int32(), pa.string())
    types = {"user": words, "item": words, "type": words, "time": pa.timestamp("us", "UTC"), "value": pa.float64()}
    table = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=types)).unify_dictionaries()
    for name in ("user", "item"):
        column = table[name]
        pq.write_table(pa.table({"id": column.chunk(0).dictionary}), out / f"{name}.parquet")
        codes = pa.chunked_array([chunk.indices for chunk in column.chunks])
        table = table.set_column(table.schema.get_field_index(name), name, codes)
    table = table.append_column("day", pc.cast(table["time"], pa.date32())).sort_by("time")
    ds.write_dataset(
        table,
        out / "events",
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("day", pa.date32())]), flavor="hive"),
    )


def _duckdb(file: Path, out: Path) -> None:
    """One database on disk, so that what does not fit in memory goes there."""
    import duckdb

    base = duckdb.connect(str(out / "work.duckdb"))
    base.execute("set preserve_insertion_order = false")
    types = "{'user': 'VARCHAR', 'item': 'VARCHAR', 'type': 'VARCHAR', 'time': 'TIMESTAMP', 'value': 'DOUBLE'}"
    base.execute(f"create table rows as from read_csv('{file}', header = true, columns = {types})")
    for name in ("user", "item"):
        query = f'select "{name}" as id, (row_number() over () - 1)::int as code from rows group by all'
        base.execute(f'create table "{name}_ids" as {query}')
        base.execute(f"copy \"{name}_ids\" to '{out}/{name}.parquet' (format parquet)")
    base.execute(
        f"""copy (
            select u.code as "user", i.code as item, type, time, value, time::date as day from rows
            join user_ids u on rows."user" = u.id join item_ids i on rows.item = i.id order by time
        ) to '{out}/events' (format parquet, partition_by (day))"""
    )
    base.close()
    (out / "work.duckdb").unlink()


PEERS: dict[str, Callable[[Path, Path], None]] = {"polars": _polars, "pyarrow": _pyarrow, "duckdb": _duckdb}


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print("  ".join(f"{name} {value:>9}" for name, value in row.items()), flush=True)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=float, default=[1, 5, 20], metavar="MILLIONS")
    parser.add_argument("--peers", nargs="*", choices=sorted(PEERS), default=list(PEERS))
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; the system's place else")
    parser.add_argument("--json", action="store_true")
    for hidden in ("--peer", "--file", "--out"):
        parser.add_argument(hidden, type=str if hidden == "--peer" else Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
