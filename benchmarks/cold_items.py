"""New items on lastfm-2k: a tenth of the artists is held out entirely, and judged among all artists, by their tags.

    python benchmarks/cold_items.py [LEARNER name=value ... -- LEARNER name=value ...] [--validate] [--data DIR]

Every event on a held-out artist is taken from the training part, and judges ("cold"); so does a fifth of the other
events ("warm"), and both together ("all"). Content are names and the five most frequent tags of each artist, as in
examples/lastfm-2k. With --validate the training part alone is held out from in the same way, and the test part is not
touched.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.catalog import Item
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories
from segue.engines.content import content_of
from segue.engines.local import LocalEngine, Table
from segue.learn.learner import learner
from segue.measure.heldout import findable
from segue.measure.metrics import accuracy
from segue.measure.ranking import rank
from segue.testing.datasets import table

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("SEGUE_DATA", ROOT.parent / "shared" / "data"))
COLD, WARM = 0.1, 0.2  # shares: of the artists, and of each person's other artists
CUT = 20
ALL = ["popularity", "--", "als", "--", "content", "--", "cold_start"]

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Events:
    """Who listened to whom how often: int64 codes and float32 counts."""

    people: Codes
    items: Codes
    weights: npt.NDArray[np.float32]

    def where(self, which: npt.NDArray[np.bool_]) -> Events:
        """Some of them."""
        return Events(self.people[which], self.items[which], self.weights[which])


@dataclass(frozen=True)
class Truth:
    """What is asked and what would have been right, one row a person."""

    histories: Histories
    truth: Histories
    now: int | None = None


def main() -> None:
    said, learners = _arguments()
    events, dataset = lastfm(said.data)
    train, cold, warm = held_out(events, seed=0)
    if said.validate:
        train, cold, warm = held_out(train, seed=1)
    learned = _as_table(train, dataset)
    print(f"{len(train.people):,} events to learn from, {len(cold.people):,} cold, {len(warm.people):,} warm")
    measures = (
        f"cold recall@{CUT}",
        *(f"{part} {name}@{CUT}" for part in ("warm", "all") for name in ("recall", "NDCG")),
    )
    print(f"| learner | {' | '.join(measures)} | processor s |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for words in learners:
        name, params = words[0], dict(map(_parameter, words[1:]))
        began = time.process_time()
        model = learner(name, params).fit(LocalEngine(), learned)
        spent = time.process_time() - began
        found = [judged(model, train, test, learned) for test in (cold, warm, both(cold, warm))]
        told = " | ".join(f"{value:.4f}" for value in (found[0][0], *found[1], *found[2]))
        print(f"| {' '.join(words)} | {told} | {spent:.1f} |", flush=True)


def judged(model: Recommender, train: Events, test: Events, dataset: Table) -> tuple[float, float]:
    """Recall and NDCG at `CUT`, the means over people who have something to find."""
    people = findable(
        Truth(_histories(train, dataset.users), _histories(test, dataset.users)), len(dataset.items), "excluded"
    )
    values = accuracy(rank(model, people, dataset.items, CUT).lists, people.truth, (CUT,))
    return float(values[f"recall@{CUT}"].mean()), float(values[f"ndcg@{CUT}"].mean())


def both(one: Events, other: Events) -> Events:
    """All of the one and of the other."""
    people, items, weights = (
        np.concatenate([getattr(part, name) for part in (one, other)]) for name in ("people", "items", "weights")
    )
    return Events(people, items, weights)


def held_out(events: Events, seed: int) -> tuple[Events, Events, Events]:
    """What is learned from, the events on cold artists, and the warm ones that are held back."""
    random = np.random.default_rng(seed)
    known = np.unique(events.items)
    cold = np.isin(events.items, random.permutation(known)[: round(COLD * len(known))])
    warm = ~cold & (random.random(len(cold)) < WARM)
    return events.where(~cold & ~warm), events.where(cold), events.where(warm)


def lastfm(data: Path) -> tuple[Events, Table]:
    """1,892 people, 17,632 artists, 92,834 play counts; the table holds the vocabulary and the content."""
    source = data / "lastfm-2k"
    prepare = _prepare()
    listened = [tuple(row.values()) for row in prepare.rows(source / "user_artists.dat", "utf-8")]
    artists = {row["id"]: row["name"] for row in prepare.rows(source / "artists.dat", "utf-8")}
    tags = prepare.artist_tags(source)
    ids = sorted({artist for _, artist, _ in listened})
    code, person = (
        {name: at for at, name in enumerate(names)} for names in (ids, sorted({row[0] for row in listened}))
    )
    events = Events(
        np.array([person[who] for who, _, _ in listened]),
        np.array([code[artist] for _, artist, _ in listened]),
        np.array([count for _, _, count in listened], np.float32),
    )
    content = content_of(Item(name, artists.get(name, ""), categories=tuple(tags.get(name, ()))) for name in ids)
    every = table(events.people, events.items, len(person), ids)
    return events, Table(every.table, every.items, every.users, content=content)


def _prepare() -> Any:
    """The script of examples/lastfm-2k, as a module."""
    spec = importlib.util.spec_from_file_location("prepare_lastfm", ROOT / "examples" / "lastfm-2k" / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _as_table(events: Events, dataset: Table) -> Table:
    part = table(events.people, events.items, dataset.users, list(dataset.items.ids), weights=events.weights)
    return Table(part.table, dataset.items, dataset.users, content=dataset.content)


def _histories(events: Events, people: int) -> Histories:
    order = np.argsort(events.people, kind="stable")
    offsets = np.searchsorted(events.people[order], np.arange(people + 1)).astype(np.int64)
    plain = Histories.of([events.items[order]])
    return Histories(offsets, plain.items, events.weights[order], plain.times, plain.types)


def _parameter(setting: str) -> tuple[str, Any]:
    name, value = setting.split("=", 1)
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _arguments() -> tuple[argparse.Namespace, list[list[str]]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--data", type=Path, default=DATA)
    said, words = parser.parse_known_args()
    learners: list[list[str]] = [[]]
    for word in words or ALL:
        learners = [*learners, []] if word == "--" else [*learners[:-1], [*learners[-1], word]]
    return said, [each for each in learners if each]


if __name__ == "__main__":
    main()
