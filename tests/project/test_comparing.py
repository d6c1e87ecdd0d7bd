"""Models held beside each other: lists, leaderboards as pages and files, learning curves, similar items."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import msgspec
import polars as pl
import pytest

from segue import Project
from segue.comparison import Comparison
from segue.domain.errors import DataError, DeclarationError, MissingColumn, ModelError, UnknownName
from segue.learn.learner import learner
from segue.operate.curve import learning_curve
from segue.project import comparing
from segue.report.board_plots import Point, costs, curves, intervals
from segue.report.page import page
from tests.project.conftest import segue, told


@pytest.fixture(scope="module")
def project(made):
    return Project.open(made)


@pytest.fixture(scope="module")
def evaluated(project):
    return project.evaluate()


def test_every_person_has_the_list_of_every_model(project):
    comparison = project.compare(users=["u00001", "u00002"], k=5)
    assert set(comparison.lists) == {"u00001", "u00002"}
    for lists in comparison.lists.values():
        assert tuple(lists) == comparison.models
        assert len(comparison.models) > 1
    for user in comparison.lists:
        for model in comparison.models:
            assert list(comparison.lists[user][model]) == list(project.recommend(user, model=model, k=5))
    rows = comparison.rows(explain=True)
    assert {row["position"] for row in rows} == {1, 2, 3, 4, 5}
    assert any(row[f"{comparison.models[0]}, why"] for row in rows)


def test_positions_are_counted_from_1_wherever_lists_are_told(project, tmp_path):
    listed = project.recommend("u00001", k=3)
    assert [row["position"] for row in listed.rows()] == [1, 2, 3]
    assert [row["position"] for row in listed.as_dict()["items"]] == [1, 2, 3]
    assert [line.split()[0] for line in str(listed).splitlines()[-3:]] == ["1", "2", "3"]
    listed.write(tmp_path / "list.parquet")
    assert pl.read_parquet(tmp_path / "list.parquet")["position"].to_list() == [1, 2, 3]
    assert [row["position"] for row in project.compare(users=["u00001"], k=3).rows()] == [1, 2, 3]


def test_lists_without_items_are_the_same_and_share_nothing_with_others(project):
    listed = project.recommend("u00001", k=2)
    empty = replace(listed, decision=msgspec.structs.replace(listed.decision, shown=()))
    told = {"ann": {"a": empty, "b": empty}, "bob": {"a": empty, "b": listed}, "cid": {"a": listed, "b": listed}}
    comparison = Comparison(("a", "b"), told, {})
    assert [comparison.overlap(user) for user in told] == [1.0, 0.0, 1.0]


def test_a_notebook_shows_what_only_one_model_has(project):
    comparison = project.compare(users=["u00001"], k=5)
    html = comparison._repr_html_()
    assert html.count("<b>") == sum(
        sum(item in list(other) for other in comparison.lists["u00001"].values()) == 1
        for one in comparison.lists["u00001"].values()
        for item in one
    )
    assert "did last: " in html
    same = project.compare([comparison.models[0]] * 1, ["u00001"], k=5)
    assert same.overlap("u00001") == 1.0


def test_a_list_that_is_not_the_models_own_is_said_to_be_none(project):
    comparison = project.compare(["ease"], ["nobody-at-all"], k=3)
    (note,) = comparison.notes()
    assert note.startswith("nobody-at-all, ease: ")
    assert "nobody-at-all, ease: " in comparison._repr_html_()
    assert project.compare(["ease"], ["u00001"], k=3).notes() == []


def test_the_most_active_are_compared_where_nobody_is_named(project):
    people = list(project.compare(k=2).lists)
    counts = project.events.select("user").collect()["user"].drop_nulls().value_counts(sort=True)
    assert counts.filter(pl.col("user").is_in(people))["count"].min() == counts["count"].head(3).min()


def test_titles_are_text_in_a_notebook(project, monkeypatch):
    comparison = project.compare(users=["u00001"], k=1)
    monkeypatch.setitem(comparison.past, "u00001", ["<script>"])
    assert "<script>" not in comparison._repr_html_()


def test_similar_items_are_of_the_model_and_never_the_item_itself(project):
    item = project.items.select("id").collect()["id"][0]
    found = project.similar(item, 5)
    assert 0 < len(found) <= 5
    assert item not in {row["item"] for row in found}
    assert [row["likeness"] for row in found] == sorted((row["likeness"] for row in found), reverse=True)
    with pytest.raises(
        UnknownName, match=r"no item is called 'nothing like it'\n  → for example: p0001, p0002, p0003; "
    ):
        project.similar("nothing like it")
    with pytest.raises(UnknownName, match=rf"did you mean '{item}'\? for example.*SELECT id, title FROM items"):
        project.similar(f"{item}x")
    with pytest.raises(ModelError, match="popularity does not say what is similar"):
        project.similar(item, model="popularity")


def test_who_has_no_catalog_is_told_another_way_to_all_items(tmp_path: Path) -> None:
    rows = "".join(f"u{number % 3},p{number % 5}\n" for number in range(30))
    (tmp_path / "log.csv").write_text(f"user,item\n{rows}")
    (tmp_path / "segue.toml").write_text(
        '[workspace]\nname = "shop"\n[events]\nfiles = ["log.csv"]\ntype = "view"\n'
        '[events.columns]\nuser = "user"\nitem = "item"\n[models.item_knn]\nlearner = "item_knn"\n'
    )
    project = Project.open(tmp_path)
    project.ingest()
    project.train()
    with pytest.raises(UnknownName, match='p0, p1, p2; `segue sql "SELECT DISTINCT item FROM events"` lists all'):
        project.similar("none")
    assert len(project.sql("SELECT DISTINCT item FROM events")) == 5


def test_the_nearest_of_very_many_items_is_among_those_that_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def counting(word: str, possible: list[str], n: int, cutoff: float) -> list[str]:
        compared.append(len(possible))
        return get_close_matches(word, possible, n, cutoff)

    monkeypatch.setattr(comparing, "get_close_matches", counting)
    known = [f"item-{number:06d}" for number in range(50_000)]
    assert "did you mean 'item-041234'?" in comparing._unknown_item("item-041234x", known, "als", "").mend
    assert "for example: item-000000" in comparing._unknown_item("ite", known, "als", "").mend
    assert "for example: item-000000" in comparing._unknown_item("iteN-041234", known, "als", "").mend
    assert max(compared) <= comparing.COMPARED


def test_the_leaderboard_is_a_page_that_needs_nothing_else(project, evaluated):
    text = page(project.board(evaluated))
    assert len(text) < 1_000_000
    assert not re.findall(r"<script|<link|<img|@import|url\(|https?://|\son\w+=", text)
    for model in evaluated.models():
        assert model.model in text
    assert [section.key for section in project.board(evaluated).sections] == [
        "models", "costs", "settings", "everything",
    ]  # fmt: skip


def test_settings_that_differ_are_told_of_models_of_one_learner(shop):
    with (shop / "segue.toml").open("a") as file:
        file.write('\n[models.near]\nlearner = "item_knn"\nk = 7\n[models.far]\nlearner = "item_knn"\nk = 9\n')
    project = Project.open(shop)
    (section,) = (
        section for section in project.board(project.evaluate(["near", "far"])).sections if section.key == "settings"
    )
    assert [(row["parameter"], row["near"], row["far"]) for row in section.figures[0].table] == [("k", "7", "9")]


@pytest.mark.slow
def test_evaluate_writes_a_page_or_every_number(made, tmp_path):
    assert segue("-C", made, "evaluate", "popularity", "--out", tmp_path / "board.html").exit_code == 0
    assert "Leaderboard" in (tmp_path / "board.html").read_text()
    assert segue("-C", made, "evaluate", "popularity", "--out", tmp_path / "board.parquet").exit_code == 0
    records = pl.read_parquet(tmp_path / "board.parquet")
    assert {"model", "metric", "value", "low", "high"} <= set(records.columns)
    assert records.height >= 18, "six metrics at three lengths"
    assert records["people"].min() > 0
    assert set(records["split"]) == {"time"}
    assert "held back" in records["held_back"][0]
    assert (records["evaluated"].str.len_chars() == 25).all()
    refused = segue("-C", made, "evaluate", "--out", tmp_path / "board.png")
    assert refused.exit_code == 2
    assert ".parquet" in refused.output


@pytest.mark.parametrize("along", ["people", "days"])
def test_a_learning_curve_learns_from_more_and_more(project, along):
    points = project.learning_curve(["popularity"], along=along, points=3)
    assert [point.share for point in points] == [0.25, 0.5, 1.0]
    events = [point.events for point in points]
    assert events == sorted(events)
    assert len(set(events)) == 3
    whole = project.evaluate(["popularity"]).models()[0].metrics["ndcg@10"]
    assert points[-1].metrics["ndcg@10"].value == pytest.approx(whole.value)
    if along == "days":
        assert [round(point.days / points[-1].days, 1) for point in points] == pytest.approx([0.25, 0.5, 1], abs=0.06)


def test_a_curve_shows_itself_by_the_metric_that_was_asked_for(project):
    with pytest.raises(UnknownName, match=r"did you mean 'recall@10'"):
        project.learning_curve(["popularity"], points=2, metric="recal@10")
    curve = project.learning_curve(["popularity"], points=2, metric="recall@10")
    assert [row["recall@10"] for row in curve.rows()] == [point.metrics["recall@10"].value for point in curve]
    title, heads, *lines = repr(curve).splitlines()
    assert title == "recall@10 by share of people"
    assert heads.split()[:2] == ["model", "share"]
    assert len(lines) == len(curve) == 2
    assert curve._repr_html_().count("<tr>") == 3


def test_a_leaderboard_shows_itself_as_the_table(evaluated):
    lines = str(evaluated).splitlines()
    assert lines[: len(evaluated.title.splitlines())] == evaluated.title.splitlines()
    assert lines[-1] == evaluated.sentence()
    best = next(line for line in lines if line.startswith(f"{evaluated.models()[0].model} "))
    assert f"{evaluated.brief_rows()[0]['ndcg@10']:.4g}" in best
    assert repr(evaluated) == str(evaluated)
    html = evaluated._repr_html_()
    assert html.count("<tr>") == 1 + len(evaluated.models())
    assert "against popularity" in html
    assert evaluated.title.splitlines()[1] in html


def test_parts_of_a_curve_lie_within_each_other(project):
    split = project.split()
    small, large = (
        learning_curve(
            {"p": project.learner("popularity")}, project.engine, split, project.declaration.evaluation, points=n
        )
        for n in (2, 3)
    )
    assert small[-2].events == large[-2].events


def test_a_curve_is_drawn_by_whatever_is_measured(project):
    said = msgspec.structs.replace(
        project.declaration.evaluation, metrics=("ndcg", "novelty", "long_tail_recall"), slices=("activity", "plan")
    )
    points = learning_curve({"p": project.learner("popularity")}, project.engine, project.split(), said, points=2)
    assert points[0].metrics["novelty@10"].value > 0


def test_a_curve_along_days_needs_times(tmp_path: Path):
    (tmp_path / "events.csv").write_text("user,item\n" + "".join(f"u{n % 9},i{n % 5}\n" for n in range(60)))
    (tmp_path / "segue.toml").write_text(
        '[workspace]\nname = "w"\n[events]\nfiles = ["events.csv"]\ntype = "view"\n[events.columns]\nuser = "user"\n'
        'item = "item"\n[models.popularity]\nlearner = "popularity"\n[evaluation]\nsplit = "random"\n'
    )
    project = Project.open(tmp_path)
    project.ingest()
    with pytest.raises(MissingColumn, match="along days"):
        project.learning_curve(along="days")
    with pytest.raises(MissingColumn, match="what trends needs"):  # not a curve that ends before it begins
        learning_curve(
            {"t": learner("trending", {})}, project.engine, project.split(), project.declaration.evaluation, points=2
        )


@pytest.mark.slow
def test_the_commands_print_what_the_project_says(made, tmp_path):
    rows = told("-C", made, "compare", "--user", "u00001", "-k", 3)
    assert [row["position"] for row in rows] == [1, 2, 3]
    assert told("-C", made, "curve", "popularity", "--points", 2)[-1]["share"] == 1.0
    page = tmp_path / "curve.html"
    rows = told("-C", made, "curve", "popularity", "--points", 2, "--metric", "recall@10", "--out", page)
    assert [row["share"] for row in rows if row["recall@10"] > 0] == [0.5, 1.0]
    assert "Learning curves" in page.read_text()
    item = Project.open(made).items.select("id").collect()["id"][0]
    assert told("-C", made, "similar", item, "-k", 2) == Project.open(made).similar(item, 2)


def test_plots_hold_at_the_edge_of_what_there_is():
    one = [Point("only", 0.0, 0.5, 0.5, 0.5)]
    for drawn in (intervals(one, "t", "d"), costs(one, "s", "t", "d"), curves({"only": one}, "events", "t", "d")):
        assert "nan" not in drawn.lower()
        assert "<title" in drawn
    assert "&lt;b&gt;" in intervals([Point("<b>", 1, 0.1, 0, 1)], "t", "d")


def test_a_model_that_cannot_say_what_is_similar_is_refused(project, monkeypatch):
    from segue.domain.items import Items

    class Silent:
        items = Items(["a"])

    monkeypatch.setattr(type(project), "_load", lambda *_: Silent())
    with pytest.raises(ModelError, match="does not say what is similar"):
        project.similar("a")


def test_without_users_there_is_nobody_to_compare_and_no_model_is_called_like_a_way_out(tmp_path: Path):
    (tmp_path / "events.csv").write_text("visitor,item\n" + "".join(f"v{n % 9},i{n % 5}\n" for n in range(60)))
    (tmp_path / "segue.toml").write_text(
        '[workspace]\nname = "w"\n[events]\nfiles = ["events.csv"]\ntype = "view"\n[events.columns]\n'
        'visitor = "visitor"\nitem = "item"\n[models.popularity]\nlearner = "popularity"\n'
        '[models."../../out"]\nlearner = "ease"\n[evaluation]\nsplit = "random"\n'
    )
    project = Project.open(tmp_path)
    project.ingest()
    project.train(["popularity"])
    with pytest.raises(DataError, match="no users"):
        project.compare()
    with pytest.raises(DeclarationError, match="cannot be the name of a model"):
        project.tune(["../../out"], budget=1)
    assert not (tmp_path / "out").exists()


def test_the_column_of_the_categories_is_a_slice_by_its_own_name_too(shop):
    declared = (shop / "segue.toml").read_text()
    (shop / "segue.toml").write_text(re.sub(r"(?m)^categories = .*$", 'categories = "labels"', declared))
    rows = Project.open(shop).evaluate(["popularity"], slices=["labels", "categories"]).slice_rows()
    assert {row["slice"] for row in rows} == {"categories"}
