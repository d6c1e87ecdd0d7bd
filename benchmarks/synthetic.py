"""Interactions of a given size, shaped like MovieLens-20M: few people and items have most of them, and tastes exist.

python benchmarks/synthetic.py [--people 138000] [--items 26700] [--rows 18000000]    # what they look like
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]

PEOPLE, ITEMS, ROWS = 138_000, 26_700, 18_000_000
CACHE = Path(__file__).parent.parent / ".cache"
TASTES = 60  # clusters of items
TASTES_EACH = 3  # of a person
FAITHFUL = 0.75  # of a person's events lie in their own tastes; the others anywhere


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--rows", type=int, default=ROWS)
    said = parser.parse_args()
    users, items = interactions(said.people, said.items, said.rows)
    for name, codes, count in (("person", users, said.people), ("item", items, said.items)):
        each = np.bincount(codes, minlength=count)
        quantiles = np.quantile(each, [0, 0.25, 0.5, 0.75, 0.99, 1]).astype(int).tolist()
        print(f"rows a {name}: least, quarters, 99 %, most {quantiles}")


def interactions(people: int = PEOPLE, items: int = ITEMS, rows: int = ROWS, seed: int = 0) -> tuple[Codes, Codes]:
    """int32[rows] people and int32[rows] items: distinct pairs, sorted by person, then item. Same seed, same pairs.

    How much a person does is log-normal, how often an item is met falls with its rank; each item belongs to one of
    `TASTES` clusters, and each person has `TASTES_EACH` of them. Kept in .cache, for the benchmarks after.
    """
    kept = CACHE / f"synthetic-{people}-{items}-{rows}-{seed}.npz"
    if kept.is_file():
        with np.load(kept) as arrays:
            return arrays["u"], arrays["i"]
    users, found = _drawn(people, items, rows, seed)
    CACHE.mkdir(exist_ok=True)
    np.savez(kept, u=users, i=found)
    return users, found


def _drawn(people: int, items: int, rows: int, seed: int) -> tuple[Codes, Codes]:
    if rows > people * items // 4:
        raise ValueError(f"{rows:,} distinct pairs of {people:,} people and {items:,} items would be too dense")
    random = np.random.default_rng(seed)
    active = np.cumsum(random.lognormal(0, 1.1, people) + 0.15)
    popular = np.cumsum(random.permutation(1 / (np.arange(items) + 20.0) ** 0.9))
    edges = np.concatenate([[0], np.sort(random.integers(0, items, TASTES - 1)), [items]])
    reach = np.concatenate([[0], popular])[edges]  # taste t is drawn from reach[t] to reach[t + 1]
    tastes = random.integers(0, TASTES, (people, TASTES_EACH))
    pairs = np.empty(0, np.int64)
    while len(pairs) < rows:
        users = np.searchsorted(active, random.random(int((rows - len(pairs)) * 1.3) + 1000) * active[-1])
        drawn = _items(users, tastes, reach, popular, random)
        pairs = _distinct(np.concatenate([pairs, users * items + drawn]))
    pairs = pairs[np.sort(random.permutation(len(pairs))[:rows])]
    names = random.permutation(items).astype(np.int32)  # so that codes say nothing of clusters
    users, found = (pairs // items).astype(np.int32), names[pairs % items]
    order = np.argsort(users.astype(np.int64) * items + found)
    return users, found[order]


def _items(
    users: npt.NDArray[np.int64],
    tastes: npt.NDArray[np.int64],
    reach: npt.NDArray[np.float64],
    popular: npt.NDArray[np.float64],
    random: np.random.Generator,
) -> npt.NDArray[np.int64]:
    taste = tastes[users, random.integers(0, TASTES_EACH, len(users))]
    faithful = random.random(len(users)) < FAITHFUL
    low = np.where(faithful, reach[taste], 0)
    high = np.where(faithful, reach[taste + 1], popular[-1])
    places = np.searchsorted(popular, low + random.random(len(users)) * (high - low))
    found: npt.NDArray[np.int64] = np.minimum(places, len(popular) - 1)
    return found


def _distinct(pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sorted, each once. `np.unique` hashes whole numbers since NumPy 2.3, and such keys take it a minute and more."""
    pairs.sort()
    found: npt.NDArray[np.int64] = pairs[np.append(True, pairs[1:] != pairs[:-1])]
    return found


if __name__ == "__main__":
    main()
