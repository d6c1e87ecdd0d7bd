"""Rows a second and peak memory from a CSV to codes, sorted, by day, on disk; polars, pyarrow and DuckDB beside it.

    python benchmarks/ingest.py [--rows 1 5 20] [--peers polars pyarrow duckdb] [--folder DIR] [--json] [--plot FILE]

Millions of events with string ids (a long tail of people and items), ISO times that are out of order by some hours, a
type and a value. Everybody does this work, each as it does it best: read the file with the types told; give each event
an id that it gets again when the same content is read again (a digest of the file, and the row); give people and items
dense codes, and write the dictionaries; keep rows whose time or value does not parse aside, with their place; sort by
time; write Parquet by day, zstd or what the tool prefers; and commit it as one Delta table. Of Segue two figures are
given: the load (`segue.data`, with what it does besides: many commits that a kill at any moment leaves whole, each
synced to the disk, no content twice), and the whole command `segue ingest`, which builds the index of histories too.
Each runs in a process of its own, one after the other. Peak memory is the largest resident set as the kernel counts it.
"""

from __future__ import annotations

import argparse
import hashlib
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
NAMES = ("user", "item", "type", "time", "value")
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
                _print(rows[-len(said.peers) - 2 :])
    if said.plot:
        plot(rows, said.plot)
    if said.json:
        print(json.dumps(rows, indent=2))


def _measured(folder: Path, rows: int, peers: list[str]) -> list[dict[str, Any]]:
    file = folder / "workspace" / "events.csv"
    file.parent.mkdir()
    write_events(file, rows)
    (file.parent / "segue.toml").write_text(DECLARATION)
    found = []
    for name, command in (
        ("segue, the load", [__file__, "--peer", "segue"]),
        ("segue ingest", ["-m", "segue", "ingest"]),
    ):
        found.append(_run(name, [sys.executable, *command], file.parent, rows))
        for lake in ("lake", "state"):
            shutil.rmtree(file.parent / lake, ignore_errors=True)
    for peer in peers:
        out = folder / peer
        command = [sys.executable, __file__, "--peer", peer, "--file", str(file), "--out", str(out)]
        found.append(_run(peer, command, out, rows))
        shutil.rmtree(out)
    for each in found:
        for name, ours in (("of_load", found[0]), ("of_ingest", found[1])):
            each[f"seconds_{name}"] = round(each["seconds"] / ours["seconds"], 2)
            each[f"cpu_{name}"] = round(each["cpu_s"] / ours["cpu_s"], 2)
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


def _segue(file: Path, out: Path) -> None:
    """The load alone: what the command does, without the index of histories."""
    del file, out
    from segue.data.ingest.ingest import ingest_events
    from segue.project import Project

    project = Project.open(Path())
    ingest_events(project.lake, project.declaration.events, [Path("events.csv")], Path(), datetime.now(UTC))


def _polars(file: Path, out: Path) -> None:
    """The lazy engine, streaming where it can; categoricals of their own for people and items give dense codes."""
    import polars as pl

    kinds = {name: pl.Categorical(pl.Categories(name)) for name in ("user", "item")}
    rows = pl.scan_csv(file, schema=dict.fromkeys(NAMES, pl.String), row_index_name="row")
    typed = rows.with_columns(
        pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False),
        pl.col("value").cast(pl.Float64, strict=False),
    )
    refused = pl.col("time").is_null() | pl.col("value").is_null()
    coded = typed.filter(~refused).with_columns(
        *(pl.col(name).cast(kind).to_physical() for name, kind in kinds.items()),
        pl.format("{}-{}", pl.lit(digest(file)), pl.col("row").cast(pl.String).str.zfill(10)).alias("id"),
        pl.col("time").dt.date().alias("day"),
    )
    by_day = pl.PartitionBy(out / "events", key="day", include_key=False)
    kept = coded.drop("row").sort("time").sink_parquet(by_day, mkdir=True, lazy=True)
    aside = typed.filter(refused).sink_parquet(out / "refused.parquet", lazy=True)
    pl.collect_all([kept, aside], engine="streaming")
    for name in kinds:
        pl.Categories(name).to_series().to_frame("id").write_parquet(out / f"{name}.parquet")
    delta(out)


def _pyarrow(file: Path, out: Path) -> None:
    """Dictionaries while reading, in threads; the whole table is in memory, but for the ids.

    Arrow refuses a file in which a value does not parse. Only then it is read again, as text, to find the row: here
    that does not happen.
    """
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
    table = table.append_column("row", pa.array(range_of(table.num_rows)))
    table = table.append_column("day", pc.cast(table["time"], pa.date32())).sort_by("time")
    named = digest(file)

    def with_ids(batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = pc.utf8_lpad(pc.cast(batch["row"], pa.string()), 10, "0")
        return batch.drop_columns(["row"]).append_column("id", pc.binary_join_element_wise(named, rows, "-"))

    batches = map(with_ids, table.to_batches(max_chunksize=131_072))
    ds.write_dataset(
        batches,
        out / "events",
        schema=with_ids(table.slice(0, 1).to_batches()[0]).schema,
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("day", pa.date32())]), flavor="hive"),
    )
    delta(out)


