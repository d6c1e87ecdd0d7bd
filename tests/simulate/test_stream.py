"""Common random numbers: fixed by their keys, uniform, and independent of each other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from segue.simulate.stream import stream, uniform


@given(st.integers(0, 2**40), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_number_does_not_depend_on_what_is_asked_beside_it(seed, person, visit, item):
    alone = uniform(seed, "open", person, visit, [item])
    among = uniform(seed, "open", person, visit, np.array([item + 1, item, 3]))
    assert alone[0] == among[1]
    assert 0 <= alone[0] < 1


def test_they_are_uniform_and_do_not_repeat():
    numbers = uniform(1, "open", np.repeat(np.arange(300), 300), 4, np.tile(np.arange(300), 300))
    assert stats.kstest(numbers, "uniform").pvalue > 0.001
    assert len(np.unique(numbers)) == len(numbers)
    grid = numbers.reshape(300, 300)
    assert abs(np.corrcoef(grid[:-1].ravel(), grid[1:].ravel())[0, 1]) < 0.015
    assert abs(np.corrcoef(grid[:, :-1].ravel(), grid[:, 1:].ravel())[0, 1]) < 0.015


def test_parts_and_seeds_and_the_order_of_keys_matter():
    numbers = [uniform(1, "open", 1, 2), uniform(1, "buy", 1, 2), uniform(2, "open", 1, 2), uniform(1, "open", 2, 1)]
    assert len({float(number) for number in numbers}) == 4


def test_streams_are_independent_by_name():
    assert stream(1, "a").random() == stream(1, "a").random()
    assert stream(1, "a").random() != stream(1, "b").random()
