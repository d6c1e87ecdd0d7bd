"""Session neighbours held against loops over the sessions, as the papers write them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segue.domain.errors import MissingColumn
from segue.domain.requests import Histories, Requests
from segue.engines.local import LocalEngine, Table
from segue.learn import session_knn
from segue.learn.past_sessions import Sessions
from segue.learn.session_knn import PastNeighbours, SessionKNN
from segue.testing import check_aggregate
from segue.testing.datasets import mixed, shuffled

DAY = 86_400_000_000
walks = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=9), min_size=1, max_size=8)


def table(rows: Sequence[Sequence[int]]) -> Table:
    people = [f"person {number}" for number, row in enumerate(rows) for _ in row]
    times = [number * DAY for number, row in enumerate(rows) for _ in row]
    return Table.of(people, [str(item) for row in rows for item in row], times=times)


def last_places(row: Sequence[int]) -> list[int]:
    return [item for place, item in enumerate(row) if item not in row[place + 1 :]]


def as_written(learner: SessionKNN, rows: Sequence[Sequence[int]], history: Sequence[int]) -> npt.NDArray[np.float64]:
    """float64[6]: scores of items 0 to 5; of equally like sessions the newest are neighbours."""
    sessions = [(number, last_places(row)) for number, row in enumerate(rows)]
    sessions = [(number, session[-learner.longest :]) for number, session in sessions if len(session) > 1]
    plain = [item for item, _ in itertools.groupby(history)][-learner.window :]
    weight, age = dict.fromkeys(plain, 0.0), dict.fromkeys(plain, 0)
    for back, item in reversed(list(enumerate(reversed(plain)))):
        weight[item] += (1 + back) ** -learner.decay
        age[item] = back
    sharing = [(number, session) for number, session in reversed(sessions) if set(session) & set(plain)]
    newest = max((number for number, _ in sessions), default=0)
    alike = []
    for number, session in sharing[: learner.sample]:
        like = sum(weight[item] for item in session if item in weight)
        like *= len(session) ** -0.5 if learner.method == "stan" else 1
        like *= 0.5 ** ((newest - number) / learner.half_life_days) if learner.half_life_days else 1
        alike.append((like, session))
    scores = np.zeros(6)
    for like, session in sorted(alike, key=lambda each: -round(each[0], 9))[: learner.k]:  # in whatever order summed
        anchor = min((item for item in session if item in age), key=age.__getitem__)
        for item in session:
            held = sum(item in other for _, other in sessions)
            worth = like * (1 + learner.idf * np.log(len(sessions) / held))
            if learner.method == "stan":
                worth *= np.exp(-abs(session.index(item) - session.index(anchor)) / learner.reach)
            else:
                worth *= (1 + age[anchor]) ** -learner.decay
            scores[item] += worth
    return scores


LEARNERS = [
    SessionKNN(method="vsknn", k=3, sample=5, window=4, idf=0.5),
    SessionKNN(method="vsknn", half_life_days=2, decay=0.5),
    SessionKNN(method="stan", k=2, window=3, reach=2, longest=4),
    SessionKNN(method="stan", k=100, sample=3, half_life_days=1, idf=1),
]


@pytest.mark.parametrize("learner", LEARNERS)
@example(rows=[[2, 3, 0], [0, 1, 2, 3], [0, 2, 3], [0, 2, 3]], history=[2, 0, 2, 3])  # all equally like
@given(rows=walks, history=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_scores_are_those_of_the_papers(learner: SessionKNN, rows: list[list[int]], history: list[int]) -> None:
    dataset = table([*rows, *([item] for item in range(6))])  # every item is met
    model: Any = learner.fit(LocalEngine(), dataset)
    found = model.scores(Requests(Histories.of([history])))[0]
    assert np.allclose(found, as_written(learner, rows, history), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("learner", LEARNERS)
def test_kernels_answer_to_the_bit_as_numpy(learner: SessionKNN, monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = replaced(learner, gap_minutes=60 * 24 * 4.0).fit(LocalEngine(), mixed())
    random = np.random.default_rng(3)
    asked = Requests(Histories.of([random.integers(0, 25, size) for size in range(9)]))
    answers = []
    for way in (False, True):
        monkeypatch.setattr(session_knn, "worthwhile", lambda *_, way=way: way)
        answers.append(model.scores(asked))
    assert np.array_equal(answers[0], answers[1])


def replaced(learner: SessionKNN, **fields: Any) -> SessionKNN:
    import msgspec

    return msgspec.structs.replace(learner, **fields)


def test_parts_tell_who_shared_what() -> None:
    model: Any = SessionKNN(method="vsknn").fit(LocalEngine(), table([[0, 2], [1, 3]]))
    ids = model.items.positions(["0", "1", "2", "3"])
    history, parts = model.parts(Requests(Histories.of([ids[:2]])), ids[2:])
    assert history.tolist() == ids[:2].tolist()
    assert parts.tolist() == [[0.25, 0.0], [0.0, 1.0]]  # 1/2 likeness, once more as the shared is the last but one


@pytest.mark.parametrize("gap", [None, 60 * 24 * 3.0])
def test_sessions_add_up_and_can_be_taken_away(gap: float | None) -> None:
    check_aggregate(Sessions(gap, 5))


def test_no_trace_of_whose_they_were() -> None:
    """The same sessions under other people, in another order of people: the same model to the byte."""
    rows = [[0, 1, 2], [3, 4], [2, 1], [0, 5, 3]]
    people = ["d", "a", "c", "b"]
    one = SessionKNN().fit(LocalEngine(), table(rows))
    order = np.argsort(people)
    named = [people[number] for number in order for _ in rows[number]]
    times = [int(number) * DAY for number in order for _ in rows[number]]
    other_rows = Table.of(named, [str(item) for number in order for item in rows[number]], times=times)
    other = SessionKNN().fit(LocalEngine(), shuffled(other_rows))
    assert isinstance(one, PastNeighbours)
    assert isinstance(other, PastNeighbours)
    for name in ("offsets", "codes", "times", "starts", "holders"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_the_newest_sessions_are_kept() -> None:
    model: Any = SessionKNN(max_sessions=2).fit(LocalEngine(), table([[0, 1], [1, 2], [2, 3]]))
    assert model.times.tolist() == [DAY, 2 * DAY]
    assert replace(model, k=1).scores(Requests(Histories.of([[0]]))).any() == 0


def test_a_half_life_needs_times() -> None:
    with pytest.raises(MissingColumn, match="half_life_days needs the time of every event"):
        SessionKNN(half_life_days=3).fit(LocalEngine(), Table.of(["ann", "ann"], ["x", "y"]))
