"""A vocabulary of items: which id stands at which position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
import numpy.typing as npt

UNKNOWN = -1


class Items:
    """Ids in a fixed order; the position of an id is its code in every array that goes with this vocabulary.

    A lake's vocabulary is in the order in which ids were first met (append-only, so a code never changes meaning).
    A model's vocabulary is *canonical*: sorted by id, so that ties and bytes do not depend on who came first.

    >>> items = Items(["b", "a"])
    >>> items.positions(["a", "zzz"]).tolist()
    [1, -1]
    >>> items.canonical()[0].ids
    ('a', 'b')
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: tuple[str, ...] = tuple(ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> str:
        return self.ids[position]

    def __contains__(self, item: object) -> bool:
        return item in self._position

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Items) and self.ids == other.ids

    def __hash__(self) -> int:
        return hash(self.ids)

    def __repr__(self) -> str:
        return f"Items({len(self)} ids)"

    @cached_property
    def _position(self) -> dict[str, int]:
        return {item: position for position, item in enumerate(self.ids)}

    def position(self, item: str) -> int:
        """The position of one id, or `UNKNOWN` (-1)."""
        return self._position.get(item, UNKNOWN)

    def positions(self, ids: Iterable[str]) -> npt.NDArray[np.int32]:
        """int32 positions, `UNKNOWN` (-1) where an id is not in the vocabulary."""
        return np.fromiter(map(self._position.get, ids, repeat(UNKNOWN)), dtype=np.int32)

    def take(self, positions: Sequence[int] | npt.NDArray[np.integer]) -> list[str]:
        """The ids at these positions."""
        ids = self.ids
        return [ids[position] for position in positions]

    def translation(self, target: Items) -> npt.NDArray[np.int32]:
        """int32[len(self)]: the position of each of our ids in `target`, or `UNKNOWN` (-1)."""
        return target.positions(self.ids)

    def canonical(self) -> tuple[Items, npt.NDArray[np.int64]]:
        """The same ids sorted, and the int64 permutation `order` with `canonical.ids[i] == self.ids[order[i]]`."""
        order = np.array(sorted(range(len(self.ids)), key=self.ids.__getitem__), dtype=np.int64)
        return Items(self.take(order)), order
