"""What fitting costs against size: seconds and peak memory of each learner, and the exponent with which they grow.

    python benchmarks/sizes.py [--events 1 3 10 20 50] [--items 1000 3000 10000 30000 100000] [--learners NAME ...]
                               [--json FILE] [--plot FOLDER]

One sweep has more and more events (in millions) of 26,700 items, so more and more people of 130 events each; the other
has 3 million events of more and more items. Synthetic interactions, defaults of each learner, a process for each fit.
Peak memory is the largest resident set during the fit, without what is resident when it begins, with the events sorted
by person. The exponent is the slope of the line through the logarithms: 1 is in proportion to size, 2 and 3 are its
square and cube. A learner that refuses says what would fit, in place of figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segue.domain.errors import SegueError
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.learn.registry import learner
from segue.learn.warm import warm
from segue.testing.datasets import table
from synthetic import ITEMS, interactions

EVENTS_EACH = 130  # of a person
MILLIONS_OF_ITEMS_SWEEP = 3
LEARNERS = ("popularity", "covisitation", "item_knn", "slim", "spectral", "als", "ease")
LIMIT_S = 900.0
COLOURS = ("#3b7dd8", "#d8743b", "#3a9d5d", "#9a5fc0", "#b8a020", "#c0486a", "#4aa8a8")


@dataclass(frozen=True)
class Sweep:
    """Fits of a learner at sizes that grow along one axis."""

    axis: str
    sizes: tuple[tuple[int, int], ...]  # events and items

    def size(self, row: dict[str, Any]) -> int:
        """The size along the axis."""
        return int(row[self.axis])


def main() -> None:
    said = _arguments()
    if said.one:
        print(json.dumps(fitted(said.one, said.rows, said.count)))
        return
    events = Sweep("events", tuple((int(millions * 1e6), ITEMS) for millions in said.events))
    items = Sweep("items", tuple((MILLIONS_OF_ITEMS_SWEEP * 1_000_000, count) for count in said.items))
    rows: dict[str, list[dict[str, Any]]] = {}
    for sweep in (events, items):
        rows[sweep.axis] = [_in_own_process(name, *size) for name in said.learners for size in sweep.sizes]
        _print(sweep, rows[sweep.axis], said.learners)
    if said.json:
        said.json.write_text(json.dumps(rows, indent=1))
    if said.plot:
        for sweep in (events, items):
            (said.plot / f"{sweep.axis}.svg").write_text(plot(sweep, rows[sweep.axis]))


def fitted(name: str, rows: int, items: int) -> dict[str, Any]:
    """Fit once: wall and processor seconds, megabytes beyond those of the events, bytes of the model."""
    warm()
    people = max(rows // EVENTS_EACH, 1)
    users, things = interactions(people, items, rows)
    engine = LocalEngine()
    prepared = engine.prepare(table(users, things, people, [f"i{item:06d}" for item in range(items)]), Key.USER)
    prepared.rows  # noqa: B018 - what is sorted is sorted now
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on, without that of the sort
    before = _megabytes("VmRSS")
    began = time.perf_counter(), time.process_time()
    try:
        model = learner(name, {}).fit(engine, prepared)
    except SegueError as refused:
        return {"learner": name, "events": rows, "items": items, "refused": f"{refused.problem}: {refused.mend}"}
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    figures = {
        "wall": wall,
        "processor": processor,
        "peak_mb": _megabytes("VmHWM") - before,
        "model_mb": model.nbytes / 1e6,
    }
    return {"learner": name, "events": rows, "items": items, **figures}


def _megabytes(which: str) -> float:
    """A line of this process's status, "VmRSS" (resident now) or "VmHWM" (at most)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) * 1024 / 1e6


def exponent(sizes: list[int], costs: list[float]) -> float:
    """The slope of the line through the logarithms; nan for fewer than two.

    >>> round(exponent([1, 10, 100], [2.0, 200.0, 20_000.0]), 2)
    2.0
    """
    if len(sizes) < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(costs, 1e-3)), 1)[0])


