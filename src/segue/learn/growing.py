"""States that grow: what each batch brings is laid beside what is there, and joined with it when that has doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy.typing as npt

State: TypeAlias = Mapping[str, npt.NDArray[Any]]
Join: TypeAlias = Callable[[State, State], State]


def growing(state: State, part: State, join: Join) -> State:
    """The state with one more part, for the `update` of an aggregate whose `merge` is `join`.

    >>> import numpy as np
    >>> def join(left, right):
    ...     return {"codes": np.union1d(left["codes"], right["codes"])}
    >>> growing({"codes": np.array([3, 5])}, {"codes": np.array([4])}, join)["codes"].tolist()
    [3, 4, 5]
    """
    grows = state if isinstance(state, Growing) else Growing(state, join)
    grows.add(part)
    return grows


class Growing(Mapping[str, npt.NDArray[Any]]):
    """The state of an aggregate, in parts that are joined at the latest when they are read.

    To join every batch with all that came before costs batches times state. Here a part waits until what came after it
    is half as large, so that a row is joined about log2(rows) times, in whatever batches it came. As `join` is
    associative and commutative, the arrays are the same to the byte. Threads may read at once, nobody while one adds.
    """

    def __init__(self, first: State, join: Join) -> None:
        self._parts = [first]
        self._join = join

    def add(self, part: State) -> None:
        """Lay a part beside those that are there."""
        self._parts.append(part)
        while len(self._parts) > 1 and _size(self._parts[-2]) <= 2 * _size(self._parts[-1]):
            self._parts = self._last_joined(self._parts)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self._whole()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def _whole(self) -> State:
        while len(parts := self._parts) > 1:
            self._parts = self._last_joined(parts)  # at once: whoever reads meanwhile misses nothing
        return parts[0]

    def _last_joined(self, parts: list[State]) -> list[State]:
        *first, before, last = parts
        return [*first, self._join(before, last)]


def _size(state: State) -> int:
    return sum(array.size for array in state.values())


__all__ = ["Growing", "State", "growing"]
