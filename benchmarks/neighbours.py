"""Seconds to find the 100 likest items of each item by cosine, with implicit and lenskit beside on the same pairs.

    python benchmarks/neighbours.py [--sizes small large] [--repeats 3] [--peers implicit lenskit]

`large` are 138,000 people x 26,700 items x 18M pairs (benchmarks/synthetic.py), `small` its 6,900 most active people.
Ours start from histories sorted by person, theirs from a sparse matrix or a dataset of their own. `same` is the share
of neighbours that ours have as well (of equally alike ones, each keeps some).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table, histories
from segue.learn.item_knn import ItemKNN, NeighbourItems
from segue.learn.warm import warm
from segue.testing.datasets import table

sys.path.insert(0, str(Path(__file__).parent))
from environment import ROOT, environment
from synthetic import interactions

K = 100
LEARNER = ItemKNN(similarity="cosine", k=K, shrinkage=0, weighting="none", min_people=1)


def main() -> None:
    said = _arguments()
    python = environment("als-peers", "als.txt")
    warm()
    for size in said.sizes:
        engine, rows = LocalEngine(), SIZES[size]()
        past = histories(engine.prepare(rows, Key.USER))
        print(f"{size}: {rows.users:,} people, {len(rows.items):,} items, {rows.rows:,} pairs", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            np.savez(Path(folder) / "train.npz", offsets=past.offsets, items=past.items)
            runs: dict[str, list[dict[str, float]]] = {"segue": [], **{peer: [] for peer in said.peers}}
            for _ in range(said.repeats):
                model, told = fitted(engine, rows)
                runs["segue"].append(told)
                for peer in said.peers:
                    runs[peer].append(asked(python, Path(folder), peer, model))
        _print(runs)


def fitted(engine: LocalEngine, rows: Table) -> tuple[NeighbourItems, dict[str, float]]:
    wall, processor = time.perf_counter(), time.process_time()
    model = LEARNER.fit(engine, rows)
    told = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor, "same": 1.0}
    assert isinstance(model, NeighbourItems)
    return model, told


def asked(python: Path, folder: Path, peer: str, model: NeighbourItems) -> dict[str, float]:
    """The peer's seconds, and the share of its neighbours that are ours too."""
    script = [str(python), str(ROOT / "benchmarks" / "peers" / "knn_peer.py"), str(folder), peer, str(K)]
    answer = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    theirs = np.load(folder / "peer.npy")
    codes = np.array([int(item) for item in model.items.ids])
    ours = np.where(model.neighbours < 0, -1, codes[model.neighbours])
    same = [len(np.intersect1d(ours[line], theirs[code])) for line, code in enumerate(codes[:2000])]
    told: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return told | {"same": float(np.mean(same) / K)}


def _small() -> Table:
    users, items = interactions()
    active = np.argsort(-np.bincount(users), kind="stable")[:6900]
    keep = np.isin(users, active)
    return _table(np.unique(users[keep], return_inverse=True)[1], items[keep])


def _large() -> Table:
    return _table(*interactions())


def _table(users: np.ndarray, items: np.ndarray) -> Table:
    return table(users, items, int(users.max()) + 1, [str(item) for item in range(int(items.max()) + 1)])


SIZES = {"small": _small, "large": _large}


def _print(runs: dict[str, list[dict[str, float]]]) -> None:
    least = {who: {what: min(run[what] for run in its) for what in its[0]} for who, its in runs.items()}
    for who, its in least.items():
        times = [its[what] / least["segue"][what] for what in ("wall", "processor")]
        faster = f"{times[0]:.1f} times ours, {times[1]:.1f}"
        line = f"{who:10}{its['wall']:8.2f} s{its['processor']:8.2f} processor s  same {its['same']:.3f}"
        print(line + ("" if who == "segue" else f"  {faster} by processor"), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=sorted(SIZES), default=["small", "large"])
    parser.add_argument("--peers", nargs="+", default=["implicit", "lenskit"])
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
