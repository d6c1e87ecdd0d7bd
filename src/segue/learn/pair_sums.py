"""Sums over pairs of items, sparsely: what batches bring is added up, and of each item the best are kept.

A pair is a cell: the code of one item in the upper half of an int64, that of the other in the lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.engines.memory import available_bytes, refuse_beyond_memory
from segue.learn.growing import State, growing
from segue.learn.kernels import worthwhile
from segue.learn.rows import run_starts

Pairs = dict[str, npt.NDArray[np.int64]]
Lists = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
Run = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

HALF = 0xFFFFFFFF  # of a cell
RUN = 2**21  # pairs that are worked on at a time
TINY = 1_000_000  # pairs; below, NumPy is fast enough that nothing need wait for a compiled kernel
EACH_BYTES = 16  # of a pair in a state


def no_pairs() -> Pairs:
    """A state without anything in it."""
    return {name: np.zeros(0, np.int64) for name in ("cells", "sums", "visits")}


def gathered(parts: Iterable[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]) -> Pairs:
    """Cells, ascending, and their sums, of cells and numbers in any order; summed as soon as there are `RUN`.

    >>> gathered([(np.array([5, 3]), np.array([1, 1])), (np.array([5]), np.array([2]))])["sums"].tolist()
    [1, 3]
    """
    whole: State = {"cells": np.zeros(0, np.int64), "sums": np.zeros(0, np.int64)}
    waiting: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for part in parts:
        waiting.append(part)
        if sum(len(cells) for cells, _ in waiting) >= RUN:
            whole = growing(whole, _summed(waiting), added_up)
            waiting = []
    if waiting:
        whole = growing(whole, _summed(waiting), added_up)
    return {name: whole[name] for name in ("cells", "sums")}


def pairs_together(left: State, right: State) -> Pairs:
    """What two states hold of both together."""
    longest = max(len(left["visits"]), len(right["visits"]))
    visits = [np.pad(part["visits"], (0, longest - len(part["visits"]))) for part in (left, right)]
    return added_up(left, right) | {"visits": visits[0] + visits[1]}


def pairs_without(state: State, part: State) -> Pairs:
    """What is left of the state without a part of it."""
    rest = pairs_together(state, {**part, "sums": -part["sums"], "visits": -part["visits"]})
    visits, stays = np.trim_zeros(rest["visits"], "b"), rest["sums"] != 0
    if stays.all():  # nothing to copy: states may be large
        return rest | {"visits": visits}
    return {"cells": rest["cells"][stays], "sums": rest["sums"][stays], "visits": visits}


def added_up(left: State, right: State) -> Pairs:
    """The sums of both by cell, ascending. Beside both and the result no memory is taken."""
    large, small = (left, right) if len(left["cells"]) >= len(right["cells"]) else (right, left)
    both = len(large["cells"]) + len(small["cells"])
    if not worthwhile("pair_kernels", both, TINY):
        return _added_plainly(large, small)
    from segue.learn.pair_kernels import add_sums

    cells, sums = np.empty(both, np.int64), np.empty(both, np.int64)  # what is beyond the sums is never touched
    held = add_sums(large["cells"], large["sums"], small["cells"], small["sums"], cells, sums)
    return {"cells": cells[:held], "sums": sums[:held]}


def refuse_too_many(left: State, right: State, window: int) -> None:
    """A `DataError` before two states are joined for which there is no room, with what may fit.

    There has to be room for as many pairs again: another thread joins its own, and lists are made of them in the end.
    """
    pairs = len(left["cells"]) + len(right["cells"])
    if pairs < TINY:
        return
    needed = 2 * EACH_BYTES * pairs
    events = int(left["visits"].sum() + right["visits"].sum())
    refuse_beyond_memory(
        needed,
        f"{pairs:,} pairs of items up to {window} events apart, of {events:,} events so far,",
        f"set window = {max(1, int(window * available_bytes() / (2 * needed)))}, or learn from fewer events",
    )


def runs_of(state: State, items: int) -> Iterator[Pairs]:
    """The pairs of a state in runs of about `RUN`, all of an item together."""
    starts = starts_of(state["cells"], items)
    for first, stop in cuts(starts):
        its = slice(starts[first], starts[stop])
        yield {"cells": state["cells"][its], "sums": state["sums"][its]}


def starts_of(cells: npt.NDArray[np.int64], items: int) -> npt.NDArray[np.int64]:
    """int64[items + 1]: where the cells of each item begin."""
    return np.searchsorted(cells, np.arange(items + 1, dtype=np.int64) << 32).astype(np.int64)


def cuts(starts: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Runs of items, first and stop, that have about `RUN` pairs, or are one item.

    >>> list(cuts(np.array([0, RUN - 1, RUN, RUN + 2, RUN + 3])))
    [(0, 2), (2, 4)]
    """
    first, items = 0, len(starts) - 1
    while first < items:
        reach = int(np.searchsorted(starts, starts[first] + RUN, side="right")) - 1
        stop = min(max(reach, first + 1), items)
        yield first, stop
        first = stop


