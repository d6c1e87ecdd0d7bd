"""Equal scores: values are the mean over every order that the ties may take, tried one by one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.split.split import Held
from segue.domain.items import Items
from segue.domain.requests import Histories
from segue.measure import tied
from segue.measure.metrics import accuracy
from segue.measure.ranking import rank
from segue.measure.tied import ties

from .fixed import Fixed
from .test_metrics import by_definition

NAMES = "abcdef"
ITEMS = Items(NAMES)


def held(histories: list[list[int]], truth: list[list[int]]) -> Held:
    return Held(np.arange(len(truth), dtype=np.int32), Histories.of(histories), Histories.of(truth), None)


def tried(scores: list[float], own: list[int], truth: list[int], k: int, cut: int) -> dict[str, float]:
    """The mean over all orders of the items, each list ended where the model knows nothing."""
    open_to = [item for item, score in enumerate(scores) if item not in own and score != 0]
    worse = [item for item in open_to if scores[item] < 0] if 0 in scores else []
    told = [item for item in open_to if item not in worse or not _some_zero_left(scores, own)]
    values = []
    for order in permutations(told):
        listed = sorted(order, key=lambda item: -scores[item])[:k]
        values.append(by_definition(listed, truth, cut))
    return {name: float(np.mean([value[name] for value in values])) for name in values[0]}


def _some_zero_left(scores: list[float], own: list[int]) -> bool:
    return any(score == 0 and item not in own for item, score in enumerate(scores))


@settings(max_examples=60)
@given(
    st.lists(st.integers(-1, 2), min_size=6, max_size=6),
    st.lists(
        st.tuples(st.lists(st.integers(0, 5), max_size=3), st.sets(st.integers(0, 5), min_size=1, max_size=4)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 6),
    st.sampled_from([True, False]),
)
def test_values_are_the_mean_over_every_order(scores, people, k, personal):
    model = Fixed.of(**{name: float(score) for name, score in zip(NAMES, scores, strict=True)})
    model.personal = personal
    test = held([own for own, _ in people], [sorted(truth - set(own)) for own, truth in people])
    ranking = rank(model, test, ITEMS, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tied, "CELLS", 12)
        known = ties(model, test, ITEMS, ranking)
    cuts = sorted({1, k, min(k, 3)})
    found = accuracy(ranking.lists, test.truth, cuts, known)
    for row, (own, truth) in enumerate(people):
        wanted = sorted(truth - set(own))
        for cut in cuts:
            if wanted:
                for name, value in tried(scores, own, wanted, k, cut).items():
                    assert found[f"{name}@{cut}"][row] == pytest.approx(value, abs=1e-12), (name, cut)


def test_names_decide_nothing():
    """Four items of one score, one of them right: whichever it is called."""
    model, values = Fixed.of(a=1, b=1, c=1, d=1), []
    for right in range(4):
        test = held([[]], [[right]])
        ranking = rank(model, test, ITEMS, 2)
        values.append(accuracy(ranking.lists, test.truth, (2,), ties(model, test, ITEMS, ranking))["recall@2"][0])
    assert values == [0.5] * 4


def test_items_of_other_vocabularies_are_tied_with_nothing():
    """ "z" is not of the dataset; "b" is not of the model: of a, c and z two count, and "b" is missed."""
    model = Fixed.of(z=1, a=1, c=1)
    test = held([[]], [[0, 1]])
    ranking = rank(model, test, ITEMS, 1)
    found = accuracy(ranking.lists, test.truth, (1,), ties(model, test, ITEMS, ranking))
    assert found["recall@1"][0] == pytest.approx(0.25)


def test_what_counts_can_be_narrowed():
    model, test = Fixed.of(a=2, b=1, c=1, d=1), held([[]], [[1, 3]])
    ranking = rank(model, test, ITEMS, 2)
    known = ties(model, test, ITEMS, ranking)
    assert (known.behind.tolist(), known.missed.items.tolist()) == ([2], [3])
    wanted = np.array([True, True, True, False, True, True])
    assert known.only(wanted).missed.items.tolist() == []
    found = accuracy(ranking.lists, Histories.of([[1]]), (2,), known.only(wanted))
    assert found["recall@2"][0] == pytest.approx(1 / 3)
    assert len(known.rows(0, 1).missed) == 1
