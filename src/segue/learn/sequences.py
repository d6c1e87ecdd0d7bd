"""Who did what one after the other: the sequences of a batch, cut where time passed, and what lies how far back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import MissingColumn
from segue.domain.requests import NO_TIME, Histories
from segue.learn.rows import Rows, run_starts

MINUTE_US = 60_000_000

COLUMNS = (columns.USER, columns.ITEM, columns.WEIGHT, columns.TIME, columns.ORDER)
"""What `sequences_of_batch` reads."""


@dataclass(frozen=True)
class Sequences:
    """Ragged rows, oldest first: sequence `s` is `offsets[s]:offsets[s + 1]`. Nothing comes twice in direct succession.

    keys     int32[sequences]      code of the person (of histories: the number of the row)
    offsets  int64[sequences + 1]
    codes    int32[events]
    times    int64[events]         microseconds since 1970 UTC, `NO_TIME` where there is none

    >>> sequences_of_histories(Histories.of([[7, 2, 2, 7], []]), None).codes.tolist()
    [7, 2, 7]
    """

    keys: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)

    def numbers(self) -> npt.NDArray[np.int64]:
        """int64[events]: the sequence of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def where(self, keep: npt.NDArray[np.bool_]) -> Sequences:
        """The same sequences with these events alone; what is then twice in succession stays so."""
        kept = np.zeros(len(keep) + 1, np.int64)
        np.cumsum(keep, out=kept[1:])
        return Sequences(self.keys, kept[self.offsets], self.codes[keep], self.times[keep])

    def pairs(self, window: int) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """For each lag from 1 to `window`: the places of all events that another follows that much later, and its."""
        numbers = self.numbers()
        for lag in range(1, min(window, len(numbers) - 1) + 1):
            earlier = np.flatnonzero(numbers[lag:] == numbers[:-lag])
            if not len(earlier):
                return
            yield lag, earlier, earlier + lag


def sequences_of_batch(batch: pa.RecordBatch, gap_minutes: float | None) -> Sequences:
    """The sequences of a batch that holds whole people, each cut where more than `gap_minutes` passed.

    Events of weight 0 are ignored. A `MissingColumn` where events have neither time nor order, or a gap is asked of
    events without times.

    >>> from segue.engines.engine import Key
    >>> from segue.engines.local import LocalEngine, Table
    >>> rows = Table.of(["ann"] * 3, ["x", "y", "z"], times=[0, MINUTE_US, 60 * MINUTE_US])
    >>> batch = next(LocalEngine().prepare(rows, Key.USER).partitions(1)[0])
    >>> sequences_of_batch(batch, gap_minutes=30).offsets.tolist()
    [0, 2, 3]
    """
    keep = np.flatnonzero(batch[columns.WEIGHT].to_numpy() > 0)
    keys, codes, times = (batch[name].to_numpy()[keep] for name in (columns.USER, columns.ITEM, columns.TIME))
    _refuse_without_order(times, batch[columns.ORDER].to_numpy()[keep], gap_minutes)
    return cut(keys, codes, times, gap_minutes)


def sequences_of_histories(histories: Histories, gap_minutes: float | None) -> Sequences:
    """The sequences of requests; where there are no times a history is one sequence."""
    keep = histories.weights > 0
    keys = histories.row_numbers()[keep].astype(np.int32)
    return cut(keys, histories.items[keep], histories.times[keep], gap_minutes)


