"""What is looked at together, held against plain loops over people's events."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from segue.domain.errors import MissingColumn
from segue.domain.requests import Histories, Requests
from segue.engines.engine import Key
from segue.engines.local import LocalEngine, Table, histories
from segue.learn.covisitation import FIXED_POINT, CoVisitation, Nearness, PairCounts, VisitedTogether
from segue.testing import check_aggregate, check_learner
from segue.testing.datasets import hard, mixed, table

MINUTE_US = 60_000_000
DAYS = 60.0 * 24 * 3
NEAR: dict[str, Nearness] = {
    "both ways": Nearness(3, None, "both", 0.5, None, "none"),
    "after": Nearness(2, None, "after", 1.0, None, "linear"),
    "within sessions, by time": Nearness(50, DAYS, "both", 0.0, DAYS, "log"),
}


def counted(near: Nearness, dataset: Table) -> dict[tuple[int, int], float]:
    """By loops: what each pair of item codes counts for."""
    past = histories(LocalEngine().prepare(dataset, Key.USER))
    sums: dict[tuple[int, int], float] = defaultdict(float)
    for person in range(len(past)):
        its = past.row(person)
        events: list[list[Any]] = []  # session, item, time, weight; direct repeats together
        rows = zip(past.items[its], past.times[its], past.weights[its], strict=True)
        session, last = 0, None
        for item, time, weight in ((int(i), int(t), float(w)) for i, t, w in rows if w > 0):
            if last is not None and near.gap_minutes and time - last > near.gap_minutes * MINUTE_US:
                session += 1
            last = time
            if events and events[-1][:2] == [session, item]:
                events[-1][3] += weight
            else:
                events.append([session, item, time, weight])
        for second, (session, item, time, weight) in enumerate(events):
            for first in range(max(0, second - near.window), second):
                before, other, then, its_weight = events[first]
                if before != session or other == item:
                    continue
                pair = (second - first) ** -near.decay
                pair *= 2 ** (-(time - then) / (near.half_life_minutes * MINUTE_US)) if near.half_life_minutes else 1
                sums[other, item] += pair * worth(weight, near)
                if near.direction == "both":
                    sums[item, other] += pair * worth(its_weight, near)
    return sums


def worth(weight: float, near: Nearness) -> float:
    return {"none": 1.0, "log": float(np.log2(1 + weight)), "linear": weight}[near.weighting]


@pytest.mark.parametrize("name", NEAR)
def test_pairs_are_those_of_plain_loops(name: str) -> None:
    state = LocalEngine().fold(PairCounts(NEAR[name]), mixed())
    cells, sums = state["cells"], state["sums"] / FIXED_POINT
    found = dict(zip(zip((cells >> 32).tolist(), (cells & 0xFFFFFFFF).tolist(), strict=True), sums, strict=True))
    expected = counted(NEAR[name], mixed())
    assert found.keys() == expected.keys()
    assert all(abs(found[pair] - expected[pair]) < 1e-2 for pair in expected)


@pytest.mark.parametrize("name", NEAR)
def test_aggregate(name: str) -> None:
    check_aggregate(PairCounts(NEAR[name]))


@pytest.mark.parametrize(
    "normalisation", ["count", *(pytest.param(name, marks=pytest.mark.slow) for name in ("share", "cosine", "lift"))]
)
def test_learners(normalisation: Any) -> None:
    check_learner(CoVisitation(normalisation=normalisation))
    check_learner(CoVisitation(normalisation=normalisation, direction="after", gap_minutes=DAYS, weighting="linear"))


@pytest.mark.slow
@pytest.mark.parametrize("case", hard())
def test_learners_on_hard_data(case: str) -> None:
    check_learner(CoVisitation(weighting="linear"), hard()[case])


def test_what_counts_is_said_of_visits() -> None:
    """x y x z by one person, y by another: visits x 2, y 2, z 1."""
    rows = Table.of(["ann"] * 4 + ["bob"], ["x", "y", "x", "z", "y"])
    near = {"window": 1, "direction": "after", "shrinkage": 1.0}
    expected = {"count": 1, "share": 1 / (2 + 1), "cosine": 1 / (2 + 1), "lift": 1 / (2 * 2 / 5 + 1)}
    for normalisation, value in expected.items():
        model = CoVisitation(normalisation=normalisation, **near).fit(LocalEngine(), rows)  # type: ignore[arg-type]
        scores = model.scores(Requests(Histories.of([[0]])))[0]
        assert scores[1] == pytest.approx(value)


def test_only_the_session_that_goes_on_speaks() -> None:
    near, likeness = np.array([[1], [0], [0]], np.int32), np.ones((3, 1), np.float32)
    items = mixed().items.canonical()[0].take([0, 1, 2])
    plain = Histories.of([[0, 2]])
    times = np.array([0, 31], np.int64) * MINUTE_US
    requests = Requests(Histories(plain.offsets, plain.items, plain.weights, times, plain.types))
    from segue.domain.items import Items

    of = [VisitedTogether(Items(items), near, likeness, "linear", 0.0, 9, gap) for gap in (30.0, None)]
    assert [model.scores(requests)[0].tolist() for model in of] == [[1, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("setting", ["gap_minutes", "half_life_minutes"])
def test_what_needs_times_is_refused_by_name(setting: str) -> None:
    timeless = table(np.zeros(3), np.arange(3), 1, ["a", "b", "c"])
    with pytest.raises(MissingColumn, match=f"{setting} needs the time of every event"):
        CoVisitation(**{setting: 30.0}).fit(LocalEngine(), timeless)  # type: ignore[arg-type]
