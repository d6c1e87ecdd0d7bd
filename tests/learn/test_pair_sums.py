"""Sums over pairs of items: kernel and NumPy alike, memory in proportion to the pairs, refused before there is none."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.engines.local import LocalEngine
from segue.learn import pair_sums
from segue.learn.covisitation import CoVisitation
from segue.learn.growing import State
from segue.learn.learner import Counted
from segue.learn.markov import Markov
from segue.learn.pair_sums import added_up, gathered, kept
from segue.testing.datasets import table

Codes = npt.NDArray[np.int64]

sums_by_cell = st.dictionaries(st.integers(0, 40), st.integers(1, 9), max_size=30)
ITEMS = 5_000


def state_of(sums: dict[int, int]) -> dict[str, Codes]:
    cells = sorted(sums)
    return {"cells": np.array(cells, np.int64), "sums": np.array([sums[cell] for cell in cells], np.int64)}


@given(sums_by_cell, sums_by_cell, st.booleans())
def test_states_add_up_cell_by_cell(left: dict[int, int], right: dict[int, int], compiled: bool) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pair_sums, "worthwhile", lambda *_: compiled)
        both = added_up(state_of(left), state_of(right))
    expected = {cell: left.get(cell, 0) + right.get(cell, 0) for cell in left.keys() | right.keys()}
    assert dict(zip(both["cells"].tolist(), both["sums"].tolist(), strict=True)) == expected
    assert (np.diff(both["cells"]) > 0).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.5, 1, 2])), max_size=40))
def test_the_best_are_kept_however_they_are_found(told: list[tuple[int, int, float]]) -> None:
    pairs = {(one << 32) | other: value for one, other, value in told}
    cells = np.array(sorted(pairs), np.int64)
    values = np.array([pairs[cell] for cell in cells.tolist()], np.float32)
    position = np.array([3, 0, 5, 1, 4, 2], np.int32)
    found = []
    for compiled in (False, True):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(pair_sums, "worthwhile", lambda *_, way=compiled: way)
            found.append(kept([(cells, values)], position, longest=6, k=3))
    (near, worth), (its, their) = found
    assert near.tolist() == its.tolist()
    assert worth.tobytes() == their.tobytes()
    for item, line in enumerate(position.tolist()):
        mine = sorted((-value, position[cell & 0xFFFFFFFF]) for cell, value in pairs.items() if cell >> 32 == item)
        assert near[line][near[line] >= 0].tolist() == [place for _, place in mine[:3]]


def random_state(pairs: int) -> dict[str, Codes]:
    random = np.random.default_rng(0)
    cells = np.unique((random.integers(0, ITEMS, pairs) << 32) | random.integers(0, ITEMS, pairs))
    return {"cells": cells, "sums": np.full(len(cells), 1 << 16), "visits": np.full(ITEMS, 5)}


def peak_bytes(work: Any) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("learner", "each"), [(Markov(k=10), 24), (CoVisitation(k=10), 4)])
def test_lists_are_made_in_little_memory(monkeypatch: pytest.MonkeyPatch, learner: Counted, each: int) -> None:
    """Bytes a pair beyond the state: Markov turns the transitions once, co-visitation makes nothing of all pairs."""
    monkeypatch.setattr(pair_sums, "RUN", 5_000)
    state, items = random_state(400_000), Items([f"{item:05}" for item in range(ITEMS)])
    learner.finish(random_state(1_000), items)  # what is imported and made once
    lists = 8 * 10 * ITEMS
    beside = 400 * ITEMS + 400 * 5_000  # the vocabulary turned, and the runs
    assert peak_bytes(lambda: learner.finish(state, items)) < len(state["cells"]) * each + lists + beside


def test_pairs_are_summed_before_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand lags over the same items: what waits to be summed is a run, not all of them."""
    monkeypatch.setattr(pair_sums, "RUN", 20_000)
    part = np.arange(1_000, dtype=np.int64), np.ones(1_000, np.int64)
    found: dict[str, State] = {}
    peak = peak_bytes(lambda: found.update(all=gathered(part for _ in range(1_000))))
    assert found["all"]["sums"].tolist() == [1_000] * 1_000
    assert peak < 20_000 * 16 * 5


@pytest.mark.parametrize("learner", [Markov(window=8), CoVisitation(window=8)])
def test_more_pairs_than_memory_holds_are_refused(monkeypatch: pytest.MonkeyPatch, learner: Counted) -> None:
    random = np.random.default_rng(1)
    dataset = table(np.repeat(np.arange(20), 100), random.integers(0, 500, 2_000), 20, [f"{i:03}" for i in range(500)])
    monkeypatch.setattr(pair_sums, "TINY", 0)
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "250000")
    with pytest.raises(DataError, match=r"pairs of items up to 8 events apart.*\n.*set window = [123], or learn from"):
        learner.fit(LocalEngine(threads=2), dataset)


def test_lists_beyond_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_MEMORY_LIMIT", "100000")
    with pytest.raises(DataError, match=r"100 neighbours of each of 1,000 items.*\n.*set k = 6"):
        kept([], np.arange(1_000, dtype=np.int32), longest=500, k=100)