def kept(runs: Iterable[Run], position: npt.NDArray[np.int32], longest: int, k: int) -> Lists:
    """int32[items, k] and float32[items, k]: of each item the `k` largest values, ties by position; -1 and 0 behind.

    runs      cells, ascending, and their values; all of an item are in one run
    position  int32[items]  of each code
    longest   that a list may be; there are fewer columns than `k` where no list is as long

    >>> cells, values = np.array([1, 2]), np.array([0.5, 0.7], np.float32)
    >>> kept([(cells, values)], np.arange(3, dtype=np.int32), longest=2, k=1)[0].tolist()
    [[2], [-1], [-1]]
    """
    wide = max(1, min(k, longest))
    _refuse_lists_beyond_memory(len(position), wide)
    near, worth = np.full((len(position), wide), UNKNOWN, np.int32), np.zeros((len(position), wide), np.float32)
    for cells, values in runs:
        if worthwhile("pair_kernels", len(cells), TINY):
            from segue.learn.pair_kernels import keep_best

            keep_best(cells, values, position, near, worth)
        else:
            _keep_plainly(cells, values, position, near, worth)
    used = max(1, int((near != UNKNOWN).any(axis=0).sum()))
    return (near, worth) if used == wide else (near[:, :used].copy(), worth[:, :used].copy())


def _keep_plainly(
    cells: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    position: npt.NDArray[np.int32],
    near: npt.NDArray[np.int32],
    worth: npt.NDArray[np.float32],
) -> None:
    before, after = cells >> 32, position[cells & HALF]
    order = np.lexsort((after, -values, before))
    before, after, values = before[order], after[order], values[order]
    rank = np.arange(len(before)) - np.searchsorted(before, before)
    first = rank < near.shape[1]
    lines = position[before[first]]
    near[lines, rank[first]] = after[first]
    worth[lines, rank[first]] = values[first]


def _summed(parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]) -> Pairs:
    cells, sums = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(cells)
    cells, sums = cells[order], sums[order]
    starts = run_starts(cells)
    return {"cells": cells[starts], "sums": np.add.reduceat(sums, starts) if len(starts) else sums}


def _added_plainly(large: State, small: State) -> Pairs:
    """What is new in the smaller is let into the larger."""
    places = np.searchsorted(large["cells"], small["cells"])
    inside = places < len(large["cells"])
    met = np.zeros(len(places), np.bool_)
    met[inside] = large["cells"][places[inside]] == small["cells"][inside]
    sums = large["sums"].copy()
    sums[places[met]] += small["sums"][met]
    fresh = places[~met]
    return {
        "cells": np.insert(large["cells"], fresh, small["cells"][~met]),
        "sums": np.insert(sums, fresh, small["sums"][~met]),
    }


def _refuse_lists_beyond_memory(items: int, k: int) -> None:
    refuse_beyond_memory(
        8 * items * k,
        f"{k} neighbours of each of {items:,} items",
        f"set k = {max(1, int(available_bytes() / (16 * items + 1)))}",
    )
