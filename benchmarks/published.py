"""One learner on a published split, by the publication's protocol: all items ranked, the person's own left out.

    python benchmarks/published.py gowalla item_knn k=100 --metrics recall@20 ndcg@20 [--validate] [--data DIR]

`gowalla` is the split of LightGCN's authors, `ml-1m` leaves each person's last item out. With --validate the test part
is not touched: a tenth of everybody's training items (ml-1m: the last but one) judges instead, as it does for tuning.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segue.data.split.split import Split, split_files, split_last, split_random
from segue.domain.recommender import Recommender
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.learn.learner import learner
from segue.measure.heldout import findable
from segue.measure.metrics import accuracy
from segue.measure.ranking import rank
from segue.testing.datasets import table

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("SEGUE_DATA", ROOT.parent / "shared" / "data"))
CUTS = (10, 20)


@dataclass(frozen=True)
class Result:
    """What a learner reached, and what it took."""

    metrics: dict[str, float]
    fit_seconds: float
    rank_seconds: float
    megabytes: float


def main() -> None:
    said = _arguments()
    engine = LocalEngine()
    split = SPLITS[said.data_set](engine, said.data)
    if said.validate:
        split = validation(split, said.data_set)
    given = dict(setting.split("=", 1) for setting in said.parameters)
    params = {name: msgspec.json.decode(value) if _is_json(value) else value for name, value in given.items()}
    result = measured(said.learner, params, engine, split)
    print(f"{said.data_set}, {said.learner} {params or ''}: {split.train.rows:,} rows, {split.description}")
    print("  ".join(f"{name} {result.metrics[name]:.4f}" for name in said.metrics))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    told = f"fit {result.fit_seconds:.1f} s, lists {result.rank_seconds:.1f} s, model {result.megabytes:.0f} MB"
    print(f"{told}, peak {peak:.1f} GB")


def measured(name: str, params: dict[str, Any], engine: LocalEngine, split: Split) -> Result:
    """Fit on the training part, rank everything for everybody."""
    began = time.perf_counter()
    model = learner(name, params).fit(engine, split.train)
    fitted = time.perf_counter()
    metrics = held_to(model, split)
    return Result(metrics, fitted - began, time.perf_counter() - fitted, model.nbytes / 1e6)


def held_to(model: Recommender, split: Split) -> dict[str, float]:
    """The means over people of every metric at every cut."""
    people = findable(split.test, len(split.train.items), "excluded")
    lists = rank(model, people, split.train.items, max(CUTS)).lists
    return {name: float(values.mean()) for name, values in accuracy(lists, people.truth, CUTS).items()}


def gowalla(engine: LocalEngine, data: Path = DATA) -> Split:
    """29,858 people, 40,981 places, 810,128 visits to learn from and 217,242 to judge by; no times, no order."""
    with zipfile.ZipFile(data / "gowalla" / "light_gcn_gowalla.zip") as archive:
        train, test = (_lists(archive.read(f"light_gcn_gowalla/{part}.txt").decode()) for part in ("train", "test"))
    items, people = (int(max(train[place].max(), test[place].max())) + 1 for place in (1, 0))
    ids = [str(item) for item in range(items)]
    both = [engine.prepare(table(*part, people, ids), Key.USER) for part in (train, test)]
    return split_files(*both)


def ml_1m(engine: LocalEngine, data: Path = DATA) -> Split:
    """6,040 people, 3,416 films, 999,611 ratings in the order in which they were given; each person's last judges."""
    with gzip.open(data / "ml-1m" / "sasrec_ml-1m.txt.gz") as file:
        pairs = np.loadtxt(file, dtype=np.int64)
    _, people = np.unique(pairs[:, 0], return_inverse=True)
    ids, items = np.unique(pairs[:, 1], return_inverse=True)
    rows = table(people, items, int(people.max()) + 1, [str(item) for item in ids.tolist()])
    return split_last(engine.prepare(rows, Key.USER))


SPLITS = {"gowalla": gowalla, "ml-1m": ml_1m}


def validation(split: Split, name: str) -> Split:
    """A split of the training part alone, of the same kind as that which holds the test."""
    return split_last(split.train) if name == "ml-1m" else split_random(split.train, 0.1)


def _lists(text: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """People and items of lines of "person item item ..."."""
    rows = [np.array(line.split(), np.int64) for line in text.splitlines() if line.strip()]
    people = np.repeat([row[0] for row in rows], [len(row) - 1 for row in rows])
    return people, np.concatenate([row[1:] for row in rows])


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_set", choices=sorted(SPLITS))
    parser.add_argument("learner")
    parser.add_argument("parameters", nargs="*", help="name=value")
    parser.add_argument("--metrics", nargs="+", default=["recall@10", "ndcg@10", "recall@20", "ndcg@20"])
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA)
    return parser.parse_args()


if __name__ == "__main__":
    main()
