"""A recommender whose scores are written down, and a small world of people with tastes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segue.domain.items import Items
from segue.domain.recommender import Reasons
from segue.domain.requests import Requests
from segue.engines.table import Table


@dataclass
class Fixed:
    """Scores every item the same for everybody, as written; `asked` keeps the size of each batch."""

    items: Items
    values: npt.NDArray[np.float32]
    personal: bool = False
    nbytes: int = 100
    asked: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, **scores: float) -> Fixed:
        names = sorted(scores)
        return cls(Items(names), np.array([scores[name] for name in names], np.float32))

    def scores(self, requests: Requests, candidates: npt.NDArray[np.int32] | None = None) -> npt.NDArray[np.float32]:
        values = self.values if candidates is None else self.values[candidates]
        return np.tile(values, (len(requests), 1))

    def top(
        self,
        requests: Requests,
        k: int,
        allow: npt.NDArray[np.bool_] | None = None,
        deny: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        self.asked.append(len(requests))
        scores = self.scores(requests)
        if allow is not None:
            scores[~np.broadcast_to(allow, scores.shape)] = -np.inf
        if deny is not None:
            scores[np.broadcast_to(deny, scores.shape)] = -np.inf
        scores = np.pad(scores, ((0, 0), (0, max(k - scores.shape[1], 0))), constant_values=-np.inf)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)
        found = np.take_along_axis(scores, best, axis=1)
        best[np.isneginf(found)] = -1
        return best, found

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        return [Reasons(int(item), float(self.values[item]), ()) for item in items]

    def save(self, folder: Path) -> None:
        np.save(folder / "values.npy", self.values)


def tastes(people: int = 300, genres: int = 4, of_each: int = 15, seed: int = 0) -> tuple[Table, dict[str, list[str]]]:
    """People who mostly like one genre, with an item's genre in `labels`: what a learned model should find out."""
    random = np.random.default_rng(seed)
    users, items = [], []
    for person in range(people):
        own = person % genres
        genre = np.where(random.random(12) < 0.9, own, random.integers(0, genres, 12))
        place = np.minimum(random.geometric(0.15, 12) - 1, of_each - 1)
        for item in sorted({f"g{g}-{p:02}" for g, p in zip(genre, place, strict=True)}):
            users.append(f"p{person}")
            items.append(item)
    return Table.of(users, items), {item: [item.partition("-")[0]] for item in sorted(set(items))}
