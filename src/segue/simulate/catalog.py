"""The items of a world: what everybody can read of them, and where they lie among tastes, which only it knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from segue.domain.catalog import Item
from segue.simulate.naming import Flavour, Named, style
from segue.simulate.stream import stream

FACTORS = 16  # dimensions of the space in which tastes lie
NEVER = 1_000_000  # a day that does not come
ALREADY_THERE = 0.85  # the share of things that were released before the first day
DISCONTINUED = 0.03


@dataclass(frozen=True)
class Catalog:
    """All items in the order of their ids.

    vectors    float32[items, FACTORS]: unit vectors; variants of one thing lie close together
    shelves    int64[items]: position in `shelf_names`
    centres    float32[shelves, FACTORS]: where a shelf lies
    appeal     float64[items]: how attractive to everybody, mean 0 and deviation 1, with a long tail upward
    log_price  float64[items]
    released, withdrawn  int64[items]: days since the world's first day; before it negative, `NEVER` if still on sale
    """

    items: tuple[Item, ...]
    vectors: npt.NDArray[np.float32]
    shelves: npt.NDArray[np.int64]
    shelf_names: tuple[tuple[str, str], ...]
    centres: npt.NDArray[np.float32]
    appeal: npt.NDArray[np.float64]
    log_price: npt.NDArray[np.float64]
    released: npt.NDArray[np.int64]
    withdrawn: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.items)

    def on_sale(self, items: npt.NDArray[np.int64], day: npt.NDArray[np.int64] | int) -> npt.NDArray[np.bool_]:
        """Whether each item can be had on its day."""
        on_sale: npt.NDArray[np.bool_] = (self.released[items] <= day) & (day < self.withdrawn[items])
        return on_sale


def make_catalog(flavour: Flavour, seed: int, size: int, start: date, days: int) -> Catalog:
    """A catalog of `size` items whose release dates lie up to three years before `start` and within the `days`."""
    rng = stream(seed, "catalog")
    shelf_names = style(flavour).shelves
    centres = _centres(rng, shelf_names)
    things = _things(flavour, rng, size, len(shelf_names))
    of = np.array([number for number, (named, _) in enumerate(things) for _ in named.variants], np.int64)[:size]
    shelves = np.array([shelf for _, shelf in things], np.int64)[of]
    group_vectors = _unit(centres[shelves] + 0.75 * _directions(rng, len(things))[of])
    released, withdrawn = _dates(rng, len(things), days)
    prices = np.array([named.price for named, _ in things])[of]
    return Catalog(
        items=_records(things, of, shelf_names, released[of], withdrawn[of], start),
        vectors=_unit(group_vectors + 0.15 * _directions(rng, size)),
        shelves=shelves,
        shelf_names=shelf_names,
        centres=centres,
        appeal=_appeal(rng, len(things))[of] - 0.25 * (np.diff(of, prepend=-1) == 0),
        log_price=np.log(prices),
        released=released[of],
        withdrawn=withdrawn[of],
    )


def _centres(rng: np.random.Generator, shelf_names: tuple[tuple[str, str], ...]) -> npt.NDArray[np.float32]:
    """Shelves of one department lie nearer to each other than to those of another."""
    departments = sorted({department for department, _ in shelf_names})
    department = np.array([departments.index(name) for name, _ in shelf_names])
    return _unit(0.7 * _directions(rng, len(departments))[department] + _directions(rng, len(shelf_names)))


def _things(flavour: Flavour, rng: np.random.Generator, size: int, shelves: int) -> list[tuple[Named, int]]:
    """Things with titles of their own, until their variants make up at least `size` items."""
    things: list[tuple[Named, int]] = []
    titles: set[str] = set()
    count = 0
    while count < size:
        shelf = int(rng.integers(shelves))
        named = style(flavour).name(rng, shelf)
        numbered = named.title if named.title not in titles else f"{named.title} no. {len(things) + 1}"
        titles.add(numbered)
        things.append((Named(numbered, *_after_title(named)), shelf))
        count += len(named.variants)
    return things


def _after_title(named: Named) -> tuple[str, str, float, tuple[str, ...], dict[str, str]]:
    return named.text, named.kind, named.price, named.variants, named.attributes


def _dates(rng: np.random.Generator, things: int, days: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    old = rng.random(things) < ALREADY_THERE
    released = np.where(old, -rng.integers(1, 3 * 365, things), rng.integers(0, max(days - 3, 1), things))
    gone = rng.random(things) < DISCONTINUED
    withdrawn = np.where(gone & old, rng.integers(days // 2, max(days, days // 2 + 1), things), NEVER)
    return released, withdrawn


def _appeal(rng: np.random.Generator, things: int) -> npt.NDArray[np.float64]:
    """Zipf's long tail, as the logarithm of 1 / rank, standardised."""
    appeal = -np.log(rng.permutation(things) + 3.0)
    return np.asarray((appeal - appeal.mean()) / (float(appeal.std()) or 1.0), np.float64)


def _records(
    things: list[tuple[Named, int]],
    of: npt.NDArray[np.int64],
    shelf_names: tuple[tuple[str, str], ...],
    released: npt.NDArray[np.int64],
    withdrawn: npt.NDArray[np.int64],
    start: date,
) -> tuple[Item, ...]:
    records, seen = [], -1
    variant = 0
    for number, thing in enumerate(of.tolist()):
        variant = variant + 1 if thing == seen else 0
        seen = thing
        named, shelf = things[thing]
        ending = named.variants[variant]
        records.append(
            Item(
                id=f"{named.kind[0]}{number + 1:04d}",
                title=f"{named.title}, {ending}" if ending else named.title,
                text=named.text,
                categories=shelf_names[shelf],
                kind=named.kind,
                group=f"g{thing + 1:04d}" if len(named.variants) > 1 else None,
                price=named.price,
                currency="EUR",
                released=_midnight(start, int(released[number])),
                available_to=None if withdrawn[number] == NEVER else _midnight(start, int(withdrawn[number])),
                attributes={**named.attributes, **({"variant": ending} if ending else {})},
            )
        )
    return tuple(records)


def _midnight(start: date, day: int) -> datetime:
    return datetime(start.year, start.month, start.day, tzinfo=UTC) + timedelta(days=day)


def _directions(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    return np.asarray(rng.standard_normal((count, FACTORS)) / np.sqrt(FACTORS), np.float64)


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    unit: npt.NDArray[np.float32] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit
