"""The protocol of everything that maps a request to scores over items. It holds no users."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from segue.domain.items import Items
from segue.domain.requests import Requests


@dataclass(frozen=True)
class Contribution:
    """The part of one item's score that comes from one thing the model knows.

    `item` is the position of an item of the history, or None for a part that comes from elsewhere (then `label` says
    what it is, such as "popularity").
    """

    score: float
    item: int | None = None
    label: str = ""


@dataclass(frozen=True)
class Reasons:
    """Why one item got its score: `contributions` sum to `score` where `exact`, and come near it otherwise."""

    item: int
    score: float
    contributions: tuple[Contribution, ...]
    exact: bool = True


@runtime_checkable
class Recommender(Protocol):
    """Maps requests to scores. Positions mean those of `items`, which is canonical (sorted by id).

    `personal` says whether the history changes the scores. A history that is empty, or of unknown items only, is no
    error: the scores are then whatever the model knows without a history, and all zero where it knows nothing.
    """

    @property
    def items(self) -> Items: ...

    @property
    def personal(self) -> bool: ...

    def scores(self, requests: Requests, candidates: npt.NDArray[np.int32] | None = None) -> npt.NDArray[np.float32]:
        """float32[rows, items], or float32[rows, len(candidates)] where only those positions are asked for."""
        ...

    def top(
        self,
        requests: Requests,
        k: int,
        allow: npt.NDArray[np.bool_] | None = None,
        deny: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The `k` best positions of each row and their scores, best first, ties by position.

        `allow` and `deny` are bool[items] or bool[rows, items]. Where fewer than `k` items are left, the rest of the
        row is filled with position -1 and score -inf.
        """
        ...

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        """Why each of `items` got its score from the first (and only) request."""
        ...

    def save(self, folder: Path) -> None:
        """Write the arrays and what else is needed into an empty folder."""
        ...

    @property
    def nbytes(self) -> int:
        """The size of the model's arrays in bytes."""
        ...


class Additive(Recommender, Protocol):
    """A recommender that can also give its reasons as one array, which serving reads ten times faster than objects."""

    def parts(
        self, requests: Requests, items: npt.NDArray[np.int32]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.floating]]:
        """int32[m] distinct positions of the first (and only) history, and float[m, len(items)]: the part of each of
        `items`' scores that comes from each. Columns sum to the scores, as the contributions of `reasons` do."""
        ...


class Relating(Recommender, Protocol):
    """A recommender that can also say which items are like one, without a history."""

    def similar(self, items: npt.NDArray[np.int32], k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """int32[n, k] positions likest to each of `items`, and float32[n, k] how like, likest first, ties by position;
        never the item itself. -1 and -inf where the model knows of no more."""
        ...