def last_of_histories(histories: Histories, gap_minutes: float | None) -> Sequences:
    """One sequence for each request: the last of its history, empty where that is."""
    every = sequences_of_histories(histories, gap_minutes)
    last = np.ones(len(every), np.bool_)
    last[:-1] = every.keys[1:] != every.keys[:-1]
    lengths = np.zeros(len(histories), np.int64)
    lengths[every.keys[last]] = np.diff(every.offsets)[last]
    keep = last[every.numbers()]
    offsets = np.zeros(len(histories) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return Sequences(np.arange(len(histories), dtype=np.int32), offsets, every.codes[keep], every.times[keep])


def fading(decay: float, window: int) -> npt.NDArray[np.float64]:
    """float64[window]: what the newest event counts for, the one before it, and so on: 1, 2^-decay, 3^-decay, ...

    With a decay of 0 all count the same, with 1 they fade as in sequential rules (Ludewig and Jannach 2018, SR).
    """
    weights: npt.NDArray[np.float64] = np.power(1.0 + np.arange(window), -decay)
    return weights


def faded(sequences: Sequences, decay: float, window: int) -> Rows:
    """The distinct items of each sequence, by their places among the last `window` events: see `fading`.

    >>> rows = faded(last_of_histories(Histories.of([[7, 2, 7, 4]]), None), decay=1, window=3)
    >>> rows.codes.tolist(), rows.weights.round(2).tolist()
    ([2, 4, 7], [0.33, 1.0, 0.5])
    """
    cells, age, starts = _by_cell(sequences, window)
    sums = np.add.reduceat(fading(decay, window)[age], starts) if len(starts) else np.zeros(0)
    offsets = np.searchsorted(cells[starts] >> 32, np.arange(len(sequences) + 1)).astype(np.int64)
    return Rows(sequences.keys, offsets, (cells[starts] & 0xFFFFFFFF).astype(np.int32), sums)


def ages(sequences: Sequences, window: int) -> npt.NDArray[np.int64]:
    """How many events back each item of `faded` was last met: 0 is the newest event.

    >>> ages(last_of_histories(Histories.of([[7, 2, 7, 4]]), None), window=3).tolist()
    [2, 0, 1]
    """
    _, age, starts = _by_cell(sequences, window)
    return np.minimum.reduceat(age, starts) if len(starts) else np.zeros(0, np.int64)


def _by_cell(
    sequences: Sequences, window: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The events of the window by row and code, the oldest first so that sums add up in one order: the row and code
    of each in one number, its age, and where each row and code begins."""
    numbers = sequences.numbers()
    age = sequences.offsets[1:][numbers] - 1 - np.arange(len(numbers))
    keep = age < window
    cells, age = ((numbers << 32) | sequences.codes)[keep], age[keep]
    order = np.argsort(cells, kind="stable")
    return cells[order], age[order], run_starts(cells[order])


def cut(
    keys: npt.NDArray[np.int32], codes: npt.NDArray[np.int32], times: npt.NDArray[np.int64], gap_minutes: float | None
) -> Sequences:
    """Sequences of events that lie by key and in order, cut where more than `gap_minutes` passed between two times."""
    starts, fresh = beginnings(keys, codes, times, gap_minutes)
    numbers = np.cumsum(starts)[fresh] - 1
    offsets = np.searchsorted(numbers, np.arange(int(starts.sum()) + 1)).astype(np.int64)
    return Sequences(keys[starts], offsets, codes[fresh], times[fresh])


def beginnings(
    keys: npt.NDArray[np.int32], codes: npt.NDArray[np.int32], times: npt.NDArray[np.int64], gap_minutes: float | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """bool[events] each: where a sequence begins, and where an event is not of the same item as the one before it."""
    starts = np.ones(len(keys), np.bool_)
    starts[1:] = keys[1:] != keys[:-1]
    if gap_minutes is not None:
        timed = (times[1:] != NO_TIME) & (times[:-1] != NO_TIME)
        starts[1:] |= timed & (np.diff(times) > gap_minutes * MINUTE_US)
    fresh = starts.copy()
    fresh[1:] |= codes[1:] != codes[:-1]
    return starts, fresh


def _refuse_without_order(
    times: npt.NDArray[np.int64], order: npt.NDArray[np.int64], gap_minutes: float | None
) -> None:
    from segue.data.interactions import NO_ORDER

    timeless = times == NO_TIME
    if (timeless & (order == NO_ORDER)).any():
        raise MissingColumn(
            "what comes after what needs a time or an order for every event, and these data have events with neither",
            mend='say which column is the time, or order = "file" in [events] where rows are in order; or take "ease"',
        )
    if gap_minutes is not None and timeless.any():
        raise MissingColumn(
            "gap_minutes needs the time of every event, and these data have events without",
            mend="leave gap_minutes out, or say in [events.columns] which column is the time",
        )


__all__ = [
    "COLUMNS",
    "Sequences",
    "ages",
    "beginnings",
    "cut",
    "faded",
    "fading",
    "last_of_histories",
    "sequences_of_batch",
]
