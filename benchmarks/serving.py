"""Requests per second and latency of the running service: lists on one worker, events acknowledged after the sync.

    python benchmarks/serving.py [--seconds 8] [--people 2000] [--items 2000] [--json]

A simulated shop is made, learned from and released by the command line, and served by `segue serve` with one worker.
The load comes from `wrk` (Debian's package) on the same cores; the latency at half load from an open loop, so that a
slow answer does not slow the questions down: it counts from the moment at which a request was due. "cpu ms" is what the
worker spent on one request: it tells what one core can do also where others use the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

SEGUE = [sys.executable, "-m", "segue"]
COMMON = """
local thread = 0
function setup(each) each:set("number", thread); thread = thread + 1 end
function done(summary) io.write("refused ", summary.errors.status, "\\n") end
local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer KEY"}
local sent = 0
"""
LISTS = """
function request()
  return wrk.format("POST", "/v1/surfaces/home", headers, string.format('{"user":"u%05d","k":20}', math.random(PEOPLE)))
end
"""
EVENTS = """
function request()
  sent = sent + 1
  local event = '{"id":"RUN-%d-%d","type":"click","user":"u%05d","item":"p%04d","time":"2026-06-01T10:00:00Z"}'
  return wrk.format("POST", "/v1/events", headers,
    string.format(event, number, sent, math.random(PEOPLE), math.random(ITEMS)))
end
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("the load comes from wrk: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        rows = _measured(_made(Path(folder), said.people, said.items), said)
    if said.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def _made(folder: Path, people: int, items: int) -> Path:
    """A workspace with a release, by the command line."""
    files, workspace = folder / "files", folder / "shop"
    _segue("simulate", str(files), "--people", str(people), "--items", str(items), "--days", "60")
    tables = ("--events", f"{files}/events-*.csv", "--items", f"{files}/items.jsonl", "--users", f"{files}/users.csv")
    _segue("init", str(workspace), *tables)
    for command in ("ingest", "train", "release"):
        _segue("-C", str(workspace), command)
    return workspace


def _measured(workspace: Path, said: argparse.Namespace) -> list[dict[str, Any]]:
    key = _segue("-C", str(workspace), "key").split()[-1]
    rows = []
    with _serving(workspace) as (port, worker):

        def add(what: str, load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
            before = _cpu_seconds(worker)
            row = load()
            spent = (_cpu_seconds(worker) - before) / (row["per second"] * said.seconds)
            rows.append({"what": what, **row, "cpu ms": round(spent * 1000, 3)})
            return row

        def paced(rate: float) -> dict[str, Any]:
            return asyncio.run(_open_loop(port, key, rate, said.seconds, said.people))

        _wrk(LISTS, port, key, 4, 2, said)
        full = add("lists, 8 clients", lambda: _wrk(LISTS, port, key, 8, said.seconds, said))
        add("lists, half of that", lambda: paced(full["per second"] / 2))
        add("lists, 150 a second", lambda: paced(150))
        for clients in (1, 16, 64):
            load = partial(_wrk, EVENTS, port, key, clients, said.seconds, said)
            add(f"events, {clients} clients", load)
    return rows


def _cpu_seconds(process: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serving(workspace: Path) -> Iterator[tuple[int, int]]:
    """The port, and the process of the one worker; beside it runs the drain that every service has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*SEGUE, "-C", str(workspace), "serve", "--port", str(port), "--workers", "1"]
    with (workspace / "service.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(port, process, workspace / "service.log")
        yield port, _worker(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _worker(parent: int) -> int:
    tasks = Path(f"/proc/{parent}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return next(int(child) for child in children if b"drainer" not in Path(f"/proc/{child}/cmdline").read_bytes())


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the service did not start: {log.read_text()[-2000:]}")


def _wrk(script: str, port: int, key: str, clients: int, seconds: int, said: argparse.Namespace) -> dict[str, Any]:
    """One run of wrk with one thread."""
    run = os.urandom(4).hex()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        text = COMMON + script
        for name, value in {"RUN": run, "KEY": key, "PEOPLE": str(said.people), "ITEMS": str(said.items)}.items():
            text = text.replace(name, value)
        file.write(text)
        file.flush()
        load = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-s", file.name, f"http://127.0.0.1:{port}"]
        told = subprocess.run(load, capture_output=True, text=True, check=True).stdout
    return {
        "per second": round(float(_found(r"Requests/sec:\s+([\d.]+)", told))),
        "p50 ms": _milliseconds(_found(r"\n\s+50%\s+(\S+)", told)),
        "p99 ms": _milliseconds(_found(r"\n\s+99%\s+(\S+)", told)),
        "refused": int(_found(r"refused (\d+)", told)),
    }


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk said something else: {text}")
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return round(float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit], 2)


async def _open_loop(port: int, key: str, rate: float, seconds: int, people: int) -> dict[str, Any]:
    """Requests that are due at even distances, whatever the answers do; latencies from when each was due."""
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(32):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    took: list[float] = []
    refused = 0

    async def one(number: int, due: float) -> None:
        nonlocal refused
        reader, writer = await idle.get()
        body = json.dumps({"user": f"u{number * 7919 % people + 1:05}", "k": 20}).encode()
        head = f"POST /v1/surfaces/home HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer)
        await reader.readexactly(int(length[1]) if length else 0)
        took.append(time.perf_counter() - due)
        refused += b" 200 " not in answer[:16]
        idle.put_nowait((reader, writer))

    start, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    while not idle.empty():
        idle.get_nowait()[1].close()
    took.sort()
    p50, p99 = (round(took[int(len(took) * share)] * 1000, 2) for share in (0.5, 0.99))
    return {"per second": round(rate), "p50 ms": p50, "p99 ms": p99, "refused": refused}


def _segue(*arguments: str) -> str:
    return subprocess.run([*SEGUE, *arguments], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
