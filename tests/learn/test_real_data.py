"""On real data every learned model is far better than popularity, and recommends nothing that a person has."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from segue.domain.requests import Requests
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table, histories
from segue.learn.learner import Learner, learner
from segue.testing.datasets import table

K = 20
Codes = npt.NDArray[np.int32]
Split = tuple[Table, Codes, Codes]  # what is learned from; people, and the items of theirs that are held back

LEARNED: dict[str, Learner] = {
    "cosine": learner("item_knn", {}),
    "bm25": learner("item_knn", {"similarity": "bm25"}),
    "ease": learner("ease", {"max_items": 4000}),
    "als": learner("als", {}),
    "spectral": learner("spectral", {}),
}


def lastfm_2k(data_dir: Path) -> Split:
    """Weights and no times: a random fifth is held back."""
    rows = np.loadtxt(data_dir / "lastfm-2k" / "user_artists.dat", skiprows=1, dtype=np.int64)
    held = np.random.default_rng(0).random(len(rows)) < 0.2
    return held_out(rows[:, 0], rows[:, 1], rows[:, 2], held)


def ml_1m(data_dir: Path) -> Split:
    """An order and no times: the last item of each person is held back."""
    with gzip.open(data_dir / "ml-1m" / "sasrec_ml-1m.txt.gz") as file:
        rows = np.loadtxt(file, dtype=np.int64)
    last = np.append(rows[1:, 0] != rows[:-1, 0], True)
    return held_out(rows[:, 0], rows[:, 1], np.ones(len(rows)), last)


def held_out(
    people: npt.NDArray[np.int64],
    things: npt.NDArray[np.int64],
    weights: npt.NDArray[np.generic],
    held: npt.NDArray[np.bool_],
) -> Split:
    names, users = np.unique(people, return_inverse=True)
    ids, items = np.unique(things, return_inverse=True)
    train = table(users[~held], items[~held], len(names), [str(item) for item in ids], weights=weights[~held])
    return train, users[held].astype(np.int32), items[held].astype(np.int32)


def ndcg(learner: Learner, split: Split) -> float:
    train, people, held = split
    engine = LocalEngine()
    model = learner.fit(engine, train)
    translation = train.items.translation(model.items)
    past = histories(engine.prepare(train, Key.USER)).translated(translation)
    seen = np.zeros((len(past), len(model.items)), np.bool_)
    seen[past.row_numbers(), past.items] = True
    top, _ = model.top(Requests(past), K, deny=seen)
    assert not np.take_along_axis(seen, top, axis=1).any()
    relevant = np.zeros_like(seen)
    relevant[people, translation[held]] = True
    gains = 1 / np.log2(np.arange(K) + 2)
    ideal = np.concatenate([[0], np.cumsum(gains)])[np.minimum(relevant.sum(axis=1), K)]
    found = np.take_along_axis(relevant, top, axis=1) @ gains
    return float((found[ideal > 0] / ideal[ideal > 0]).mean())


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("data", ["lastfm-2k", "ml-1m"])
def test_every_learned_model_beats_popularity(data: str, data_dir: Path) -> None:
    split = {"lastfm-2k": lastfm_2k, "ml-1m": ml_1m}[data](data_dir)
    popular = ndcg(learner("popularity", {}), split)
    found = {name: ndcg(learned, split) for name, learned in LEARNED.items()}
    assert min(found.values()) > 1.5 * popular, (popular, found)
