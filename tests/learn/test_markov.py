"""Transitions held against plain loops over sequences."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn.markov import FIXED_POINT, Markov, Transitions
from segue.testing import check_aggregate
from segue.testing.datasets import mixed

walks = st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=8), min_size=1, max_size=5)


def table(rows: list[list[str]]) -> Table:
    people = [f"person {number}" for number, row in enumerate(rows) for _ in row]
    return Table.of(people, [item for row in rows for item in row])


def counted(rows: list[list[str]], ids: tuple[str, ...], window: int, decay: float) -> npt.NDArray[np.float64]:
    sums = np.zeros((len(ids), len(ids)))
    for row in rows:
        plain = [ids.index(item) for item, _ in itertools.groupby(row)]
        for one, other in itertools.combinations(range(len(plain)), 2):
            if other - one <= window:
                sums[plain[one], plain[other]] += (other - one) ** -decay
    return sums


@given(walks, st.integers(1, 4), st.sampled_from([0.0, 1.0]))
def test_transitions(rows: list[list[str]], window: int, decay: float) -> None:
    dataset = table(rows)
    state = LocalEngine().fold(Transitions(window, decay, None), dataset)
    found = np.zeros((len(dataset.items), len(dataset.items)))
    found[state["cells"] >> 32, state["cells"] & 0xFFFFFFFF] = state["sums"] / FIXED_POINT
    assert np.allclose(found, counted(rows, dataset.items.ids, window, decay), atol=1e-4)


def test_scores_are_faded_shares_both_ways() -> None:
    rows = [list("abcab"), list("bca"), list("cdab")]
    model: Any = Markov(window=3, decay=1, backoff=0.25, shrinkage=2, k=10).fit(LocalEngine(), table(rows))
    ids = model.items.ids
    sums = counted(rows, ids, 3, 1)
    both = sums + 0.25 * sums.T
    np.fill_diagonal(both, 0)
    visits = np.array([sum(row.count(item) for row in rows) for item in ids])
    shares = both / (visits + 2)[:, None]
    history = [ids.index(item) for item in "dca"]
    expected = shares[history[2]] + shares[history[1]] / 2 + shares[history[0]] / 3
    assert np.allclose(model.scores(Requests(Histories.of([history])))[0], expected, atol=1e-4)


def test_only_the_likeliest_followers_are_kept() -> None:
    model: Any = Markov(k=1, backoff=0).fit(LocalEngine(), table([list("ab"), list("ab"), list("ac")]))
    assert model.neighbours.tolist() == [[1], [-1], [-1]]


@pytest.mark.parametrize("aggregate", [Transitions(1, 1.0, None), Transitions(5, 0.7, 60 * 24 * 3)])
def test_transitions_add_up_and_can_be_taken_away(aggregate: Transitions) -> None:
    check_aggregate(aggregate)


def test_nothing_is_learned_over_a_pause() -> None:
    dataset = Table.of(["ann"] * 3, ["x", "y", "z"], times=[0, 60_000_000, 7_200_000_000])
    state = LocalEngine().fold(Transitions(5, 0.5, 30), dataset)
    assert state["cells"].tolist() == [1]
    assert len(LocalEngine().fold(Transitions(5, 0.5, 180), mixed())["cells"]) > 0
