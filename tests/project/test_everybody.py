"""Everybody's lists in one file: the same, to the row, as asked for one by one, whatever is known of the person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from segue import Project
from segue.domain.errors import DataError
from segue.find.retrieval import PEOPLE
from tests.project.conftest import segue

SAID = """
[workspace]
name = "shop"

[events]
files = ["events-*.csv"]

[events.columns]
user = "user"
visitor = "visitor"
item = "item"
type = "type"
time = "time"

[items]
files = ["items.jsonl"]

[items.columns]
id = "id"
title = "title"
group = "group"
available_from = "from"
available_to = "to"

[identity]
stitch = true

[identity.normalise]
users = ["trim", "lower"]
items = ["lower"]

[models.popularity]
learner = "popularity"

[models.ease]
learner = "ease"
min_people = 1

[models.item_knn]
learner = "item_knn"
k = 3

[models.als]
learner = "als"
factors = 8

[models.mix]
learner = "blend"
parts = ["ease", "item_knn", "popularity"]

[models.ranks]
learner = "blend"
parts = ["mix", "ease"]
fusion = "ranks"

[models.factors]
learner = "blend"
parts = ["als", "item_knn"]

[models.crowd]
learner = "blend"
parts = ["popularity", "trending"]

[evaluation]
baseline = "popularity"
"""

ITEMS = [f"i{number:02}" for number in range(36)]


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of people of whom a model knows much, little or nothing; what came last, no model has seen."""
    folder = tmp_path_factory.mktemp("edges")
    (folder / "segue.toml").write_text(SAID)
    items = [{"id": item, "title": f"Thing {item[1:]}"} for item in [*ITEMS, "new1", "new2"]]
    for number in range(0, 36, 5):
        items[number]["group"] = f"shirt{number % 3}"
    items[3]["to"], items[4]["from"], items[7]["from"] = "2020-01-01", "2120-01-01", "2020-01-01"
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, items)))
    _write(folder / "events-1.csv", _learned())
    for command in ("ingest", "train"):
        assert segue("-C", folder, command).exit_code == 0
    _write(
        folder / "events-2.csv",
        [("later", "", "new1", "view"), ("later", "", "new2", "buy"), ("", "v9", "new1", "view")],
    )
    assert segue("-C", folder, "ingest").exit_code == 0
    return folder


def _learned() -> Iterator[tuple[str, str, str, str]]:
    """User, visitor, item and type: crowds, a login, other writings of one name, who has all, who only saw."""
    for person in range(40):
        for step in range(1 + person % 9):
            yield f"p{person}", "", ITEMS[(person * 5 + step * (1 + person % 3)) % (20 + person % 17)], "view"
    yield from ((f"all{number}", "", item, "buy") for number in range(2) for item in ITEMS)
    yield from (("most", "", item, "view") for item in ITEMS[2:])
    yield from [
        ("", "v1", "i01", "view"),
        ("", "v1", "I06", "buy"),
        ("ann", "v1", "i09", "view"),
        (" ANN", "", "i12", "buy"),
    ]
    yield from [("", "v2", "i02", "view"), ("", "v3", "i02", "impression"), ("shown", "", "i05", "impression")]


def _write(path: Path, events: Any) -> None:
    rows = [
        f"{','.join(event)},2026-01-{1 + number // 600:02}T{number // 60 % 10:02}:{number % 60:02}:00Z"
        for number, event in enumerate(events)
    ]
    path.write_text("\n".join(["user,visitor,item,type,time", *rows]))


def everybody(folder: Path, out: Path, model: str, k: int = 10) -> list[dict[str, Any]]:
    made = Project.open(folder).recommend_all(out, model=model, k=k)
    rows: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    people = {(row["kind"], row["person"]) for row in rows}
    assert made.people == len(people) == 50
    return rows


