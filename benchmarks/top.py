"""Lists of 100 for everybody without what they have, from 64 factors, with implicit beside on the same factors.

    python benchmarks/top.py [--repeats 3] [--json]

The factors are those of an ALS model of synthetic interactions, whose items are of many lengths, as those of all
learned factors are; then, the hardest for us, normal noise, all of about one length. Ours make every person's query
from the history first (the sum of its factors); implicit is given the queries, and searches only. Runs take turns; the
least seconds of each count, as the machines are noisy. `same` is the share of items that are in both lists.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from segue.domain.items import Items
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine
from segue.learn.als import ALS
from segue.learn.folded import FoldedItems
from segue.learn.rows import Rows
from segue.learn.scored import Scored
from segue.learn.top import PRODUCT_ROWS, Best, Left, Vectors, best_of_products
from segue.testing.datasets import table

sys.path.insert(0, str(Path(__file__).parent))
from environment import ROOT, environment
from synthetic import interactions

K = 100
FACTORS = 64
HISTORY = 50  # items of a person, of the noise
EACH = 130  # events of a person, of what is learned from


def main() -> None:
    said = _arguments()
    python = environment("peers", "requirements.txt")
    cases = {
        "learned, 10,000 people, 26,700 items": lambda: learned(10_000, 26_700),
        "noise, 10,000 people, 26,700 items": lambda: noise(10_000, 26_700),
        "noise, 5,000 people, 500,000 items": lambda: noise(5_000, 500_000),
    }
    rows = [compared(python, name, *make(), said.repeats) for name, make in cases.items()]
    if said.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'':38}{'segue s':>9}{'processor':>11} |{'implicit s':>11}{'processor':>11} | times faster | same")
    for row in rows:
        ours, theirs = row["segue"], row["implicit"]
        print(
            f"{row['case']:38}{ours['wall']:9.2f}{ours['processor']:11.2f} |{theirs['wall']:11.2f}"
            f"{theirs['processor']:11.2f} | {row['times_faster']:12.1f} | {row['same']:.4f}"
        )


def compared(python: Path, name: str, model: Summed, requests: Requests, repeats: int) -> dict[str, Any]:
    """Seconds of both, taking turns, and how far their lists are the same."""
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), model, requests)
        model.top_unseen(requests.rows(0, PRODUCT_ROWS), K)
        for _ in range(repeats):
            wall, processor = time.perf_counter(), time.process_time()
            lists, _ = model.top_unseen(requests, K)
            ours.append({"wall": time.perf_counter() - wall, "processor": time.process_time() - processor})
            script = [str(python), str(ROOT / "benchmarks" / "peers" / "implicit_top.py"), folder, str(K)]
            answer = subprocess.run(script, check=True, capture_output=True, text=True).stdout
            theirs.append(json.loads(answer.splitlines()[-1]))
        peer = np.load(Path(folder) / "peer.npy")
    least = [{what: min(run[what] for run in runs) for what in ("wall", "processor")} for runs in (ours, theirs)]
    same = float((np.sort(lists) == np.sort(peer)).mean())
    faster = least[1]["wall"] / least[0]["wall"]
    return {"case": name, "segue": least[0], "implicit": least[1], "times_faster": faster, "same": same}


@dataclass(frozen=True, eq=False)
class Summed(Scored):
    """Scores are products of item factors with the sum of those of the history."""

    factors: npt.NDArray[np.float32]

    def queries(self, rows: Rows) -> npt.NDArray[np.float32]:
        ones = np.ones(len(rows.codes), np.float32)
        summed = csr_array((ones, rows.codes, rows.offsets), shape=(len(rows), len(self.items))) @ self.factors
        return np.asarray(summed, np.float32)

    def best_rows(self, requests: Requests, k: int, left: Left) -> Best:
        return best_of_products(self.queries(self.rows(requests)), self._vectors, k, left)

    def rows_at_once(self) -> int:
        return PRODUCT_ROWS

    @cached_property
    def _vectors(self) -> Vectors:
        return Vectors(self.factors)


def learned(people: int, items: int) -> tuple[Summed, Requests]:
    """The factors of an ALS model, and the histories that it learned from."""
    users, things = interactions(people, items, people * EACH)
    train = table(users, things, people, [f"{item:07d}" for item in range(items)])
    model = ALS(factors=FACTORS).fit(LocalEngine(), train)
    assert isinstance(model, FoldedItems)
    offsets = np.searchsorted(users, np.arange(people + 1))
    histories = Histories.of([things[start:stop] for start, stop in itertools.pairwise(offsets)])
    return Summed(model.items, model.white), Requests(histories)


def noise(people: int, items: int) -> tuple[Summed, Requests]:
    """Histories of popular and of rare items."""
    random = np.random.default_rng(0)
    factors = random.standard_normal((items, FACTORS), np.float32)
    codes = (items * random.random((people, HISTORY)) ** 3).astype(np.int32)
    return Summed(Items([f"{item:07d}" for item in range(items)]), factors), Requests(Histories.of(list(codes)))


def _write(folder: Path, model: Summed, requests: Requests) -> None:
    rows = model.rows(requests)
    queries = model.queries(rows)
    np.savez(folder / "top.npz", queries=queries, items=model.factors, offsets=rows.offsets, codes=rows.codes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
