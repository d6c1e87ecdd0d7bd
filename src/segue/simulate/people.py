"""The people of a world and what only it knows of them: what they like, what they pay, how they change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.simulate import people_words as words
from segue.simulate.catalog import FACTORS, Catalog
from segue.simulate.stream import stream

FAVOURITES = 3  # shelves that a person mostly goes to
DRIFT = 0.08  # how far a taste walks in a week, of its length
CURIOSITY = 0.15  # the share of interest that goes to all shelves alike


@dataclass(frozen=True)
class Crowd:
    """The people, in the order of their ids.

    tastes       float32[weeks, people, FACTORS]: unit vectors, drifting a little from week to week
    affinity     float32[people, shelves]: how interest is shared between the shelves; rows sum to 1
    budget       float64[people]: the log of the price that feels right
    sensitivity  float64[people]: how much a price above it hurts, per unit of log price
    activity     float64[people]: how often a person comes, relative to the mean of 1
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    towns: tuple[str, ...]
    tastes: npt.NDArray[np.float32]
    affinity: npt.NDArray[np.float32]
    budget: npt.NDArray[np.float64]
    sensitivity: npt.NDArray[np.float64]
    activity: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def taste(self, people: npt.NDArray[np.int64], day: npt.NDArray[np.int64] | int) -> npt.NDArray[np.float32]:
        """float32[..., FACTORS]: the taste of each person on their day; after the last week it stays."""
        week = np.minimum(np.asarray(day) // 7, len(self.tastes) - 1)
        taste: npt.NDArray[np.float32] = self.tastes[week, people]
        return taste


def make_crowd(seed: int, size: int, catalog: Catalog, days: int) -> Crowd:
    """People whose tastes are a mix of a few shelves and something of their own."""
    rng = stream(seed, "people")
    affinity = _affinity(rng, size, catalog)
    towards = affinity @ catalog.centres
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    tastes = towards + 0.55 * rng.standard_normal((size, FACTORS)) / np.sqrt(FACTORS)
    names = _names(rng, size)
    mean, spread = float(catalog.log_price.mean()), float(catalog.log_price.std())
    return Crowd(
        ids=tuple(f"u{number + 1:05d}" for number in range(size)),
        names=names,
        towns=tuple(words.TOWNS[place] for place in rng.integers(len(words.TOWNS), size=size).tolist()),
        tastes=_walk(rng, tastes, days // 7 + 1),
        affinity=affinity,
        budget=mean + 0.5 * spread + 0.5 * spread * rng.standard_normal(size),
        sensitivity=rng.gamma(2.0, 0.4, size),
        activity=_activity(rng, size),
    )


def _affinity(rng: np.random.Generator, size: int, catalog: Catalog) -> npt.NDArray[np.float32]:
    """A few favourite shelves that lie near each other, and a little curiosity for all."""
    shelves = len(catalog.centres)
    first = rng.integers(shelves, size=size)
    nearness = (catalog.centres @ catalog.centres.T)[first] + 0.5 * rng.gumbel(size=(size, shelves))
    nearness[np.arange(size), first] = np.inf
    order = np.argsort(-nearness, axis=1)[:, : min(FAVOURITES, shelves)]
    shares = np.sort(rng.dirichlet(np.full(order.shape[1], 2.0), size), axis=1)[:, ::-1]
    affinity = np.full((size, shelves), CURIOSITY / shelves)
    np.put_along_axis(affinity, order, CURIOSITY / shelves + (1 - CURIOSITY) * shares, axis=1)
    return affinity.astype(np.float32)


def _walk(rng: np.random.Generator, tastes: npt.NDArray[np.float64], weeks: int) -> npt.NDArray[np.float32]:
    walked = np.empty((weeks, *tastes.shape), np.float32)
    for week in range(weeks):
        tastes = tastes / np.linalg.norm(tastes, axis=1, keepdims=True)
        walked[week] = tastes
        tastes = tastes + DRIFT * rng.standard_normal(tastes.shape) / np.sqrt(FACTORS)
    return walked


def _activity(rng: np.random.Generator, size: int) -> npt.NDArray[np.float64]:
    activity = rng.lognormal(0.0, 0.7, size)
    relative: npt.NDArray[np.float64] = activity / activity.mean()
    return relative


def _names(rng: np.random.Generator, size: int) -> tuple[str, ...]:
    first = rng.integers(len(words.FIRST_NAMES), size=size).tolist()
    last = rng.integers(len(words.LAST_NAMES), size=size).tolist()
    return tuple(f"{words.FIRST_NAMES[a]} {words.LAST_NAMES[b]}" for a, b in zip(first, last, strict=True))