ASKED = [("popularity", 10), ("ease", 1), ("ease", 200), ("item_knn", 10), ("mix", 200), ("ranks", 10), ("crowd", 10)]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "k"), ASKED)
def test_the_file_has_the_rows_that_each_user_gets_alone(edges: Path, tmp_path: Path, model: str, k: int) -> None:
    project, lists = Project.open(edges), dict[str, list[dict[str, Any]]]()
    for row in everybody(edges, tmp_path / "lists.parquet", model, k):
        if row["kind"] == "user":
            lists.setdefault(row["person"], []).append(
                {name: row[name] for name in row if name not in ("person", "kind")}
            )
    assert {"ann", "all0", "most", "later", "shown"} <= set(lists)
    for person, rows in lists.items():
        assert rows == project.recommend(person, k=k, model=model).rows(), person


@pytest.mark.parametrize(("model", "people"), [("popularity", 1), ("ease", 7), ("item_knn", 1), ("mix", 7)])
def test_it_does_not_matter_how_many_are_taken_at_a_time(
    edges: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, people: int
) -> None:
    together = everybody(edges, tmp_path / "together.parquet", model)
    assert people < len({row["person"] for row in together}) < PEOPLE
    monkeypatch.setattr("segue.find.retrieval.PEOPLE", people)
    assert everybody(edges, tmp_path / "some.parquet", model) == together


@pytest.mark.parametrize("model", ["als", "factors"])
def test_a_model_of_factors_differs_by_rounding_only(
    edges: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    together = everybody(edges, tmp_path / "together.parquet", model, k=5)
    monkeypatch.setattr("segue.find.retrieval.PEOPLE", 1)
    alone = everybody(edges, tmp_path / "alone.parquet", model, k=5)
    assert [_without_score(row) for row in together] == [_without_score(row) for row in alone]
    assert [row["score"] for row in together] == pytest.approx([row["score"] for row in alone], rel=1e-5, abs=1e-7)


def _without_score(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"score": None}


def test_a_blend_of_what_is_popular_is_for_everybody_and_says_so(edges: Path, tmp_path: Path) -> None:
    rows = everybody(edges, tmp_path / "lists.parquet", "crowd")
    first = [row for row in rows if row["position"] == 1 and row["person"] in ("v2", "later", "shown")]
    assert {row["source"] for row in first} == {"crowd"}, "whoever is new gets it as well"
    assert not any("Little speaks" in row["reason"] for row in rows), {row["reason"] for row in rows}


def test_who_stands_at_the_edges_gets_what_is_right_for_them(edges: Path, tmp_path: Path) -> None:
    rows = everybody(edges, tmp_path / "lists.parquet", "ease")
    lists = {
        name: [row for row in rows if row["person"] == name] for name in ("ann", "v1", "v2", "later", "shown", "all0")
    }
    assert {row["kind"] for row in lists["v1"]} == {"visitor"}
    assert [row["item"] for row in lists["v1"]] == [row["item"] for row in lists["ann"]], "one person, by the login"
    assert not {"i01", "i06", "i09", "i12"} & {row["item"] for row in lists["ann"]}
    assert {row["source"] for row in lists["v2"][:1]} == {"ease"}
    assert {row["source"] for row in lists["later"]} == {row["source"] for row in lists["shown"]} == {"popularity"}
    assert [row["item"] for row in lists["all0"]] == ["new1", "new2"], "all that is left"
    assert not {"i03", "i04"} & {row["item"] for row in rows}, "not on offer"


def test_a_file_that_could_not_be_finished_is_not_there(
    edges: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segue.find.retrieval.PEOPLE", 10)
    out = tmp_path / "lists.csv"
    out.write_text("of yesterday")

    def stopped(what: str, share: float) -> None:
        if share > 0.5:
            raise DataError("stopped half-way")

    with pytest.raises(DataError, match="stopped half-way"):
        Project.open(edges).recommend_all(out, model="ease", progress=stopped)
    assert [path.name for path in tmp_path.iterdir()] == ["lists.csv"]
    assert out.read_text() == "of yesterday"
