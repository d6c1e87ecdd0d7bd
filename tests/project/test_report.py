"""The report says what the data hold: figures can be had in Python, nobody is named, the page needs nothing."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest

from segue import Project
from segue.report.page import page
from tests.project.conftest import segue, told


@pytest.fixture(scope="module")
def project(made):
    return Project.open(made)


@pytest.fixture(scope="module")
def report(project):
    return project.report()


@pytest.mark.slow
def test_every_figure_can_be_had_by_its_python(project, report):
    figures = [figure for section in report.sections for figure in section.figures]
    assert len(figures) > 12
    for figure in figures:
        assert eval(figure.python, {"project": project}) == figure.value, figure.python


def test_the_sections_are_those_that_the_data_have(report):
    assert [section.key for section in report.sections] == [
        "intake", "tail", "people", "visits", "growth", "seasons", "drift", "fitting", "columns",
    ]  # fmt: skip
    assert report.left_out == ()


def test_the_page_needs_nothing_else_and_names_nobody(project, report):
    text = page(report)
    assert len(text) < 1_000_000
    assert not re.findall(r"<script|<link|<img|@import|url\(|https?://|\son\w+=", text)
    events = project.events.select("user", "visitor").collect()
    people = {*events["user"].drop_nulls(), *events["visitor"].drop_nulls(), *project.users.collect()["id"]}
    words = set(re.findall(r"[\w-]+", text))
    assert not people & words
    raw = [each for each in project.quarantine.collect()["raw"] if each and re.search(r"\d", each)]
    assert raw
    assert not [each for each in raw if each in text]


def test_every_plot_has_a_title_and_every_figure_its_numbers(report):
    text = page(report)
    assert text.count("<svg") == len(re.findall(r"<title[ >]", text)) - 1
    for section in report.sections:
        for figure in section.figures:
            assert figure.table, figure.title


def test_what_the_profile_counts_is_what_the_log_says(project):
    events, profile = project.events.collect(), project.profile()
    by_item = events["item"].drop_nulls().value_counts(sort=True)["count"]
    assert profile.tail.items == len(by_item)
    assert profile.tail.events == by_item.sum()
    assert profile.tail.top[0].events == by_item[0]
    assert profile.tail.share(1.0) == 1.0
    half = profile.tail.needed(0.5) * len(by_item)
    assert by_item[: int(half) + 2].sum() >= by_item.sum() / 2 >= by_item[: int(half)].sum()
    people = events.select(person=pl.coalesce("user", "visitor")).drop_nulls()["person"].value_counts()["count"]
    assert profile.activity.people == len(people)
    assert sum(band.people for band in profile.activity.bands) == len(people)
    assert sum(band.events for band in profile.activity.bands) == people.sum()
    assert profile.activity.quantiles[0.5] in (people.median(), *people.to_list())


def test_growth_counts_each_person_as_new_once(project):
    found, events = project.profile().growth, project.events.collect()
    assert sum(period.events for period in found.periods) == events["time"].count()
    people = events.filter(pl.col("time").is_not_null()).select(pl.coalesce("user", "visitor")).drop_nulls().n_unique()
    assert sum(period.new for period in found.periods) == people
    assert found.periods[0].returning == 0
    assert all(period.returning >= 0 for period in found.periods)


def test_the_hours_of_the_week_are_all_of_the_events(project):
    found, events = project.profile().seasons, project.events.collect()
    assert sum(found.by_weekday) == events["time"].count()
    assert found.by_hour[2][11] == events.filter(
        (pl.col("time").dt.weekday() == 3) & (pl.col("time").dt.hour() == 11)
    ).height  # fmt: skip


def test_sessions_are_those_that_are_made_one_by_one(project):
    found, made = project.profile().visits, project.sessions().collect()
    assert found.sessions == made.height
    assert found.single == made.filter(pl.col("events") == 1).height
    assert sum(sessions for _, sessions in found.bands) == made.height


def test_robots_are_counted_as_they_are_found(project):
    found, listed = project.profile().robots, project.robots()
    assert (found.found, found.excluded) == (len(listed), True)
    assert found.events == sum(each["events"] for each in listed)


def test_joins_and_coverage_are_shares_of_the_catalog(project):
    catalog, events = project.items.collect(), project.events.collect()
    known = events.join(catalog, left_on="item", right_on="id", how="semi").height
    found = project.profile().joins
    assert (found.events.known, found.events.of) == (known, events["item"].count())
    covered = {each.column: each.items for each in project.profile().coverage}
    assert covered["price"] == catalog["price"].count()


def test_without_times_the_report_says_so_and_invents_none(tmp_path):
    (tmp_path / "segue.toml").write_text(
        '[events]\nfiles = ["events.csv"]\n[events.columns]\nuser = "who"\nitem = "thing"\n'
    )
    (tmp_path / "events.csv").write_text("who,thing\nann,a\nann,b\nbob,a\n")
    project = Project.open(tmp_path)
    empty = project.report()
    assert empty.left_out == ("There are no events yet: `segue ingest` reads them.",)
    assert page(empty)
    project.ingest()
    told_ = project.report()
    assert (project.profile().growth, project.profile().seasons, project.profile().drift) == (None, None, None)
    assert "no time" in told_.left_out[0]
    assert "ann" not in set(re.findall(r"\w+", page(told_)))


@pytest.mark.slow
def test_the_page_stays_small_and_whole_whatever_the_data_hold(tmp_path):
    (tmp_path / "segue.toml").write_text(HOSTILE)
    evil, name = "<script>alert(1)</script>" + "x" * 5_000, "<script>alert(1)</script>" + "x" * 200
    events = [
        {
            "u": f"u{number % 50}",
            "i": f"{name}{number % 400}",
            "t": f"20{number % 90 + 10}-03-01T00:00:00Z",
            "v": 10.0**number,
        }
        for number in range(-300, 300)
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in [*events, {"i": name}]))
    wide = {f"{name}{number}": evil for number in range(60)}
    items = [
        {"id": f"{name}{number}", "title": evil, "tags": [evil] * 3} | (wide if number < 3 else {})
        for number in range(40)
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    project = Project.open(tmp_path)
    project.ingest()
    text = page(project.report())
    assert len(text) < 300_000
    assert "<script" not in text
    assert "&lt;script" in text


HOSTILE = """
[events]
files = ["events.jsonl"]
format = "jsonl"
[events.columns]
user = "u"
item = "i"
time = "t"
value = "v"
[items]
files = ["items.jsonl"]
[items.columns]
id = "id"
title = "title"
categories = "tags"
"""


@pytest.mark.slow
def test_the_command_tells_the_same_and_writes_the_page(made, tmp_path):
    said = told("-C", made, "report")
    assert said["facts"]["events"] == f"{len(Project.open(made).events):,}"
    printed = segue("-C", made, "report", "--out", tmp_path / "page.html")
    assert printed.exit_code == 0
    assert said["sentences"][0]["sentence"] in printed.output
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
