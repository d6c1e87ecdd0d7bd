"""The laws of aggregates: any partition and any merge tree gives the same state, which survives bytes."""

from __future__ import annotations

import copy
import io
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from segue.engines.engine import Aggregate, Dataset
from segue.engines.local import LocalEngine
from segue.learn.rows import run_starts
from segue.testing.datasets import mixed

State = Mapping[str, Any]
PARTITIONS = (1, 2, 7)


def check_aggregate(aggregate: Aggregate[Any], dataset: Dataset | None = None, seed: int = 0) -> None:
    """Hold an aggregate to its laws on a dataset (a small, hard one where none is given).

    - any partition of the rows (by key where it has one) into 1, 2, 7 or as many parts as there are batches, merged in
      any tree, gives the same state as one pass;
    - merge is commutative, with `init()` as identity;
    - a state survives bytes, and merges afterwards;
    - `subtract(merge(a, b), b) == a`, where there is a `subtract`.

    >>> from segue.learn.gram import ItemCounts
    >>> check_aggregate(ItemCounts())
    """
    dataset = mixed() if dataset is None else dataset
    if aggregate.key is not None:
        dataset = LocalEngine().prepare(dataset, aggregate.key)
    whole = _folded(aggregate, dataset.partitions(1, aggregate.columns)[0]) if dataset.rows else aggregate.init()
    randomness = random.Random(seed)
    for count in PARTITIONS:
        for fine in (_as_they_come, _key_by_key):
            states = [
                _folded(aggregate, fine(aggregate, part)) for part in dataset.partitions(count, aggregate.columns)
            ]
            for _ in range(3):
                merged = _merged(aggregate, states, randomness)
                _same(merged, whole, f"{count} partitions merged in a random tree give another state than one pass")
    halves = [_folded(aggregate, part) for part in dataset.partitions(2, aggregate.columns)]
    left, right = [*halves, aggregate.init(), aggregate.init()][:2]
    _check_merge(aggregate, left, right)
    _check_subtract(aggregate, left, right)


def state_bytes(state: State) -> bytes:
    """A state as bytes, without pickle; a state is a mapping from names to arrays."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **{name: np.asarray(value) for name, value in state.items()})
    return sink.getvalue()


def state_of_bytes(data: bytes) -> dict[str, Any]:
    """What `state_bytes` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def _check_merge(aggregate: Aggregate[Any], left: State, right: State) -> None:
    def merge(first: State, second: State) -> State:
        merged: State = aggregate.merge(copy.deepcopy(first), copy.deepcopy(second))
        return merged

    _same(merge(left, right), merge(right, left), "merge is not commutative")
    _same(merge(aggregate.init(), left), left, "init() is no identity on the left of merge")
    _same(merge(left, aggregate.init()), left, "init() is no identity on the right of merge")
    again = state_of_bytes(state_bytes(left))
    _same(again, left, "a state does not survive bytes")
    _same(merge(again, right), merge(left, right), "a state that went through bytes merges differently")
    triple = merge(merge(left, right), left), merge(left, merge(right, left))
    _same(*triple, "merge is not associative")


def _check_subtract(aggregate: Aggregate[Any], left: State, right: State) -> None:
    subtract: Callable[[State, State], State] | None = getattr(aggregate, "subtract", None)
    if subtract is None:
        return
    merged = aggregate.merge(copy.deepcopy(left), copy.deepcopy(right))
    _same(subtract(merged, copy.deepcopy(right)), left, "subtract(merge(a, b), b) is not a")


def _folded(aggregate: Aggregate[Any], batches: Any) -> State:
    state = aggregate.init()
    for batch in batches:
        state = aggregate.update(state, batch)
    folded: State = state
    return folded


def _merged(aggregate: Aggregate[Any], states: list[State], randomness: random.Random) -> State:
    left = [copy.deepcopy(state) for state in states] or [aggregate.init()]
    while len(left) > 1:
        first = left.pop(randomness.randrange(len(left)))
        second = left.pop(randomness.randrange(len(left)))
        left.append(aggregate.merge(first, second))
    return left[0]


def _as_they_come(aggregate: Aggregate[Any], batches: Any) -> Any:  # noqa: ARG001
    return batches


def _key_by_key(aggregate: Aggregate[Any], batches: Any) -> Any:
    """The smallest batches that there may be: one key each, or one row each where there is no key."""
    for batch in batches:
        if aggregate.key is None:
            starts = np.arange(batch.num_rows)
        else:
            starts = run_starts(batch[aggregate.key.value].to_numpy())
        for start, stop in zip(starts, [*starts[1:], batch.num_rows], strict=True):
            yield batch.slice(start, stop - start)


def _same(found: State, expected: State, law: str) -> None:
    assert found.keys() == expected.keys(), f"{law}: it has {sorted(found)} and not {sorted(expected)}"
    for name in expected:
        ours, theirs = np.asarray(found[name]), np.asarray(expected[name])
        assert ours.shape == theirs.shape, f"{law}: '{name}' is of shape {ours.shape}, not {theirs.shape}"
        assert ours.dtype == theirs.dtype, f"{law}: '{name}' is of type {ours.dtype}, not {theirs.dtype}"
        assert ours.tobytes() == theirs.tobytes(), f"{law}: '{name}' differs in {int((ours != theirs).sum())} places"


__all__ = ["check_aggregate", "state_bytes", "state_of_bytes"]
