"""One sweep of ALS over 18M interactions, by gradients and exactly, with implicit and lenskit beside in the same run.

    python benchmarks/als.py [--rows 18000000] [--factors 64 128] [--peers implicit lenskit] [--sweeps 3] [--json]

Everybody starts from the same factors and the same arrays and minimises the same objective; it is computed here from
the factors of each, divided by the pairs, and so is NDCG@20 of a tenth of the pairs that was held back. Seconds are
those of the fastest sweep, beside those of ours whose objective is as low; the processor's count where others use the
machine. The peers' environment, .cache/als-peers, is made on the first run (lenskit brings torch: 5 GB).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from environment import environment
from segue.engines.engine import Dataset, Key
from segue.engines.local import LocalEngine
from segue.learn.als import ALS, Confident, DistinctPairs
from segue.learn.warm import warm
from segue.testing.datasets import table
from synthetic import ITEMS, PEOPLE, ROWS, interactions

ROOT = Path(__file__).parent.parent
ALPHA, REGULARIZATION = 1.0, 20.0
K, JUDGES = 20, 2000
OURS: dict[str, dict[str, Any]] = {
    "one gradient": {"solver": "gradients", "steps": 1},
    "gradients": {"solver": "gradients"},
    "exact": {"solver": "exact"},
}

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]


def main() -> None:
    said = _arguments()
    warm()
    people, items = (int(count * (said.rows / ROWS) ** 0.5) for count in (PEOPLE, ITEMS))
    users, things = interactions(people, items, said.rows)
    held = np.random.default_rng(1).random(said.rows) < 0.1
    train, test = (users[~held], things[~held]), (users[held], things[held])
    print(f"{people:,} people, {items:,} items, {len(train[0]):,} pairs to learn from", file=sys.stderr)
    rows = []
    with tempfile.TemporaryDirectory(dir=said.folder) as folder:
        _write_pairs(Path(folder), train, people, items)
        for factors in said.factors:
            first = np.random.default_rng(0).standard_normal((items, factors), np.float32) * np.float32(0.1)
            np.save(Path(folder) / "first.npy", first)
            for name in _names(said.peers):
                row = _measured(name, Path(folder), first, said.sweeps, train, test)
                rows.append({"factors": factors, "solver": name, **row})
                print(json.dumps(rows[-1]), flush=True)
    if not said.json:
        _print(rows)


def _names(peers: list[str]) -> list[str]:
    named = {"implicit": ["implicit cg", "implicit"], "lenskit": ["lenskit"]}
    return [*OURS, *(name for peer in peers for name in named[peer])]


def _measured(
    name: str, folder: Path, first: Floats, sweeps: int, train: tuple[Codes, Codes], test: tuple[Codes, Codes]
) -> dict[str, float]:
    if name in OURS:
        row, people, items = ours(OURS[name], train, first, sweeps)
    else:
        row, people, items = theirs(name, folder, sweeps)
    return {**row, "objective": objective(people, items, train), "ndcg": ndcg(people, items, train, test)}


def ours(
    solver: dict[str, Any], train: tuple[Codes, Codes], first: Floats, sweeps: int
) -> tuple[dict[str, float], Floats, Floats]:
    """Half-sweeps by the engine, as `fit` makes them, with the absolute parameters that peers take."""
    engine, people = LocalEngine(), int(train[0].max()) + 1
    rows = table(*train, people, [str(item) for item in range(len(first))])
    learner = ALS(factors=first.shape[1], scaling=0.0, weighting="none", **solver)
    sides: list[Dataset] = [
        engine.map(Confident(key, ALPHA), engine.map(DistinctPairs(key, "none"), engine.prepare(rows, key)))
        for key in Key
    ]
    of_items, seconds, processor = first, [], []
    for _ in range(sweeps):
        began = time.perf_counter(), time.process_time()
        of_people = learner.half(engine, sides[0], of_items, people, REGULARIZATION)
        of_items = learner.half(engine, sides[1], of_people, len(first), REGULARIZATION)
        seconds.append(time.perf_counter() - began[0])
        processor.append(time.process_time() - began[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": min(seconds), "processor": min(processor), "peak": peak}, of_people, of_items


def theirs(name: str, folder: Path, sweeps: int) -> tuple[dict[str, float], Floats, Floats]:
    """The same of a peer, in a process of its own environment."""
    settings = {"peer": name, "sweeps": sweeps, "alpha": ALPHA, "regularization": REGULARIZATION}
    settings["threads"] = len(os.sched_getaffinity(0))
    script = ROOT / "benchmarks" / "peers" / "als_peer.py"
    command = [str(environment("als-peers", "als.txt")), str(script), str(folder), json.dumps(settings)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = np.load(folder / "peer.npz")
    return json.loads(answer.splitlines()[-1]), found["people"], found["items"]


def objective(people: Floats, items: Floats, train: tuple[Codes, Codes]) -> float:
    """What all of them minimise, divided by the pairs (Hu, Koren, Volinsky, 2008, equation 3)."""
    users, things = train
    total = float(((people.T @ people) * (items.T @ items)).sum())
    total += REGULARIZATION * float(np.square(people).sum() + np.square(items).sum())
    for start in range(0, len(users), 500_000):
        some = slice(start, start + 500_000)
        scores = np.einsum("ij,ij->i", people[users[some]], items[things[some]], dtype=np.float64)
        total += float(((1 + ALPHA) * (1 - scores) ** 2 - scores**2).sum())
    return total / len(users)


def ndcg(people: Floats, items: Floats, train: tuple[Codes, Codes], test: tuple[Codes, Codes]) -> float:
    """Of `JUDGES` people with something held back; what they have is left out."""
    judges = np.unique(test[0])
    judges = np.random.default_rng(2).permutation(judges)[:JUDGES]
    scores = people[judges] @ items.T
    relevant = np.zeros(scores.shape, np.bool_)
    for row, person in enumerate(judges.tolist()):
        scores[row, train[1][slice(*np.searchsorted(train[0], [person, person + 1]))]] = -np.inf
        relevant[row, test[1][slice(*np.searchsorted(test[0], [person, person + 1]))]] = True
    top = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    gains = 1 / np.log2(np.arange(K) + 2)
    ideal = np.append(0, np.cumsum(gains))[np.minimum(relevant.sum(axis=1), K)]
    return float((np.take_along_axis(relevant, top, axis=1) @ gains / ideal).mean())


def _write_pairs(folder: Path, train: tuple[Codes, Codes], people: int, items: int) -> None:
    users, things = train
    order = np.argsort(things, kind="stable")
    offsets = [
        np.append(0, np.cumsum(np.bincount(codes, minlength=count)))
        for codes, count in ((users, people), (things, items))
    ]
    arrays = {"user_offsets": offsets[0], "user_codes": things, "item_offsets": offsets[1], "item_codes": users[order]}
    np.savez(folder / "pairs.npz", **arrays)


def _print(rows: list[dict[str, Any]]) -> None:
    titles = f"{'factors':>7} {'solver':12}{'seconds':>9}{'processor':>11}{'GB':>6}{'objective':>11}{'NDCG@20':>9}"
    print(f"{titles}  seconds as a multiple of ours that reach as much")
    for row in rows:
        line = f"{row['factors']:7} {row['solver']:12}{row['seconds']:9.2f}{row['processor']:11.2f}{row['peak']:6.1f}"
        line += f"{row['objective']:11.5f}{row['ndcg']:9.4f}"
        if row["solver"] not in OURS:
            line += "  " + ", ".join(_times(row, own) for own in rows if _as_good(own, row))
        print(line)


def _as_good(own: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether one of ours reaches what the peer's row does, to five digits."""
    same = own["factors"] == row["factors"] and own["solver"] in OURS
    return same and bool(own["objective"] <= row["objective"] * (1 + 1e-5))


def _times(row: dict[str, Any], own: dict[str, Any]) -> str:
    wall, processor = (row[what] / own[what] for what in ("seconds", "processor"))
    return f"{own['solver']} {wall:.1f} (processor {processor:.1f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--peers", nargs="*", choices=["implicit", "lenskit"], default=["implicit"])
    parser.add_argument("--sweeps", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for the arrays, where not the system's own for passing files")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
