"""Seconds and NDCG@20 of every learner on ml-1m, with implicit beside on the same arrays in the same run.

    python benchmarks/learners.py [--split last|random] [--repeats 3] [--data DIR] [--json]

Each model is fitted in turn with its peer, `--repeats` times; the least seconds of each count, as the machines are
noisy. Both start from histories that are sorted by person (implicit: a CSR matrix), so preparing is shown by itself.
`top` makes a list of 20 for everybody, without what they have.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from environment import environment
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table, histories
from segue.learn.als import ALS, DistinctPairs, shape_of
from segue.learn.ease import EASE
from segue.learn.item_knn import ItemKNN
from segue.learn.learner import Learner
from segue.learn.popularity import Popularity
from segue.learn.warm import warm
from segue.testing.datasets import table

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("SEGUE_DATA", ROOT.parent / "shared" / "data"))
K = 20

LEARNERS: dict[str, Learner] = {
    "popularity": Popularity(),
    "item_knn, cosine": ItemKNN(similarity="cosine"),
    "item_knn, bm25": ItemKNN(similarity="bm25"),
    "ease": EASE(),
    "als": ALS(),
}
PEERED = ("item_knn, cosine", "item_knn, bm25", "als")


@dataclass(frozen=True)
class Split:
    """Who is learned from, and int32 codes of what was held back: `people[i]` had `items[i]`."""

    train: Table
    people: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]


def main() -> None:
    arguments = _arguments()
    split = SPLITS[arguments.split](arguments.data)
    python = environment("peers", "requirements.txt")
    warm()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        engine, prepare_seconds = _prepared(split.train)
        _write_arrays(Path(folder), engine, split.train)
        for name, learner in LEARNERS.items():
            ours: list[dict[str, float]] = []
            theirs: list[dict[str, float]] = []
            for _ in range(arguments.repeats):
                ours.append(measured(learner, engine, split))
                if name in PEERED:
                    theirs.append(peer(python, Path(folder), name, learner, split))
            rows.append(_row(name, ours, theirs))
    if arguments.json:
        print(json.dumps({"split": arguments.split, "prepare": prepare_seconds, "learners": rows}, indent=1))
        return
    print(f"ml-1m, {arguments.split} split: {split.train.rows:,} rows, prepared twice in {prepare_seconds:.2f} s")
    _print(rows)


def measured(learner: Learner, engine: LocalEngine, split: Split) -> dict[str, float]:
    """Seconds to fit and to make everybody's list, and NDCG@20 of the lists."""
    start = time.perf_counter()
    model = learner.fit(engine, split.train)
    fit = time.perf_counter() - start
    past = histories(engine.prepare(split.train, Key.USER))
    translation = split.train.items.translation(model.items)
    start = time.perf_counter()
    top = everybodys_top(model, past.translated(translation))
    seconds = time.perf_counter() - start
    return {"fit": fit, "top": seconds, "ndcg": ndcg(top, split, translation[split.items])}


def everybodys_top(model: Recommender, past: Histories) -> npt.NDArray[np.int32]:
    """int32[people, K]: the best for everybody without what they have."""
    seen = np.zeros((len(past), len(model.items)), np.bool_)
    seen[past.row_numbers(), past.items] = True
    return model.top(Requests(past), K, deny=seen)[0]


