"""What the lake holds can be looked at: lazy tables, SQL that says the same, samples, one person's story."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import narwhals as nw
import polars as pl
import pytest

from segue import Project
from segue.data.explore.sql import sql
from segue.domain.errors import DataError, MissingExtra, UnknownName
from tests.project.conftest import segue, told


@pytest.fixture
def project(made):
    return Project.open(made)


@pytest.mark.parametrize("name", ["events", "items", "users", "decisions", "quarantine"])
def test_every_table_is_lazy_counted_and_shown(project, name):
    table = getattr(project, name)
    rows = table.collect()
    assert len(table) == rows.height
    assert table.head(3).columns == rows.columns
    shown = table._repr_html_()
    assert f"{rows.height:,} rows" in shown
    assert all(column in shown for column in rows.columns)
    assert repr(table) == f"<{name}: {rows.height:,} rows, {rows.width} columns>"


def test_a_look_at_the_events_decodes_as_reading_all_does(project):
    first = project.events.head(5)
    assert first.join(project.events.collect(), on=first.columns, how="semi", nulls_equal=True).height == 5


def test_other_libraries_take_a_table_as_it_is(project):
    by_type = nw.from_native(project.events).group_by("type").agg(nw.len()).collect().to_native()
    assert by_type["len"].sum() == len(project.events)
    assert pl.DataFrame(project.items).height == len(project.items)
    assert project.events.join(project.items, left_on="item", right_on="id").select("title").collect().height > 0


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another(project):
    drawn = project.events.sample(20, seed=1)
    assert drawn["id"].n_unique() == 20
    assert set(drawn["id"]) == set(project.events.sample(20, seed=1)["id"])
    assert set(drawn["id"]) != set(project.events.sample(20, seed=2)["id"])
    assert project.quarantine.sample(3).height == 3


def test_a_sample_of_people_has_all_of_their_events(project):
    drawn = project.events.sample(people=4, seed=5)
    people = drawn.select("user", "visitor").unique()
    assert people.height == 4
    assert (
        project.events.collect().join(people, on=["user", "visitor"], how="semi", nulls_equal=True).height
        == drawn.height
    )


def test_people_are_drawn_from_decisions_by_the_same_keys(project):
    assert project.decisions.sample(people=2).columns == project.decisions.collect_schema().names()
    both = {*project.events.sample(people=1_000_000)["user"].drop_nulls()}
    assert both == {*project.events.collect()["user"].drop_nulls()}


def test_a_sample_says_what_it_needs(project):
    with pytest.raises(DataError, match="give one of the two"):
        project.events.sample()
    with pytest.raises(DataError, match="of nobody"):
        project.items.sample(people=3)


@pytest.mark.parametrize("name", ["events", "items", "users", "decisions", "quarantine"])
def test_sql_sees_every_table_as_python_does(project, name):
    expected = getattr(project, name).collect()
    answer = project.sql(f"SELECT * FROM {name}")
    assert answer.to_arrow().column_names == expected.columns
    keys = ["line", "file"] if name == "quarantine" else ["id"]
    plain = [column for column, kind in expected.schema.items() if kind in (pl.String, pl.Int32, pl.Int64, pl.Float64)]
    assert answer.pl().select(plain).sort(keys).equals(expected.select(plain).sort(keys))
    if "time" in expected.columns and expected.height:
        assert answer.pl()["time"].sort().dt.epoch("us").equals(expected["time"].sort().dt.epoch("us"))


def test_sql_is_as_of_its_snapshot(project, tmp_path):
    before = sql(project.snapshot(datetime(2000, 1, 1, tzinfo=UTC)), "SELECT count(*) AS n FROM events", tmp_path)
    assert before.rows() == [{"n": 0}]


def test_an_answer_can_be_looked_at_and_passed_on(project):
    answer = project.sql("SELECT type, count(*) AS n FROM events GROUP BY type ORDER BY n DESC")
    assert len(answer) == len(list(answer)) == answer.pl().height
    assert pl.DataFrame(answer).equals(answer.pl())
    assert f"{len(answer)} rows" in answer._repr_html_()
    assert repr(answer) == f"<{len(answer)} rows: type, n>"
    assert len(project.sql("SET threads = 1")) == 0


def test_a_query_that_cannot_be_is_refused_in_duckdbs_words(made):
    with pytest.raises(DataError, match=r"evnts.*(?s:.)*the tables are events"):
        Project.open(made).sql("SELECT * FROM evnts")
    refused = segue("-C", made, "sql", "SELECT * FROM evnts")
    assert refused.exit_code == 2


def test_without_duckdb_the_extra_is_named(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtra, match=r'pip install "segue\[duckdb\]"'):
        project.sql("SELECT 1")


def test_one_persons_story_agrees_with_the_log(project):
    known = project.events.join(project.users, left_on="user", right_on="id", how="semi")
    user = known.filter(pl.col("type") != "impression").collect()["user"].mode().sort()[0]
    mine = project.events.filter(pl.col("user") == user).collect()
    person = project.describe(user)
    assert (person.kind, person.events) == ("user", mine.height)
    assert sum(person.types.values()) == mine.height
    assert (person.first, person.latest) == (mine["time"].min(), mine["time"].max())
    assert person.sessions == project.sessions().filter(pl.col("person") == f"u:{user}").collect().height
    assert person.seen == len(project.state.history(f"u:{user}"))
    assert person.categories
    kept = project.users.filter(pl.col("id") == user).collect()["attributes"][0]
    assert person.attributes == json.loads(kept)
    assert user in person._repr_html_()


def test_a_visitor_is_told_and_a_stranger_refused(tmp_path):
    columns = 'visitor = "cookie"\nitem = "thing"'
    (tmp_path / "segue.toml").write_text(f'[events]\nfiles = ["events.csv"]\n[events.columns]\n{columns}\n')
    (tmp_path / "events.csv").write_text("cookie,thing\nc1,a\nc1,b\nc2,a\n")
    project = Project.open(tmp_path)
    project.ingest()
    person = project.describe("c1")
    assert (person.kind, person.events, person.items) == ("visitor", 2, {"a": 1, "b": 1})
    assert (person.first, person.sessions) == (None, None)
    with pytest.raises(UnknownName, match="no user or visitor is called 'nobody'"):
        project.describe("nobody")


def test_the_commands_say_the_same(made, project):
    answer = told("-C", made, "sql", "SELECT count(*) AS n, max(day) AS last FROM events")
    assert answer[0]["n"] == len(project.events)
    user = project.users.head(1)["id"][0]
    assert told("-C", made, "describe", "--user", user)["events"] == project.describe(user).events
    assert "models see" in segue("-C", made, "describe", "--user", user).output


def test_what_cannot_be_looked_at_is_refused_in_words(project):
    with pytest.raises(UnknownName, match="did you mean 'type'"):
        project.events.profile()["typ"]
    with pytest.raises(DataError, match="a sample has no -1"):
        project.events.sample(-1)