def _in_own_process(name: str, rows: int, items: int) -> dict[str, Any]:
    said = [sys.executable, __file__, "--one", name, "--rows", str(rows), "--count", str(items)]
    try:
        answer = subprocess.run(said, check=True, capture_output=True, text=True, timeout=LIMIT_S).stdout
        row: dict[str, Any] = json.loads(answer.splitlines()[-1])
    except subprocess.TimeoutExpired:
        row = {"learner": name, "events": rows, "items": items, "refused": f"not done in {LIMIT_S:.0f} s"}
    except subprocess.CalledProcessError as ended:  # such as by the system, for its memory
        row = {"learner": name, "events": rows, "items": items, "refused": f"ended with {ended.returncode}"}
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def _print(sweep: Sweep, rows: list[dict[str, Any]], learners: list[str]) -> None:
    sizes = sorted({sweep.size(row) for row in rows})
    print(f"\n{sweep.axis:14}" + "".join(f"{size:>20,}" for size in sizes) + "   exponent")
    for name in learners:
        mine = {sweep.size(row): row for row in rows if row["learner"] == name}
        done = [size for size in sizes if "processor" in mine[size]]
        cells = [
            f"{mine[size]['processor']:9.1f} s {mine[size]['peak_mb']:6.0f} MB" if size in done else f"{'-':>20}"
            for size in sizes
        ]
        slopes = [exponent(done, [mine[size][cost] for size in done]) for cost in ("processor", "peak_mb")]
        print(f"{name:14}" + "".join(cells) + f"   {slopes[0]:.2f} seconds, {slopes[1]:.2f} memory")
    for row in rows:
        if "refused" in row:
            print(f"{row['learner']}, {sweep.size(row):,} {sweep.axis}: {row['refused']}")


def plot(sweep: Sweep, rows: list[dict[str, Any]]) -> str:
    """Processor seconds and peak memory against the size, both axes by factors, as SVG."""
    panels = [("processor", "processor seconds"), ("peak_mb", "peak memory of the fit, MB")]
    drawn = [_panel(sweep, rows, key, title, 50 + 360 * place) for place, (key, title) in enumerate(panels)]
    names = list(dict.fromkeys(row["learner"] for row in rows))
    drawn += [
        f'<text x="{50 + 100 * place}" y="262" style="fill:{COLOURS[place % len(COLOURS)]}">{name}</text>'
        for place, name in enumerate(names)
    ]
    style = "text{font:11px sans-serif;fill:#777}polyline{fill:none;stroke-width:2}line{stroke:#9996}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 270"><style>{style}</style>{"".join(drawn)}</svg>\n'
    )


def _panel(sweep: Sweep, rows: list[dict[str, Any]], key: str, title: str, left: int) -> str:
    done = [row for row in rows if key in row]
    across, up = ([sweep.size(row) for row in done], [max(row[key], 0.1) for row in done])
    (low, high), (bottom, top) = ((np.log10(min(ends)), np.log10(max(ends)) + 1e-9) for ends in (across, up))
    bottom, top = np.floor(bottom), np.ceil(top)

    def at(size: float, cost: float) -> tuple[float, float]:
        x = left + 290 * (np.log10(size) - low) / (high - low)
        return x, 220 - 190 * (np.log10(max(cost, 0.1)) - bottom) / (top - bottom)

    parts = [f'<text x="{left}" y="16">{title}</text>']
    for power in range(int(bottom), int(top) + 1):
        y = at(10**low, 10.0**power)[1]
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + 290}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 4}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:,g}</text>')
    for size in sorted(set(across)):
        parts.append(f'<text x="{at(size, 1)[0]:.1f}" y="236" text-anchor="middle">{_short(size)}</text>')
    for number, name in enumerate(dict.fromkeys(row["learner"] for row in rows)):
        colour = COLOURS[number % len(COLOURS)]
        points = [at(sweep.size(row), row[key]) for row in done if row["learner"] == name]
        parts.append(f'<polyline stroke="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return "".join(parts)


def _short(size: int) -> str:
    return f"{size / 1e6:g}M" if size >= 1e6 else f"{size / 1e3:g}k"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="+", default=[1, 3, 10, 20, 50], metavar="MILLIONS")
    parser.add_argument("--items", type=int, nargs="+", default=[1000, 3000, 10_000, 30_000, 100_000])
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="draw both sweeps there, as SVG")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