def peer(python: Path, folder: Path, name: str, learner: Learner, split: Split) -> dict[str, float]:
    """The same of implicit's model of this name, with the same parameters."""
    settings: dict[str, Any] = {"model": name, "k": K}
    if isinstance(learner, ItemKNN):
        settings |= {"neighbours": learner.k, "k1": learner.k1, "b": learner.b}
    if isinstance(learner, ALS):
        settings |= {name: getattr(learner, name) for name in ("factors", "epochs", "seed")}
        settings |= absolute(learner, split)
    script = ROOT / "benchmarks" / "peers" / "implicit_peer.py"
    command = [str(python), str(script), str(folder), json.dumps(settings)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    top = np.load(folder / "peer.npy").astype(np.int32)
    return {**json.loads(answer.splitlines()[-1]), "ndcg": ndcg(top, split, split.items)}


def absolute(learner: ALS, split: Split) -> dict[str, float]:
    """The confidence and the regularization that ours are relative to, as implicit takes them."""
    by_user = LocalEngine().map(
        DistinctPairs(Key.USER, learner.weighting), LocalEngine().prepare(split.train, Key.USER)
    )
    shape = shape_of(by_user)
    return {
        "alpha": shape.alpha(learner.alpha),
        "regularization": learner.regularization * shape.noise(learner.alpha),
    }


def ndcg(top: npt.NDArray[np.int32], split: Split, held: npt.NDArray[np.int32]) -> float:
    """The mean over people with something held back; binary gains, the ideal list is cut at K as well."""
    relevant = np.zeros((len(top), len(split.train.items) + 1), np.bool_)
    relevant[split.people, held] = True
    gains = 1 / np.log2(np.arange(K) + 2)
    counts = relevant.sum(axis=1)
    found = np.take_along_axis(relevant, np.where(top < 0, relevant.shape[1] - 1, top), axis=1) @ gains
    ideal = np.concatenate([[0], np.cumsum(gains)])[np.minimum(counts, K)]
    return float((found[counts > 0] / ideal[counts > 0]).mean())


def last_out(data: Path) -> Split:
    """Everybody's last item is held back."""
    users, items, ids = _ml_1m(data)
    last = np.append(users[1:] != users[:-1], True)
    return _split(users, items, ids, last)


def random_out(data: Path) -> Split:
    """A fifth of everybody's items is held back, seed 0."""
    users, items, ids = _ml_1m(data)
    return _split(users, items, ids, np.random.default_rng(0).random(len(users)) < 0.2)


SPLITS: dict[str, Callable[[Path], Split]] = {"last": last_out, "random": random_out}


def _ml_1m(data: Path) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], list[str]]:
    with gzip.open(data / "ml-1m" / "sasrec_ml-1m.txt.gz") as file:
        pairs = np.loadtxt(file, dtype=np.int64)
    _, users = np.unique(pairs[:, 0], return_inverse=True)
    ids, items = np.unique(pairs[:, 1], return_inverse=True)
    return users.astype(np.int32), items.astype(np.int32), [str(item) for item in ids.tolist()]


def _split(
    users: npt.NDArray[np.int32], items: npt.NDArray[np.int32], ids: list[str], held: npt.NDArray[np.bool_]
) -> Split:
    train = table(users[~held], items[~held], int(users.max()) + 1, ids)
    return Split(train, users[held], items[held])


def _prepared(train: Table) -> tuple[LocalEngine, float]:
    engine = LocalEngine()
    start = time.perf_counter()
    for key in Key:
        engine.prepare(train, key)
    return engine, time.perf_counter() - start


def _write_arrays(folder: Path, engine: LocalEngine, train: Table) -> None:
    past = histories(engine.prepare(train, Key.USER))
    np.savez(folder / "train.npz", offsets=past.offsets, items=past.items)


def _row(name: str, ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"learner": name}
    for who, runs in (("segue", ours), ("implicit", theirs)):
        if runs:
            row[who] = {"fit": min(r["fit"] for r in runs), "top": min(r["top"] for r in runs), "ndcg": runs[0]["ndcg"]}
    if theirs:
        row["times_faster"] = {what: row["implicit"][what] / row["segue"][what] for what in ("fit", "top")}
    return row


def _print(rows: list[dict[str, Any]]) -> None:
    print(f"{'':18}{'fit s':>8}{'top s':>8}{'NDCG@20':>9} |{'implicit':>9}{'top s':>8}{'NDCG@20':>9} | times faster")
    for row in rows:
        line = f"{row['learner']:18}{row['segue']['fit']:8.2f}{row['segue']['top']:8.2f}{row['segue']['ndcg']:9.4f} |"
        if "implicit" in row:
            peer_row, faster = row["implicit"], row["times_faster"]
            line += f"{peer_row['fit']:9.2f}{peer_row['top']:8.2f}{peer_row['ndcg']:9.4f} |"
            line += f" fit {faster['fit']:.1f}, top {faster['top']:.1f}"
        print(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=sorted(SPLITS), default="last")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