def _duckdb(file: Path, out: Path) -> None:
    """One database on disk, so that what does not fit in memory goes there; it keeps the lines that it rejects."""
    import duckdb

    base = duckdb.connect(str(out / "work.duckdb"))
    types = "{'user': 'VARCHAR', 'item': 'VARCHAR', 'type': 'VARCHAR', 'time': 'TIMESTAMP', 'value': 'DOUBLE'}"
    read = f"read_csv('{file}', header = true, columns = {types}, store_rejects = true)"
    base.execute(f"create table rows as from {read}")
    base.execute(f"copy (from reject_errors) to '{out}/refused.parquet' (format parquet)")
    base.execute("set preserve_insertion_order = false")
    for name in ("user", "item"):
        query = f'select "{name}" as id, (row_number() over () - 1)::int as code from rows group by all'
        base.execute(f'create table "{name}_ids" as {query}')
        base.execute(f"copy \"{name}_ids\" to '{out}/{name}.parquet' (format parquet)")
    base.execute(
        f"""copy (
            select '{digest(file)}-' || lpad(rows.rowid::varchar, 10, '0') as id,
                u.code as "user", i.code as item, type, time, value, time::date as day from rows
            join user_ids u on rows."user" = u.id join item_ids i on rows.item = i.id order by time
        ) to '{out}/events' (format parquet, partition_by (day))"""
    )
    base.close()
    (out / "work.duckdb").unlink()
    delta(out)


def digest(file: Path) -> str:
    """What begins the ids of a file's events: 16 digits of the hash of its content."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def range_of(rows: int) -> Any:
    """int64[rows]: 0, 1, 2, ..."""
    import numpy as np

    return np.arange(rows)


def delta(out: Path) -> None:
    """The Parquet files by day as one Delta table, in one commit."""
    from deltalake import Field, Schema, convert_to_deltalake
    from deltalake.schema import PrimitiveType

    days = Schema([Field("day", PrimitiveType("date"), nullable=True)])
    convert_to_deltalake(out / "events", partition_by=days, partition_strategy="hive")


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    """Processor seconds and peak memory of Segue against the number of rows, as SVG."""
    ours = {name: [each for each in rows if each["what"] == name] for name in ("segue, the load", "segue ingest")}
    largest = max(each["rows"] for each in rows)
    panels = [("seconds", "seconds"), ("cpu_s", "processor seconds"), ("peak_mb", "peak memory, MB")]
    drawn = [_panel(ours, largest, key, title, 20 + 240 * place) for place, (key, title) in enumerate(panels)]
    style = "text{font:11px sans-serif;fill:#777}polyline{fill:none;stroke-width:2}line{stroke:#999}"
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 230"><style>{style}</style>{"".join(drawn)}</svg>\n'
    )


def _panel(ours: dict[str, list[dict[str, Any]]], largest: int, key: str, title: str, left: int) -> str:
    top = max((each[key] for rows in ours.values() for each in rows), default=1)
    parts = [
        f'<text x="{left}" y="16">{title}</text>',
        f'<line x1="{left}" y1="190" x2="{left + 200}" y2="190"/><line x1="{left}" y1="30" x2="{left}" y2="190"/>',
        f'<text x="{left + 4}" y="38">{top:,.0f}</text>',
        f'<text x="{left + 200}" y="204" text-anchor="end">{largest / 1e6:g}M rows</text>',
    ]
    for number, (name, rows) in enumerate(ours.items()):
        color = ("#3b7dd8", "#d8743b")[number]
        points = [(left + 200 * each["rows"] / largest, 190 - 150 * each[key] / top) for each in rows]
        parts.append(f'<polyline stroke="{color}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in points]
        parts.append(f'<text x="{left + 100 * number}" y="222" style="fill:{color}">{name}</text>')
    return "".join(parts)


PEERS: dict[str, Callable[[Path, Path], None]] = {
    "polars": _polars,
    "pyarrow": _pyarrow,
    "duckdb": _duckdb,
    "segue": _segue,
}


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print("  ".join(f"{name} {value:>9}" for name, value in row.items()), flush=True)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=float, default=[1, 5, 20], metavar="MILLIONS")
    parser.add_argument("--peers", nargs="*", choices=sorted(PEERS), default=["polars", "pyarrow", "duckdb"])
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; the system's place else")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw Segue's cost against the size, as SVG")
    for hidden in ("--peer", "--file", "--out"):
        parser.add_argument(hidden, type=str if hidden == "--peer" else Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
