"""Growing states: what is joined, how often, and that folds in many batches are those in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table
from segue.learn import covisitation, markov, past_sessions, popularity
from segue.learn.covisitation import CoVisitation
from segue.learn.growing import State, growing
from segue.learn.learner import Counted, learner
from segue.learn.markov import Markov
from segue.testing.aggregate import check_aggregate, state_bytes
from segue.testing.datasets import table

LEARNERS = {"markov": markov, "covisitation": covisitation, "session_knn": past_sessions, "popularity": popularity}
ROWS = 20  # of a batch


class Joins:
    """Sorted union that counts how many numbers went through it."""

    def __init__(self) -> None:
        self.numbers = 0

    def __call__(self, left: State, right: State) -> dict[str, Any]:
        self.numbers += left["codes"].size + right["codes"].size
        return {"codes": np.union1d(left["codes"], right["codes"])}


def grown(batches: list[list[int]]) -> tuple[State, int]:
    joins = Joins()
    state: State = {"codes": np.zeros(0, np.int64)}
    for batch in batches:
        state = growing(state, {"codes": np.array(batch, np.int64)}, joins)
    return {"codes": state["codes"]}, joins.numbers


@given(st.lists(st.lists(st.integers(0, 50), max_size=9)))
def test_what_grows_is_what_is_joined_at_once(batches: list[list[int]]) -> None:
    state, _ = grown(batches)
    assert state["codes"].tolist() == sorted({code for batch in batches for code in batch})


@pytest.mark.parametrize("batches", [64, 512])
def test_a_number_is_joined_a_logarithm_of_times(batches: int) -> None:
    """At once with all before it would be batches / 2 times."""
    codes = np.random.default_rng(0).permutation(batches * ROWS).reshape(batches, ROWS)
    _, numbers = grown(codes.tolist())
    assert numbers <= 2 * codes.size * np.log2(batches)


def test_few_codes_in_many_batches_cost_what_the_batches_bring() -> None:
    codes = np.random.default_rng(0).integers(0, 2_000, (1_000, ROWS))
    _, numbers = grown(codes.tolist())
    assert numbers <= 8 * codes.size


def test_who_reads_while_another_joins_misses_nothing() -> None:
    read: list[int] = []

    def join(left: State, right: State) -> State:
        if not read:
            read.append(0)
            read.append(len(state["codes"]))  # as another thread would, in the middle of it
        return {"codes": np.union1d(left["codes"], right["codes"])}

    state = growing({"codes": np.arange(9)}, {"codes": np.array([10, 11])}, join)
    assert len(state["codes"]) == 11
    assert read == [0, 11]


@pytest.mark.parametrize("name", LEARNERS)
def test_a_fit_in_many_batches_joins_in_proportion_to_what_they_bring(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the log in twice the batches is joined little more than twice as much, and the bytes are those of one."""
    costs, module = [], LEARNERS[name]
    for people in (400, 800):
        joined: list[int] = []

        def counting(state: State, part: State, join: Any, joined: list[int] = joined) -> State:
            def counted(left: State, right: State) -> State:
                joined.append(sum(array.size for each in (left, right) for array in each.values()))
                return join(left, right)  # type: ignore[no-any-return]

            return growing(state, part, counted)

        monkeypatch.setattr(module, "growing", counting)
        counter = learner(name, {})
        assert isinstance(counter, Counted)
        dataset = LocalEngine().prepare(log(people), Key.USER)
        whole = next(dataset.partitions(1)[0])
        state = counter.aggregate.init()
        for start in np.searchsorted(whole["user"].to_numpy(), np.arange(0, people, 4)).tolist():
            stop = int(np.searchsorted(whole["user"].to_numpy(), whole["user"][start].as_py() + 4))
            state = counter.aggregate.update(state, whole.slice(start, stop - start))
        assert state_bytes(state) == state_bytes(counter.aggregate.update(counter.aggregate.init(), whole))
        costs.append(sum(joined))
    assert costs[1] < 2.6 * costs[0]


def log(people: int) -> Table:
    """Five events each, over a hundred items: counts by item are small beside what is counted."""
    random = np.random.default_rng(1)
    who = np.repeat(np.arange(people), 5)
    times = 1_750_000_000_000_000 + random.integers(0, 30, len(who)) * 86_400_000_000
    return table(who, random.integers(0, 100, len(who)), people, list(map(str, range(100))), times=times)


@pytest.mark.parametrize("counter", [Markov(), CoVisitation()], ids=lambda counter: counter.name)
def test_states_that_grow_keep_the_laws(counter: Counted) -> None:
    check_aggregate(counter.aggregate, log(30))
