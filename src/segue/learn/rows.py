"""Who did what how much: the distinct pairs of a batch, with what several events on one pair weigh together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.requests import Histories
from segue.engines.engine import Key

Weighting: TypeAlias = Literal["none", "log", "linear"]
"""What a pair of person and item counts for, from the weight w > 0 of its events together:
1 ("none"), log2(1 + w) ("log": 1 stays 1, a thousand plays count ten times), or w ("linear")."""

TINY_WEIGHT = 1e-8  # below, 1 + w is rounded, down to 1 in the end, and log2(1 + w) is w / log(2)


@dataclass(frozen=True)
class Rows:
    """Ragged rows of distinct codes, ascending within a row: row `r` is `offsets[r]:offsets[r + 1]`.

    keys     int32[rows]     the code whose row it is (of histories: the number of the row)
    offsets  int64[rows + 1]
    codes    int32[pairs]
    weights  float64[pairs]  summed over the events of the pair, greater than 0

    >>> rows = rows_of_histories(Histories.of([[7, 2, 7], []]))
    >>> rows.offsets.tolist(), rows.codes.tolist(), rows.weights.tolist()
    ([0, 2, 2], [2, 7], [1.0, 2.0])
    """

    keys: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.keys)

    def row_numbers(self) -> npt.NDArray[np.int64]:
        """int64[pairs]: the row of each pair."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


def rows_of_batch(batch: pa.RecordBatch, key: Key) -> Rows:
    """The rows of a batch that holds whole keys together; events of weight 0 are ignored.

    >>> from segue.engines.local import LocalEngine, Table
    >>> by_user = LocalEngine().prepare(Table.of(["a", "a", "a"], ["x", "y", "x"]), Key.USER)
    >>> rows = rows_of_batch(next(by_user.partitions(1)[0]), Key.USER)
    >>> rows.codes.tolist(), rows.weights.tolist()
    ([0, 1], [2.0, 1.0])
    """
    other = columns.ITEM if key is Key.USER else columns.USER
    keys = batch[key.value].to_numpy()
    starts = run_starts(keys)
    numbers = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(keys)))
    weights = batch[columns.WEIGHT].to_numpy()
    return _distinct(keys[starts], numbers, batch[other].to_numpy(), weights)


def rows_of_histories(histories: Histories) -> Rows:
    """The rows of requests, one for each history, empty where the history is."""
    keys = np.arange(len(histories), dtype=np.int32)
    return _distinct(keys, histories.row_numbers(), histories.items, histories.weights)


def weighed(weights: npt.NDArray[np.float64], weighting: Weighting) -> npt.NDArray[np.float64]:
    """What pairs of these weights count for."""
    if weighting == "none":
        return np.ones(len(weights))
    if weighting == "linear":
        return weights
    return np.where(weights < TINY_WEIGHT, weights / np.log(2), np.log2(1 + weights))


def _distinct(
    keys: npt.NDArray[np.int32],
    numbers: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
) -> Rows:
    if not (weights > 0).all():
        keep = weights > 0
        numbers, codes, weights = numbers[keep], codes[keep], weights[keep]
    same_row = numbers[1:] == numbers[:-1]
    if not (~same_row | (codes[1:] > codes[:-1])).all():
        order = np.argsort((numbers << 32) | codes, kind="stable")
        numbers, codes, weights = numbers[order], codes[order], weights[order]
    new = np.ones(len(codes), np.bool_)
    new[1:] = (numbers[1:] != numbers[:-1]) | (codes[1:] != codes[:-1])
    starts = np.flatnonzero(new)
    sums = weights.astype(np.float64) if len(starts) == len(codes) else _sums(weights, starts)
    offsets = np.searchsorted(numbers[starts], np.arange(len(keys) + 1)).astype(np.int64)
    return Rows(keys, offsets, codes[starts], sums)


def _sums(weights: npt.NDArray[np.float32], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.add.reduceat(weights.astype(np.float64), starts)


def run_starts(keys: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Where in an array equal ones begin that lie together.

    >>> run_starts(np.array([4, 4, 7])).tolist(), run_starts(np.array([], np.int32)).tolist()
    ([0, 2], [])
    """
    return np.append(0, np.flatnonzero(keys[1:] != keys[:-1]) + 1)[: len(keys)]
