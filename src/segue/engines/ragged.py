"""Histories as Arrow lists and back, without a copy: one large list of each column, all on the same offsets."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.errors import DataError
from segue.domain.requests import Histories

COLUMNS: Final = {"items": pa.int32(), "weights": pa.float32(), "times": pa.int64(), "types": pa.int8()}


def to_arrow(histories: Histories) -> pa.RecordBatch:
    """One row a history, each column a `large_list`; the very memory of the arrays, which must not be written to.

    >>> to_arrow(Histories.of([[3, 1], []])).column("items").to_pylist()
    [[3, 1], []]
    """
    offsets = pa.array(np.ascontiguousarray(histories.offsets))
    lists = [
        pa.LargeListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(getattr(histories, name)), kind))
        for name, kind in COLUMNS.items()
    ]
    return pa.RecordBatch.from_arrays(lists, names=list(COLUMNS))


def from_arrow(batch: pa.RecordBatch) -> Histories:
    """Histories on the memory of a batch, as `to_arrow` makes it, or with plain lists; slices are fine.

    Only offsets are copied, and only where the lists are plain or a slice. A `DataError` where a column is missing, has
    other types or holds nulls, or where the lists of a row are not of one length.
    """
    offsets: npt.NDArray[np.int64] | None = None
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, kind in COLUMNS.items():
        lists = _lists(batch, name, kind)
        its = lists.offsets.to_numpy()
        values = lists.values.slice(int(its[0]), int(its[-1] - its[0]))
        its = its.astype(np.int64, copy=False)
        its = its - its[0] if its[0] else its
        if offsets is not None and not np.array_equal(offsets, its):
            raise DataError(f"the lists of '{name}' have other lengths than those of 'items'", where=name)
        if values.null_count:
            raise DataError(f"'{name}' holds nulls in its lists", where=name, mend="leave those events out")
        offsets = its if offsets is None else offsets
        arrays[name] = values.to_numpy(zero_copy_only=True)
    assert offsets is not None
    return Histories(offsets, **arrays)


def _lists(batch: pa.RecordBatch, name: str, kind: pa.DataType) -> Any:
    found = batch.schema.field(name).type if name in batch.schema.names else None
    if found not in (pa.large_list(kind), pa.list_(kind)) or batch.column(name).null_count:
        raise DataError(
            f"expected lists of {kind} without nulls in '{name}', found {found or 'no such column'}",
            where=name,
            mend=f"give the columns {', '.join(COLUMNS)}",
        )
    return batch.column(name)


__all__ = ["COLUMNS", "from_arrow", "to_arrow"]
