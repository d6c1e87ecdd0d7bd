"""Slices of people and items: who is in which, and what models reach there."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from segue.data.split.split import Held
from segue.domain.catalog import Item
from segue.domain.errors import DataError, UnknownName
from segue.domain.items import Items
from segue.domain.requests import NO_TIME, Histories
from segue.engines.content import content_of
from segue.measure.familiarity import Familiarity
from segue.measure.heldout import findable
from segue.measure.leaderboard import RECORD, leaderboard
from segue.measure.measured import Background
from segue.measure.offline import Evaluation, evaluate
from segue.measure.settings import EvaluationSettings
from segue.measure.slices import DAY_US, _of_column, parts

from .fixed import Fixed

ITEMS = Items(["a", "b", "c", "d"])
NOW = 1_000 * DAY_US
CONTENT = content_of(
    [
        Item("a", categories=("x",), attributes={"colour": "red"}),
        Item("b", categories=("x", "y"), attributes={"colour": ["red", "blue"]}),
        Item("c", attributes={"size": 3}),
        None,
    ]
)
KNOWN = Familiarity(np.array([8, 1, 1, 0]), 8, np.array([NOW - 400 * DAY_US, NOW - 8 * DAY_US, NOW, NO_TIME]))
HISTORIES, TRUTH = [[0], [0, 0], [0, 1], [0, 1, 2]], [[1, 3], [1], [2], [3]]
SHORT = EvaluationSettings(k=(1, 2), bootstrap=200)


def held(now: int | None = NOW) -> Held:
    return Held(np.arange(4, dtype=np.int32), Histories.of(HISTORIES), Histories.of(TRUTH), now)


def found(*names: str, users: dict[str, list] | None = None, background: Background | None = None) -> dict[str, list]:
    """The people of each part, by its name."""
    people = findable(held(), 4, "excluded")
    background = background or Background(4, KNOWN, CONTENT)
    return {part.name: np.flatnonzero(part.people).tolist() for part in parts(names, people, background, users or {})}


def test_activity_is_in_thirds_of_different_items():
    assert found("activity") == {"1 items": [0, 1], "2 items": [2], "3 items": [3]}


def test_items_by_age_by_popularity_and_by_what_the_catalog_says():
    assert found("item_age") == {"nobody had it before": [0, 3], "up to 7 days": [2], "8 to 30 days": [0, 1]}
    assert found("popularity") == {"tail": [0, 1, 2], "nobody had it before": [0, 3]}
    assert found("categories") == {"x": [0, 1], "y": [0, 1]}
    assert found("colour") == {"blue": [0, 1], "red": [0, 1]}
    assert found("size") == {"3": [2]}


def test_people_by_a_column():
    towns = ["Graz", None, "Ghent", "Graz"]
    assert found("town", users={"town": towns}) == {"Ghent": [2], "Graz": [0, 3], "not known": [1]}
    assert found("age", users={"age": [20.0, 20.0, 31.5, None]}) == {"20": [0, 1], "31.5": [2], "not known": [3]}


def test_many_numbers_are_in_thirds_and_of_many_values_the_commonest_are_told():
    truth = Histories.of([[1]] * 40)
    people = findable(Held(np.arange(40), Histories.of([[]] * 40), truth, None), 4, "excluded")
    columns = {"age": [float(row) for row in range(39)] + [None], "town": [f"t{row % 20:02}" for row in range(40)]}
    ages = parts(["age"], people, Background(4), columns)
    assert [(part.name, int(part.people.sum())) for part in ages] == [
        ("0 to 12", 13), ("13 to 25", 13), ("26 to 38", 13), ("not known", 1),
    ]  # fmt: skip
    towns = parts(["town"], people, Background(4), columns)
    assert [int(part.people.sum()) for part in towns] == [2] * 12 + [16]
    assert towns[-1].name == "all others"


def test_what_is_no_number_is_not_known():
    nan = float("nan")
    found = [(part.name, part.people.tolist()) for part in _of_column("age", [*map(float, range(9)), nan, nan, None])]
    assert [name for name, _ in found] == ["0 to 2", "3 to 5", "6 to 8", "not known"]
    assert found[-1][1] == [False] * 9 + [True] * 3


def test_a_slice_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'colour'"):
        found("color")
    with pytest.raises(UnknownName, match="known: activity, item_age, popularity"):
        found("categories", background=Background(4, KNOWN))
    with pytest.raises(DataError, match="needs times"):
        found("item_age", background=Background(4, Familiarity(np.zeros(4, np.int64), 3)))


@pytest.fixture(scope="module")
def sliced() -> Evaluation:
    models = {"popularity": Fixed.of(a=4, b=3, c=2, d=1), "other": Fixed.of(a=4, b=1, c=2, d=3)}
    settings = msgspec.structs.replace(SHORT, slices=("activity", "popularity"))
    return evaluate(models, held(), ITEMS, settings, familiarity=KNOWN, content=CONTENT)


def test_each_part_has_every_model_and_says_how_many_people(sliced):
    """Popularity finds b for persons 1 and 2 and c for 3 at once; d comes last for person 1, alone for person 4."""
    tail = next(part for part in sliced.slices if part.part == "tail")
    assert (tail.people, tail.few) == (3, True)
    assert [model.model for model in tail.models] == ["popularity", "other"]
    assert tail.models[0].metrics["recall@1"].value == 1
    new = next(part for part in sliced.slices if part.part == "nobody had it before")
    assert new.models[0].metrics["recall@1"].value == 0.5
    assert new.models[1].differences["recall@1"].value == 0.5
    active = next(part for part in sliced.slices if part.part == "3 items")
    assert active.models[0].metrics["hit_rate@1"].value == 1


def test_slices_stand_in_rows_and_records(sliced):
    board = leaderboard(sliced, "recall@1")
    rows = board.slice_rows()
    assert {(row["slice"], row["part"]) for row in rows} >= {("activity", "1 items"), ("popularity", "tail")}
    assert all(row["note"] == "few people" for row in rows)
    first = next(row for row in rows if row["part"] == "nobody had it before")
    assert (first["model"], first["people"], first["recall@1"]) == ("other", 2, 1.0)
    assert first["against popularity"].startswith("+0.5000")
    records = board.records()
    assert {record["slice"] for record in records} == {"", "activity", "popularity"}
    assert {tuple(record) for record in records} == {tuple(RECORD)}
    people = {record["part"]: record["people"] for record in records if record["metric"] == "recall@1"}
    assert people == {"": sliced.people} | {part.part: part.people for part in sliced.slices}
    assert {(record["split"], record["held_back"]) for record in records} == {("time", "")}
    msgspec.json.encode([*records, sliced])
