"""Learners of sequences, sessions and baskets: what they reach, what they cost, and a plain implementation beside.

    python benchmarks/sequence.py [ml-1m] [sessions] [counts] [baskets] [--data DIR]

- `ml-1m`: each person's last film, all films ranked; the published figures of deep models stand beside.
- `sessions`: milliseconds a request of STAN and VSKNN, against plain Python over dictionaries, the way session-rec does
  it (which is no package that could be installed): the same formulas, so the lists are compared as well.
- `counts`: SLIST's sums over pasts against SciPy's sparse products of the same rows, on some of the people.
- `baskets`: the first basket of online-retail's last 30 days, what was bought before included.

Seconds are those of the processor: the machines are shared.
"""

from __future__ import annotations

import argparse
import tarfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from published import DATA, ml_1m
from segue.data.split.split import Held, Split, split_by_time
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table, histories
from segue.learn.gram import ItemCounts, choose
from segue.learn.learner import learner
from segue.learn.sequences import fading
from segue.learn.session_knn import PastNeighbours, SessionKNN
from segue.learn.slist import Pasts
from segue.learn.warm import warm
from segue.measure.heldout import Seen, findable
from segue.measure.metrics import accuracy
from segue.measure.ranking import rank
from segue.testing.datasets import table

PUBLISHED = {"gSASRec": (0.3003, 0.1726), "BERT4Rec": (0.2821, 0.1516), "SASRec": (0.2392, 0.1259)}
ASKED = 200  # requests that plain Python answers
SOME = 300  # people whose rows SciPy multiplies
TEST_DAYS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=sorted(PARTS), metavar="PART")
    parser.add_argument("--data", type=Path, default=DATA)
    said = parser.parse_args()
    warm()
    for part in said.parts:
        print(f"\n{part}")
        PARTS[part](LocalEngine(), said.data)


def sequences(engine: LocalEngine, data: Path) -> None:
    """Recall@10 and NDCG@10 of the films that came last."""
    split = ml_1m(engine, data)
    _print_head()
    for name in ("slist", "markov", "session_knn", "ease"):
        _print(name, *fitted(name, {}, engine, split, split.test, "excluded"))
    for name, (recall, ndcg) in PUBLISHED.items():
        print(f"{name + ', published':34}{recall:10.4f}{ndcg:9.4f}")


def baskets(engine: LocalEngine, data: Path) -> None:
    """Recall@10 and NDCG@10 of the first basket after the split."""
    split = split_by_time(engine.prepare(online_retail(data), Key.USER), test_days=TEST_DAYS)
    test = first_baskets(split.test)
    print(f"{split.description}; {len(test.people):,} people")
    _print_head()
    models: list[tuple[str, dict[str, Any]]] = [
        ("repeats", {}),
        ("repeats", {"alpha": 0, "decay": 0}),  # personal frequency alone
        ("popularity", {"half_life_days": 30}),
        ("ease", {}),
        ("item_knn", {}),
        ("session_knn", {}),
        ("slist", {}),
        ("basket", {}),
    ]
    for name, params in models:
        _print(f"{name} {params or ''}", *fitted(name, params, engine, split, test, "ranked"))


def sessions(engine: LocalEngine, data: Path) -> None:
    """Milliseconds a request, and the share of the ten best that plain Python finds too."""
    split = ml_1m(engine, data)
    for method in ("stan", "vsknn"):
        said = SessionKNN(method=method)  # type: ignore[arg-type]
        model = said.fit(engine, split.train)
        assert isinstance(model, PastNeighbours)
        past = split.test.histories.translated(split.train.items.translation(model.items)).rows(0, ASKED)
        plain = Plain.of(model, said)
        began = time.process_time()
        theirs = [plain.top(past.items[past.row(row)].tolist()) for row in range(ASKED)]
        plain_seconds = time.process_time() - began
        began = time.process_time()
        ours = [model.top(Requests(past.rows(row, row + 1)), 10)[0][0] for row in range(ASKED)]
        seconds = time.process_time() - began
        same = np.mean([len(set(a.tolist()) & set(b)) / 10 for a, b in zip(ours, theirs, strict=True)])
        told = f"{1e3 * seconds / ASKED:.2f} ms a request, plain Python {1e3 * plain_seconds / ASKED:.1f} ms"
        print(f"{method:8}{told}: {plain_seconds / seconds:.0f} times; {100 * same:.1f} % of the ten best are the same")


def counts(engine: LocalEngine, data: Path) -> None:
    """Processor seconds of the sums that SLIST solves, for some of the people, and for all."""
    train = ml_1m(engine, data).train
    past = histories(engine.prepare(train, Key.USER)).rows(0, SOME)
    rows = [past.items[past.row(row)] for row in range(len(past))]
    fades = np.stack([fading(2.0, 100), fading(0.5, 100)])
    began = time.process_time()
    by_rows, targets = written_out(rows, fades, len(train.items))
    gram, after = by_rows.T @ by_rows, by_rows.T @ targets
    plain = time.process_time() - began
    seconds, share = _summed(engine, train, fades), len(past.items) / train.rows
    print(
        f"SciPy: {plain:.2f} s for {SOME} people ({100 * share:.1f} % of the events), {gram.nnz + after.nnz:,} entries"
    )
    told = f"{plain / share:.0f} s for all, as far as they cost alike; here {seconds:.2f} s"
    print(f"{told}: {plain / share / seconds:.0f} times")


def _summed(engine: LocalEngine, rows: Any, fades: npt.NDArray[np.float64]) -> float:
    prepared = engine.prepare(rows, Key.USER)
    chosen = choose(engine.fold(ItemCounts(), prepared), rows.items, rows.items.canonical()[0], 1, 10_000)
    began = time.process_time()
    engine.fold(Pasts(chosen, fades, None, 0, len(chosen)), prepared)
    return time.process_time() - began


