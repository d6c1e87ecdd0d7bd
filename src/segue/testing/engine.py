"""The laws of engines: the same answer whatever the partition, keys kept whole and in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import DataError
from segue.engines.engine import INTERACTIONS, Aggregate, Dataset, Engine, Key
from segue.learn.gram import ItemCounts
from segue.learn.popularity import DailyWeights
from segue.testing.aggregate import PARTITIONS, state_bytes
from segue.testing.datasets import empty, mixed, shuffled, table


def check_engine(make: Callable[[int], Engine], dataset: Dataset | None = None) -> None:
    """Hold an engine to its laws; `make(partitions)` makes one that works in so many parts.

    - `prepare` brings all rows of a key together, sorted by (key, time, order), loses none, splits no key, and gives
      the same whatever the order in which the rows came; preparing what is prepared changes nothing;
    - `fold` and `map` give the same whatever the partition;
    - weights that are negative, NaN or infinite are a `DataError`;
    - an empty dataset is no error.

    >>> from segue.engines.local import LocalEngine
    >>> check_engine(lambda partitions: LocalEngine(partitions=partitions))
    """
    given = mixed() if dataset is None else dataset
    for key in Key:
        _check_prepare(make(3), given, key)
        first, second = (make(2).prepare(rows, key) for rows in (mixed(), shuffled(mixed())))
        assert _bytes(first) == _bytes(second), f"prepare by {key} depends on the order in which rows come"
    for aggregate in (ItemCounts(), DailyWeights("log")):
        _check_fold(make, aggregate, given)
    _check_map(make, given)
    _check_refusals(make(2))
    for key in Key:
        assert make(2).prepare(empty(), key).rows == 0, "an empty dataset is not empty when prepared"
    assert make(2).map(_tripled, make(2).prepare(empty(), Key.USER)).rows == 0, "a map of nothing has rows"


def _check_prepare(engine: Engine, dataset: Dataset, key: Key) -> None:
    prepared = engine.prepare(dataset, key)
    assert prepared.key is key, f"prepare by {key} gives a dataset with key {prepared.key}"
    assert prepared.rows == dataset.rows, f"prepare by {key} has {prepared.rows} rows of {dataset.rows}"
    found, given = _arrays(prepared), _arrays(dataset)
    for name in INTERACTIONS.names:
        same = np.array_equal(np.sort(found[name]), np.sort(given[name]))
        assert same, f"prepare by {key} changes what is in '{name}'"
    order = np.lexsort((found[columns.ORDER], found[columns.TIME], found[key.value]))
    for name in (key.value, columns.TIME, columns.ORDER):
        in_order = np.array_equal(found[name][order], found[name])
        assert in_order, f"prepare by {key} is not in the order of (key, time, order)"
    again = engine.prepare(prepared, key)
    assert again.fingerprint == prepared.fingerprint, "preparing what is prepared changes it"
    for count in PARTITIONS:
        _check_whole_keys(prepared, key, count)


def _check_whole_keys(prepared: Dataset, key: Key, count: int) -> None:
    parts = prepared.partitions(count)
    assert len(parts) <= count, f"{len(parts)} partitions where at most {count} were asked for"
    seen: set[int] = set()
    for part in parts:
        for batch in part:
            codes = set(batch[key.value].to_pylist())
            assert not codes & seen, f"{key} {sorted(codes & seen)[0]} is split between batches"
            seen |= codes


def _check_fold(make: Callable[[int], Engine], aggregate: Aggregate[Any], dataset: Dataset) -> None:
    expected = state_bytes(make(1).fold(aggregate, dataset))
    for count in PARTITIONS:
        found = state_bytes(make(count).fold(aggregate, dataset))
        assert found == expected, f"the fold of {type(aggregate).__name__} in {count} parts is another than in one"


def _check_map(make: Callable[[int], Engine], dataset: Dataset) -> None:
    for count in PARTITIONS:
        engine = make(count)
        by_user = engine.prepare(dataset, Key.USER)
        mapped = engine.map(_tripled, by_user)
        assert mapped.key is Key.USER, "a map of a keyed dataset loses the key"
        batches = [batch for part in mapped.partitions(1) for batch in part]
        found = pa.Table.from_batches(batches)["tripled"].to_numpy()
        expected = _arrays(by_user)[columns.ORDER] * 3
        assert np.array_equal(found, expected), f"a map in {count} parts loses rows or their order"


def _check_refusals(engine: Engine) -> None:
    for bad in (np.nan, np.inf, -1.0):
        refusal = _refusal(engine, _unchecked(bad))
        assert refusal is not None, f"a weight of {bad} is taken"
        assert "row 1" in refusal, f"the refusal of a weight of {bad} does not name its row: {refusal}"


def _refusal(engine: Engine, dataset: Dataset) -> str | None:
    try:
        engine.prepare(dataset, Key.USER)
    except DataError as error:
        return str(error)
    return None


def _tripled(batch: pa.RecordBatch) -> pa.RecordBatch:
    order = batch[columns.ORDER].to_numpy() * 3
    return pa.record_batch({columns.USER: batch[columns.USER], "tripled": pa.array(order, pa.int64())})


def _unchecked(weight: float) -> Dataset:
    """A dataset whose second weight is bad, as one from elsewhere might be."""
    dataset = table(np.zeros(2, int), np.arange(2), 1, ["a", "b"])
    weights = pa.array(np.array([1, weight], np.float32))
    place = dataset.table.schema.get_field_index(columns.WEIGHT)
    dataset.table = dataset.table.set_column(place, INTERACTIONS.field(columns.WEIGHT), weights)
    return dataset


def _arrays(dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
    batches = [batch for part in dataset.partitions(1) for batch in part]
    whole = pa.Table.from_batches(batches, schema=dataset.schema)
    return {name: whole[name].to_numpy() for name in INTERACTIONS.names}


def _bytes(dataset: Dataset) -> bytes:
    return b"".join(array.tobytes() for array in _arrays(dataset).values())
