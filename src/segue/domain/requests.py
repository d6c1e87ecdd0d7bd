"""What a recommender is asked: histories in order, a moment, a context. A request never names a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN

NO_TIME = np.iinfo(np.int64).min  # the time of an event that has none


@dataclass(frozen=True)
class Histories:
    """Ragged rows: row `r` is the slice `offsets[r]:offsets[r + 1]` of every other array, oldest event first.

    offsets  int64[rows + 1]
    items    int32[events]    positions in some `Items` vocabulary; never negative
    weights  float32[events]
    times    int64[events]    microseconds since 1970 UTC, `NO_TIME` where there is none
    types    int8[events]     positions in the dataset's tuple of event types
    """

    offsets: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | npt.NDArray[np.integer]]) -> Histories:
        """Histories of weight 1 and without times, from one list of item positions a row.

        >>> Histories.of([[3, 1], []]).offsets.tolist()
        [0, 2, 2]
        """
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        items = np.concatenate([np.asarray(row, np.int32) for row in rows]) if offsets[-1] else np.empty(0, np.int32)
        return cls._plain(offsets, items)

    @classmethod
    def _plain(cls, offsets: npt.NDArray[np.int64], items: npt.NDArray[np.int32]) -> Histories:
        events = len(items)
        return cls(
            offsets,
            items,
            np.ones(events, np.float32),
            np.full(events, NO_TIME, np.int64),
            np.zeros(events, np.int8),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, row: int) -> slice:
        """The slice of the event arrays that is one row."""
        return slice(int(self.offsets[row]), int(self.offsets[row + 1]))

    def rows(self, start: int, stop: int) -> Histories:
        """A view of the rows from `start` to `stop`; nothing is copied but the offsets."""
        stop = min(stop, len(self))
        part = slice(int(self.offsets[start]), int(self.offsets[stop]))
        return Histories(
            self.offsets[start : stop + 1] - self.offsets[start],
            self.items[part],
            self.weights[part],
            self.times[part],
            self.types[part],
        )

    def select(self, rows: npt.NDArray[np.integer]) -> Histories:
        """A copy of the given rows, in the given order."""
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(np.diff(self.offsets)[rows], out=offsets[1:])
        index = places_of(self.offsets, rows)
        return Histories(offsets, self.items[index], self.weights[index], self.times[index], self.types[index])

    def translated(self, translation: npt.NDArray[np.int32]) -> Histories:
        """The same histories in another vocabulary; events on items that it does not know are left out."""
        items = translation[self.items]
        keep = items != UNKNOWN
        if keep.all():
            return Histories(self.offsets, items, self.weights, self.times, self.types)
        kept = np.zeros(len(items) + 1, np.int64)
        np.cumsum(keep, out=kept[1:])
        return Histories(kept[self.offsets], items[keep], self.weights[keep], self.times[keep], self.types[keep])

    def row_numbers(self) -> npt.NDArray[np.int64]:
        """int64[events]: the row of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


def places_of(offsets: npt.NDArray[np.int64], rows: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """int64[events]: where the events of these ragged rows are, one row after the other.

    >>> places_of(np.array([0, 2, 2, 5]), np.array([2, 0])).tolist()
    [2, 3, 4, 0, 1]
    """
    lengths = np.diff(offsets)[rows]
    before = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(lengths.sum()) + np.repeat(offsets[:-1][rows] - before, lengths), np.int64)


@dataclass(frozen=True)
class Requests:
    """A batch of requests: one history each, the moment they are asked at, and a context each.

    `now` is in microseconds since 1970 UTC, or None where the data have no times.
    `histories.items` are positions in the vocabulary of the recommender that is asked.
    """

    histories: Histories
    now: int | None = None
    contexts: Sequence[Mapping[str, Any]] = field(default=())

    def __len__(self) -> int:
        return len(self.histories)

    def rows(self, start: int, stop: int) -> Requests:
        """The requests from `start` to `stop`."""
        return Requests(self.histories.rows(start, stop), self.now, self.contexts[start:stop])


def together(requests: Sequence[Requests]) -> Requests:
    """One batch of all the rows of these, which are asked at the same moment.

    >>> one, other = (Requests(Histories.of([[item]]), 7, ({},)) for item in (3, 1))
    >>> both = together([one, other])
    >>> both.histories.items.tolist(), both.histories.offsets.tolist(), both.now, both.contexts
    ([3, 1], [0, 1, 2], 7, ({}, {}))
    """
    first, *others = requests
    if not others:
        return first
    rows = [each.histories for each in requests]
    offsets = np.zeros(sum(map(len, rows)) + 1, np.int64)
    np.cumsum(np.concatenate([np.diff(each.offsets) for each in rows]), out=offsets[1:])
    histories = Histories(
        offsets,
        np.concatenate([each.items for each in rows]),
        np.concatenate([each.weights for each in rows]),
        np.concatenate([each.times for each in rows]),
        np.concatenate([each.types for each in rows]),
    )
    return Requests(histories, first.now, tuple(context for each in requests for context in each.contexts))
