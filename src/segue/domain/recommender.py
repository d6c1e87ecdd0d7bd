"""The protocol of everything that maps a request to scores over items. It holds no users."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.items import Items
from segue.domain.requests import Histories, Requests

MASK_CELLS = 8_000_000  # of rows x items marked at a time, where a recommender knows only masks


class Contribution(msgspec.Struct, frozen=True, gc=False):  # a long history has very many of them
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


class Unseen(Recommender, Protocol):
    """A recommender that leaves out what people have without a mask of rows x items: their items are enough to say it.

    Ask through `top_unseen`, which serves every recommender.
    """

    def top_unseen(
        self,
        requests: Requests,
        k: int,
        seen: Histories | None = None,
        allow: npt.NDArray[np.bool_] | None = None,
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """What `top` gives where `deny` is true for the items of each row of `seen`.

        `seen` has a row for each request, in any order, with repeats as they come; None means the requests' own
        histories. `allow` is bool[items] or bool[rows, items].
        """
        ...


def top_unseen(
    recommender: Recommender,
    requests: Requests,
    k: int,
    seen: Histories | None = None,
    allow: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The `k` best of each row but for the items of the same row of `seen`: of the request's own history where None.

    An `Unseen` recommender is asked as it is. Any other one is asked by `top` with masks, some rows at a time, so that
    memory does not grow with the requests.
    """
    ask = getattr(recommender, "top_unseen", None)
    if ask is not None:
        best: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]] = ask(requests, k, seen=seen, allow=allow)
        return best
    seen = requests.histories if seen is None else seen
    positions, scores = np.empty((len(requests), k), np.int32), np.empty((len(requests), k), np.float32)
    step = max(1, MASK_CELLS // max(1, len(recommender.items)))
    for start in range(0, len(requests), step):
        some = slice(start, min(start + step, len(requests)))
        allowed = allow[some] if allow is not None and allow.ndim == 2 else allow
        deny = _marked(seen.rows(some.start, some.stop), len(recommender.items))
        part = requests.rows(some.start, some.stop)
        positions[some], scores[some] = recommender.top(part, k, allow=allowed, deny=deny)
    return positions, scores


def _marked(histories: Histories, items: int) -> npt.NDArray[np.bool_]:
    """bool[rows, items]: which items are in each row."""
    marks = np.zeros((len(histories), items), np.bool_)
    marks[histories.row_numbers(), histories.items] = True
    return marks