def written_out(
    rows: list[npt.NDArray[np.int32]], fades: npt.NDArray[np.float64], items: int
) -> tuple[csr_array, csr_array]:
    """The pasts of all fades side by side, and the targets, as sparse rows: the closed form as it is written."""
    at, codes, values, targets = [], [], [], []
    number, window = 0, fades.shape[1]
    for row in rows:
        for place in range(1, len(row)):
            before = row[max(0, place - window) : place][::-1]
            for fade, weights in enumerate(fades):
                codes.append(before + fade * items)
                values.append(weights[: len(before)])
                at.append(np.full(len(before), number))
            targets.append(row[place])
            number += 1
    shape = (number, len(fades) * items)
    pasts = csr_array((np.concatenate(values), (np.concatenate(at), np.concatenate(codes))), shape=shape)
    ones = np.ones(number)
    return pasts, csr_array((ones, (np.arange(number), np.array(targets))), shape=(number, items))


@dataclass
class Plain:
    """Session neighbours over dictionaries and lists."""

    learner: SessionKNN
    sessions: list[list[int]]
    holders: dict[int, list[int]]

    @classmethod
    def of(cls, model: PastNeighbours, said: SessionKNN) -> Plain:
        found = [model.codes[a:b].tolist() for a, b in zip(model.offsets[:-1], model.offsets[1:], strict=True)]
        holders: dict[int, list[int]] = defaultdict(list)
        for number, session in enumerate(found):
            for item in session:
                holders[item].append(number)
        return cls(said, found, holders)

    def top(self, history: list[int]) -> list[int]:
        """The ten best."""
        said, recent = self.learner, history[::-1][: self.learner.window]
        alike: dict[int, float] = defaultdict(float)
        for age, item in enumerate(recent):
            for session in self.holders[item]:
                alike[session] += (1 + age) ** -said.decay
        newest = sorted(alike, reverse=True)[: said.sample]
        if said.method == "stan":
            alike = {session: alike[session] / len(self.sessions[session]) ** 0.5 for session in newest}
        near = sorted(newest, key=lambda session: -alike[session])[: said.k]
        scores: dict[int, float] = defaultdict(float)
        ages = {item: age for age, item in reversed(list(enumerate(recent)))}
        for number in near:
            session = self.sessions[number]
            age, anchor = min((ages[item], place) for place, item in enumerate(session) if item in ages)
            for place, item in enumerate(session):
                fade = np.exp(-abs(place - anchor) / said.reach) if said.method == "stan" else (1 + age) ** -said.decay
                scores[item] += alike[number] * fade
        return sorted(scores, key=lambda item: (-scores[item], item))[:10]


def online_retail(data: Path = DATA) -> Table:
    """What customers who are named bought, without returns: 397,924 lines of 18,536 invoices, with their times."""
    with tarfile.open(data / "online-retail" / "online-retail-by-day.tar.gz") as archive:
        days = [archive.extractfile(member) for member in archive if member.name.endswith(".csv")]
        lines = pl.concat([pl.read_csv(day.read(), infer_schema=False) for day in days if day is not None])
    bought = lines.filter(pl.col("CustomerID").is_not_null() & (pl.col("Quantity").cast(pl.Int64) > 0))
    bought = bought.with_columns(pl.col("InvoiceDate").str.to_datetime().dt.timestamp("us").alias("time"))
    people, users = np.unique(bought["CustomerID"].to_numpy(), return_inverse=True)
    ids, items = np.unique(bought["StockCode"].to_numpy(), return_inverse=True)
    return table(users, items, len(people), [str(item) for item in ids], times=bought["time"].to_numpy())


def first_baskets(test: Held) -> Held:
    """The same people, with what they bought first after the split as the truth."""
    truth, numbers = test.truth, test.truth.row_numbers()
    keep = truth.times == truth.times[truth.offsets[:-1]][numbers]
    offsets = np.zeros(len(truth) + 1, np.int64)
    np.cumsum(np.bincount(numbers[keep], minlength=len(truth)), out=offsets[1:])
    first = Histories(offsets, truth.items[keep], truth.weights[keep], truth.times[keep], truth.types[keep])
    return replace(test, truth=first)


def fitted(
    name: str, params: dict[str, Any], engine: LocalEngine, split: Split, test: Held, seen: Seen
) -> tuple[dict[str, float], float, float, Recommender]:
    """What a learner reaches, the processor seconds of its fit, and microseconds a list."""
    began = time.process_time()
    model = learner(name, params).fit(engine, split.train)
    seconds = time.process_time() - began
    people = findable(test, len(split.train.items), seen)
    ranking = rank(model, people, split.train.items, 10, seen=seen)
    metrics = {name: float(values.mean()) for name, values in accuracy(ranking.lists, people.truth, (10,)).items()}
    return metrics, seconds, ranking.microseconds_per_person, model


def _print_head() -> None:
    print(f"{'':34}{'Recall@10':>10}{'NDCG@10':>9}{'fit s':>8}{'us a list':>11}{'MB':>7}")


def _print(name: str, metrics: dict[str, float], seconds: float, microseconds: float, model: Recommender) -> None:
    quality = f"{metrics['recall@10']:10.4f}{metrics['ndcg@10']:9.4f}"
    print(f"{name:34}{quality}{seconds:8.1f}{microseconds:11,.0f}{model.nbytes / 1e6:7.1f}")


PARTS = {"ml-1m": sequences, "sessions": sessions, "counts": counts, "baskets": baskets}

if __name__ == "__main__":
    main()
