"""Bring the rows of one key together in bounded memory: count, append each row to its bucket, sort each bucket.

Every bucket is a range of keys and, as the counts are known, a contiguous piece of the result. So rows are written
in long runs, and only one bucket at a time is in memory: data larger than memory take the same three steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.engines.engine import INTERACTIONS, Dataset, Key
from segue.engines.memory import let_go
from segue.engines.table import refuse_codes, refuse_weights

BUCKET_ROWS = 4_000_000  # about 0.3 GB at work in the sort
LET_GO_ROWS = 2_000_000  # written into mapped files, after which they no longer count as memory of the process
COMPILED_ROWS = 1_000_000  # from which on a compiled sort is worth its loading

Arrays = dict[str, npt.NDArray[Any]]
Allocate = Callable[[str, int, np.dtype[Any]], npt.NDArray[Any]]


def scatter(
    dataset: Dataset, key: Key, allocate: Allocate, bucket_rows: int = BUCKET_ROWS
) -> tuple[npt.NDArray[np.int64], Arrays]:
    """The offsets int64[keys + 1] and the columns of the dataset, sorted by (key, time, order).

    What is equal in these is sorted by item or user, type and weight, so the result depends on the rows alone and not
    on the order in which they come. `allocate(name, rows, dtype)` makes each column.
    """
    keys = dataset.users if key is Key.USER else len(dataset.items)
    offsets = _offsets(dataset, key, keys)
    rows = int(offsets[-1])
    arrays = {
        name: allocate(name, rows, INTERACTIONS.field(name).type.to_pandas_dtype()) for name in INTERACTIONS.names
    }
    bounds = _bucket_bounds(offsets, bucket_rows)
    _append_to_buckets(dataset, key, bounds, offsets, arrays)
    sort = _sort if rows < COMPILED_ROWS else _sort_compiled
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        sort(arrays, key, offsets[start : stop + 1], start)
        if rows >= LET_GO_ROWS:
            let_go(arrays.values())
    return offsets, arrays


def _offsets(dataset: Dataset, key: Key, keys: int) -> npt.NDArray[np.int64]:
    counts = np.zeros(keys, np.int64)
    row = 0
    for batch in _rows(dataset, [columns.USER, columns.ITEM, columns.WEIGHT]):
        refuse_codes(batch[columns.USER].to_numpy(), dataset.users, columns.USER, row)
        refuse_codes(batch[columns.ITEM].to_numpy(), len(dataset.items), columns.ITEM, row)
        refuse_weights(batch[columns.WEIGHT].to_numpy(), row)
        counts += np.bincount(batch[key.value].to_numpy(), minlength=keys)
        row += batch.num_rows
    offsets = np.zeros(keys + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _bucket_bounds(offsets: npt.NDArray[np.int64], bucket_rows: int) -> npt.NDArray[np.int64]:
    """Ranges of keys of at most `bucket_rows` rows each (a larger key is a bucket of its own)."""
    keys = len(offsets) - 1
    bounds = [0]
    while bounds[-1] < keys:
        reach = int(np.searchsorted(offsets, offsets[bounds[-1]] + bucket_rows, side="right")) - 1
        bounds.append(min(max(reach, bounds[-1] + 1), keys))
    return np.array(bounds, np.int64)


def _append_to_buckets(
    dataset: Dataset, key: Key, bounds: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], arrays: Arrays
) -> None:
    cursors, appended = offsets[bounds[:-1]].copy(), 0
    for batch in _rows(dataset, INTERACTIONS.names):
        buckets = np.searchsorted(bounds, batch[key.value].to_numpy(), side="right") - 1
        order = np.argsort(buckets, kind="stable") if len(bounds) > 2 else slice(None)
        present, counts = np.unique(buckets, return_counts=True)
        ends = np.cumsum(counts)
        for name in INTERACTIONS.names:
            values = batch[name].to_numpy()[order]
            for bucket, count, end in zip(present.tolist(), counts.tolist(), ends.tolist(), strict=True):
                arrays[name][cursors[bucket] : cursors[bucket] + count] = values[end - count : end]
        cursors[present] += counts
        appended += batch.num_rows
        if appended >= LET_GO_ROWS:
            let_go(arrays.values())
            appended = 0
    let_go(arrays.values())


def _sort_compiled(arrays: Arrays, key: Key, offsets: npt.NDArray[np.int64], first: int) -> None:
    """As `_sort`, by counting."""
    from segue.engines.scatter_kernels import sorted_rows  # takes a while to load

    rows = slice(int(offsets[0]), int(offsets[-1]))
    other = columns.ITEM if key is Key.USER else columns.USER
    part = {name: np.ascontiguousarray(array[rows]) for name, array in arrays.items()}
    order = np.empty(rows.stop - rows.start, np.int64)
    by = [part[name] for name in (columns.TIME, columns.ORDER, other, columns.TYPE, columns.WEIGHT)]
    sorted_rows(part[key.value] - np.int32(first), offsets - offsets[0], order, *by)
    for name, array in arrays.items():
        array[rows] = part[name][order]


def _sort(arrays: Arrays, key: Key, offsets: npt.NDArray[np.int64], first: int) -> None:
    """Sort the rows of the keys from `first` on, which are those between these offsets."""
    del first
    rows = slice(int(offsets[0]), int(offsets[-1]))
    other = columns.ITEM if key is Key.USER else columns.USER
    part = {name: np.asarray(array[rows]) for name, array in arrays.items()}
    order = np.argsort(part[key.value], kind="stable")
    sorted_by = [part[name][order] for name in (key.value, columns.TIME, columns.ORDER)]
    if not _strictly_ascending(sorted_by):
        ties = (columns.WEIGHT, columns.TYPE, other, columns.ORDER, columns.TIME, key.value)
        order = np.lexsort([part[name] for name in ties])
    for name, array in arrays.items():
        array[rows] = part[name][order]


def _strictly_ascending(sorted_by: list[npt.NDArray[Any]]) -> bool:
    """Whether each row is greater than the one before it, comparing column by column."""
    undecided = np.ones(max(len(sorted_by[0]) - 1, 0), np.bool_)
    for column in sorted_by:
        before, after = column[:-1][undecided], column[1:][undecided]
        if (before > after).any():
            return False
        undecided[undecided] = before == after
    return not undecided.any()


def _rows(dataset: Dataset, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    for part in dataset.partitions(1, wanted):
        yield from part
