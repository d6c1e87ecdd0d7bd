"""The models of a release and its catalog, joined by item id once, so that a request only looks up positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.domain.catalog import Item
from segue.domain.errors import unknown
from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.find.past import Past

Parts = Callable[[Requests, npt.NDArray[np.int32]], tuple[npt.NDArray[np.int32], npt.NDArray[np.floating]]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Source:
    """One model, with the positions of its items among all items and the other way round.

    to_all    int32[len(recommender.items)]  position among all items
    from_all  int32[all items]               position in the model's items, `UNKNOWN` where it does not know the item
    parts     the model's own `parts`, None where it gives its reasons one by one only
    """

    name: str
    recommender: Recommender
    to_all: npt.NDArray[np.int32]
    from_all: npt.NDArray[np.int32]
    parts: Parts | None = None

    def knows(self, trail: Trail) -> bool:
        """Whether any item of the trail is in the model's vocabulary."""
        return bool((self.from_all[trail.positions] != UNKNOWN).any())


@dataclass(frozen=True)
class Trail:
    """What one person did, oldest first, in positions among all items. Events that weigh nothing are left out."""

    positions: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.positions)

    def request(self, source: Source, now: int | None, context: Mapping[str, Any]) -> Requests:
        """The one request in the source's own positions; events on items that it does not know are left out."""
        items = source.from_all[self.positions]
        keep = items != UNKNOWN
        items, weights, times = items[keep], self.weights[keep], self.times[keep]
        types = np.zeros(len(items), np.int8)
        return Requests(Histories(np.array([0, len(items)]), items, weights, times, types), now, (context,))


class Sources:
    """What a release could show: its models, its catalog, and one vocabulary in which their items meet.

    items      all items of models and catalog, sorted by id; "position" means a position in it
    groups     int32[items]: items of one group (variants of one thing) share a number
    grouped    whether any two items share a group
    opens      int64[items]: microseconds since 1970 UTC from which an item is available; None where none has a date
    closes     int64[items]: until when
    fallback   the model for a person without a usable history: the first that is not personal, None where all are

    >>> Sources({}, {"a": Item("a", group="g"), "b": Item("b", group="g")}).groups.tolist()
    [0, 0]
    """

    def __init__(
        self, models: Mapping[str, Recommender], catalog: Mapping[str, Item], fallback: str | None = None
    ) -> None:
        ids = set(catalog).union(*(model.items.ids for model in models.values()))
        self.items = Items(sorted(ids))
        self.catalog = catalog
        self.models = {name: _source(name, model, self.items) for name, model in models.items()}
        impersonal = [name for name, model in models.items() if not model.personal]
        self.fallback = fallback or (impersonal[0] if impersonal else None)
        self.groups, self.grouped = _groups(self.items, catalog)
        self.opens = _dates({item.id: item.available_from for item in catalog.values()}, self.items, -ALWAYS)
        self.closes = _dates({item.id: item.available_to for item in catalog.values()}, self.items, ALWAYS)

    def source(self, name: str) -> Source:
        """The model of that name; `UnknownName` where the release has none."""
        if name not in self.models:
            raise unknown("model", name, self.models, where="this release")
        return self.models[name]

    def trail(self, past: Sequence[Past]) -> Trail:
        """What a person did, in positions; events on items that nothing here knows are left out."""
        positions = self.items.positions(event.item for event in past)
        weights = np.fromiter((event.weight for event in past), np.float32, len(past))
        times = np.fromiter((event.time for event in past), np.int64, len(past))
        keep = (positions != UNKNOWN) & (weights > 0)
        return Trail(positions[keep], weights[keep], times[keep])

    def title(self, item: str) -> str:
        """What people call an item: its title, its id where the catalog has none."""
        known = self.catalog.get(item)
        return known.title or item if known is not None else item


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC; a moment without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def _source(name: str, model: Recommender, items: Items) -> Source:
    to_all = model.items.translation(items)
    from_all = np.full(len(items), UNKNOWN, np.int32)
    from_all[to_all] = np.arange(len(model.items), dtype=np.int32)
    parts: Parts | None = getattr(model, "parts", None)
    return Source(name, model, to_all, from_all, parts)


def _groups(items: Items, catalog: Mapping[str, Item]) -> tuple[npt.NDArray[np.int32], bool]:
    """A number for each item; one that names no group is a group of its own, whatever the names of the others."""
    numbers: dict[tuple[str, str], int] = {}
    codes = np.empty(len(items), np.int32)
    for position, item in enumerate(items.ids):
        known = catalog.get(item)
        key = ("group", known.group) if known is not None and known.group is not None else ("item", item)
        codes[position] = numbers.setdefault(key, len(numbers))
    return codes, len(numbers) < len(items)


def _dates(dates: Mapping[str, datetime | None], items: Items, missing: int) -> npt.NDArray[np.int64] | None:
    known = {item: microseconds(date) for item, date in dates.items() if date is not None}
    if not known:
        return None
    return np.fromiter((known.get(item, missing) for item in items.ids), np.int64, len(items))
