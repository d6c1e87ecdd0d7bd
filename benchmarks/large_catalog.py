"""What a large catalog costs each learner: a fit, and requests of somebody with ten events and with 100,000.

    python benchmarks/large_catalog.py [--people 80000] [--items 1000000] [--events 10000000] [LEARNER ...]

Synthetic interactions at random times, and one more person with 100,000 events; a title of five words out of 20,000 and
one of 300 categories for each item. Defaults of each learner, a process for each. Peak memory is the largest resident
set, without what the process had with the events sorted by person in it. A learner that refuses says what would fit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.errors import SegueError
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.engines.content import CONTENT
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table
from segue.engines.memory import give_back
from segue.learn.registry import learner
from segue.learn.warm import warm
from segue.testing.datasets import table
from synthetic import interactions

LEARNERS = ("markov", "covisitation", "item_knn", "slim", "content", "cold_start", "spectral", "session_knn")
WORDS, WORDS_EACH, CATEGORIES = 20_000, 5, 300
HEAVY = 100_000  # events of one person
START_US, DAYS, DAY_US = 1_750_000_000_000_000, 90, 86_400_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("learners", nargs="*", default=LEARNERS)
    parser.add_argument("--people", type=int, default=80_000)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.one:
        print(fitted(said.learners[0], said.people, said.items, said.events))
        return
    print("| learner | processor s | peak GB | model MB | ms of 10 events | of 100,000 |\n|---|---|---|---|---|---|")
    sizes = [f"--people={said.people}", f"--items={said.items}", f"--events={said.events}", "--one"]
    for name in said.learners:
        answer = subprocess.run([sys.executable, __file__, name, *sizes], check=False, capture_output=True, text=True)
        print(answer.stdout.strip() or f"| {name} | ended: {answer.stderr.strip()[-200:]} |", flush=True)


def fitted(name: str, people: int, items: int, events: int) -> str:
    """The line of one learner."""
    warm()
    prepared = LocalEngine().prepare(dataset(people, items, events, told=name in ("content", "cold_start")), Key.USER)
    prepared.rows  # noqa: B018 - what is sorted is sorted now
    give_back()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = _peak_gb(), time.process_time()
    try:
        model = learner(name, {}).fit(LocalEngine(), prepared)
    except SegueError as refused:
        return f"| {name} | refused after {time.process_time() - began:.1f}: {refused.problem}; {refused.mend} |"
    cells = [f"{time.process_time() - began:.0f}", f"{_peak_gb() - before:.1f}", f"{model.nbytes / 1e6:,.0f}"]
    heavy = np.random.default_rng(2).integers(0, items, HEAVY).astype(np.int32)
    cells += [f"{_milliseconds(model, history):.0f}" for history in (heavy[:10], heavy)]
    return f"| {name} | {' | '.join(cells)} |"


def dataset(people: int, items: int, events: int, *, told: bool) -> Table:
    """The events with one person more, and where it is `told` what the items are."""
    users, things = interactions(people, items, events)
    random = np.random.default_rng(1)
    users = np.append(users, np.full(HEAVY, people, np.int32))
    things = np.append(things, random.integers(0, items, HEAVY, np.int32))
    times = START_US + random.integers(0, DAYS * DAY_US, len(users))
    ids = [f"i{item:07}" for item in random.permutation(items).tolist()]
    plain = table(users, things, people + 1, ids, times=times)
    return Table(plain.table, plain.items, plain.users, plain.types, content=_content(items, random) if told else None)


def _content(items: int, random: np.random.Generator) -> pa.Table:
    common = np.cumsum(1 / (np.arange(WORDS) + 10.0))
    words = np.searchsorted(common, random.random((items, WORDS_EACH)) * common[-1])
    nothing = {"text": [""] * items, "attributes": [[]] * items}
    told = {
        "title": [" ".join(map("w{}".format, row)) for row in words.tolist()],
        "categories": [[f"kind {kind}"] for kind in random.integers(0, CATEGORIES, items).tolist()],
    }
    known = nothing | told
    return pa.table([pa.array(known.get(each.name, [None] * items), each.type) for each in CONTENT], schema=CONTENT)


def _milliseconds(model: Recommender, history: npt.NDArray[np.int32]) -> float:
    """The processor time of a list of ten with its reasons, the second time."""
    request = Requests(Histories.of([history]))
    for _ in range(2):
        began = time.process_time()
        best, _scores = model.top(request, 10)
        model.reasons(request, best[0])
    return 1e3 * (time.process_time() - began)


def _peak_gb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


if __name__ == "__main__":
    main()
