"""The base of recommenders that score every item: selection with masks, saving and loading, said once."""

from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from segue.domain.errors import DataError, ModelError
from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Contribution, Reasons
from segue.domain.requests import Histories, Requests
from segue.learn.rows import Rows, rows_of_histories
from segue.learn.top import Best, Left, Mask, best

CHUNK_SCORES = 4_000_000  # 16 MB of scores at a time in each thread
NUMBERS = "model.json"

Parts = tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """A recommender made of a vocabulary, arrays and a few plain values: the fields of a frozen dataclass.

    A subclass adds such fields and gives `score_rows` and `reasons`; `scores`, `top`, `save` and `load` come with it.

    >>> from segue.domain.requests import Histories
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Alphabetical(Scored):
    ...     def score_rows(self, rows, requests):
    ...         return np.tile(-np.arange(len(self.items), dtype=np.float32), (len(rows), 1))
    >>> Alphabetical(Items(["a", "b", "c"])).top(Requests(Histories.of([[]])), 2)[0].tolist()
    [[0, 1]]
    """

    items: Items
    personal: ClassVar[bool] = True

    def score_rows(self, rows: Rows, requests: Requests) -> npt.NDArray[np.float32]:
        """float32[rows, items] from the distinct items of each history, for one chunk of requests."""
        raise NotImplementedError(f"{type(self).__name__} has no score_rows")

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        """Why each of `items` got its score from the first (and only) request."""
        raise NotImplementedError(f"{type(self).__name__} has no reasons")

    def scores(self, requests: Requests, candidates: npt.NDArray[np.int32] | None = None) -> npt.NDArray[np.float32]:
        """float32[rows, items], or float32[rows, len(candidates)]; a `DataError` where one of these is of no item."""
        if candidates is not None:
            candidates = np.asarray(candidates)
            _refuse_strangers(candidates, len(self.items), "candidates")
        every = self.score_rows(self.rows(requests), requests)
        return every if candidates is None else np.ascontiguousarray(every[:, candidates])

    def rows(self, requests: Requests) -> Rows:
        """The distinct items of each history; a `DataError` where a position is not of this vocabulary."""
        _refuse_strangers(requests.histories.items, len(self.items), "histories.items")
        return rows_of_histories(requests.histories)

    def top(self, requests: Requests, k: int, allow: Mask | None = None, deny: Mask | None = None) -> Best:
        """The `k` best of each row, best first, ties by position; chunks of rows in threads."""
        return self._best(requests, k, Left(allow, deny))

    def top_unseen(self, requests: Requests, k: int, seen: Histories | None = None, allow: Mask | None = None) -> Best:
        """`top` without the items of each row of `seen` (the requests' own histories where None), and without masks."""
        if seen is not None:
            _refuse_strangers(seen.items, len(self.items), "seen.items")
        return self._best(requests, k, Left(allow, None, requests.histories if seen is None else seen))

    def best_rows(self, requests: Requests, k: int, left: Left) -> Best:
        """The `k` best of each row of one chunk; for a subclass that knows them without making all scores."""
        return best(left.among(self.scores(requests)), k)

    def rows_at_once(self) -> int:
        """How many requests make a chunk."""
        return max(1, CHUNK_SCORES // max(1, len(self.items)))

    def _best(self, requests: Requests, k: int, left: Left) -> Best:
        positions = np.empty((len(requests), k), np.int32)
        values = np.empty((len(requests), k), np.float32)
        step = self.rows_at_once()

        def fill(start: int) -> None:
            stop = min(start + step, len(requests))
            part = requests.rows(start, stop), k, left.rows(start, stop)
            positions[start:stop], values[start:stop] = self.best_rows(*part)

        starts = range(0, len(requests), step)
        if len(starts) <= 1:
            for start in starts:
                fill(start)
        else:
            with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
                list(pool.map(fill, starts))
        return positions, values

    def similar(self, items: npt.NDArray[np.int32], k: int) -> Best:
        """What goes with each item: the list of somebody who has nothing but it. int32 and float32 [len(items), k]."""
        if not self.personal:
            return np.full((len(items), k), UNKNOWN, np.int32), np.full((len(items), k), -np.inf, np.float32)
        found, scores = self.top_unseen(Requests(Histories.of(list(items[:, None]))), k)
        told = np.isfinite(scores) & (scores > 0)
        return np.where(told, found, np.int32(UNKNOWN)), np.where(told, scores, np.float32(-np.inf))

    @property
    def note(self) -> str:
        """Which form the model took, and what it leaves out, in words; "" where there is nothing to say."""
        return ""

    @property
    def nbytes(self) -> int:
        """The size of the arrays in bytes."""
        return sum(array.nbytes for array in self._arrays().values())

    def save(self, folder: Path) -> None:
        """Each array as `<field>.npy`, the plain values in `model.json`."""
        arrays = self._arrays()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        plain = {name: value for name, value in self._values().items() if name not in arrays}
        (folder / NUMBERS).write_text(json.dumps({"arrays": sorted(arrays), "values": plain}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, items: Items) -> Self:
        """What `save` wrote, the arrays memory-mapped."""
        try:
            described = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
            _refuse_other_arrays(described["arrays"], {field.name for field in dataclasses.fields(cls)})
            arrays = {name: mapped(folder / f"{name}.npy") for name in described["arrays"]}
            return cls(items, **arrays, **described["values"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"the model cannot be read ({error})", where=str(folder), mend="train the model again"
            ) from error

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {name: value for name, value in self._values().items() if isinstance(value, np.ndarray)}

    def _values(self) -> dict[str, Any]:
        fields = dataclasses.fields(self)
        return {field.name: getattr(self, field.name) for field in fields if field.name != "items"}


class ScoredByParts(Scored):
    """A recommender whose scores are sums over the history: a subclass gives `parts`, and `reasons` come with it.

    >>> from segue.domain.requests import Histories
    >>> class Same(ScoredByParts):
    ...     def parts(self, requests, items):
    ...         history = self.rows(requests).codes
    ...         return history, np.equal.outer(history, items).astype(np.float64)
    >>> Same(Items(["a", "b"])).reasons(Requests(Histories.of([[1]])), np.array([0, 1]))[1].score
    1.0
    """

    def parts(self, requests: Requests, items: npt.NDArray[np.int32]) -> Parts:
        """int32[m] distinct positions of the first (and only) history, and float64[m, len(items)]: what each of them
        adds to the score of each of `items`."""
        raise NotImplementedError(f"{type(self).__name__} has no parts")

    def reasons(self, requests: Requests, items: npt.NDArray[np.int32]) -> list[Reasons]:
        """The parts that are not 0, item by item; they sum to the score."""
        history, parts = self.parts(requests, items)
        return [_reasons(item, history, column) for item, column in zip(items.tolist(), parts.T, strict=True)]


def left_out(taken: int, items: int) -> str:
    """The end of a `note`: how many items a model does not know.

    >>> left_out(3, 5), left_out(5, 5)
    ('; 2 of 5 items are left out and score 0', '')
    """
    return f"; {items - taken:,} of {items:,} items are left out and score 0" if taken < items else ""


def _reasons(item: int, history: npt.NDArray[np.int32], parts: npt.NDArray[np.float64]) -> Reasons:
    named = np.flatnonzero(parts)
    contributions = tuple(map(Contribution, parts[named].tolist(), history[named].tolist()))
    return Reasons(item, float(parts.sum()), contributions)


def _refuse_other_arrays(names: list[str], fields: set[str]) -> None:
    """A `ValueError` where an array is no field of the recommender: its name would lead out of the folder."""
    if strange := [name for name in names if name not in fields]:
        raise ValueError(f"it names arrays that this model does not have: {', '.join(map(repr, strange))}")


def _refuse_strangers(positions: npt.NDArray[np.int32], items: int, where: str) -> None:
    """A `DataError` where a position is of no item: a negative one would be taken for one counted from behind."""
    if len(positions) and (positions.min() < 0 or positions.max() >= items):
        raise DataError(
            f"expected positions from 0 to {items - 1}, found {positions.min()} to {positions.max()}",
            where=where,
            mend="positions are those of the recommender's items: Histories.translated, Items.positions",
        )


def mapped(path: Path) -> npt.NDArray[Any]:
    """The array in this file, memory-mapped and read-only (an empty one is read: it cannot be mapped)."""
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    except ValueError:
        array = np.load(path)
        array.setflags(write=False)
    return array
