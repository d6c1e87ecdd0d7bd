"""The real data sets, each ingested once: docs/reports.md says what their reports say, and their people are people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segue import Project
from segue.demo.real import copy_workspace
from segue.report.page import page

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("online-retail", "open-bandit", "lastfm-2k", "spotify-songs", "ml-1m")
pytestmark = [pytest.mark.data, pytest.mark.slow]


def quoted(name: str) -> list[str]:
    text = (ROOT / "docs" / "reports.md").read_text()
    section = re.search(rf"^### {name}:.*?(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(r"^> (.*)$", section[0], re.MULTILINE)


@pytest.fixture(scope="module", params=NAMES)
def project(request, tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp(request.param) / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGUE_DATA", str(data_dir))
        copy_workspace(ROOT / "examples" / request.param, folder)
    project = Project.open(folder)
    project.ingest()
    return project


def test_the_page_of_docs_quotes_the_report(project):
    told = project.report()
    sentences = [row["sentence"] for row in told.rows()]
    for sentence in quoted(project.declaration.workspace.name):
        assert sentence in sentences
    assert len(page(told)) < 300_000


NUMBERS = {
    "online-retail": lambda profile: (profile.activity.people, profile.tail.items, profile.visits.sessions),
    "open-bandit": lambda profile: (
        round(1 / profile.events["context.propensity"].numbers.quantiles[0.5]),
        round(1 / profile.events["context.propensity"].numbers.quantiles[0.25]),
    ),
    "lastfm-2k": lambda profile: (profile.activity.people, profile.tail.items, profile.tail.events),
    "spotify-songs": lambda profile: (profile.activity.people, profile.tail.items, profile.tail.events),
    "ml-1m": lambda profile: (profile.items["attributes.year"].numbers.median, profile.tail.events),
}
EXPECTED = {  # as the data sets' own descriptions say, where they do
    "online-retail": (4_372, 3_684, 22_190),
    "open-bandit": (34, 46),
    "lastfm-2k": (1_892, 17_632, 92_834),
    "spotify-songs": (471, 28_356, 32_833),
    "ml-1m": (1994, 999_611),
}


def test_the_numbers_are_those_that_others_count(project):
    name = project.declaration.workspace.name
    assert NUMBERS[name](project.profile()) == EXPECTED[name]


def test_nobody_of_them_is_taken_for_a_robot(project):
    """Their heavy users are people: shops that order 300 lines at once, raters of 2,000 films."""
    if project.declaration.workspace.name not in ("online-retail", "lastfm-2k", "ml-1m"):
        return
    assert project.robots() == []
    assert project.people().changes_nothing


def test_the_two_policies_of_open_bandit_can_be_told_apart(project):
    if project.declaration.workspace.name != "open-bandit":
        return
    clicks = project.sql("""
        SELECT context->>'$.policy' AS policy, count(*) AS clicks, count(DISTINCT item) AS items
        FROM events WHERE type = 'click' GROUP BY policy ORDER BY policy
    """)
    assert clicks.rows() == [
        {"policy": "bts", "clicks": 115, "items": 32},
        {"policy": "random", "clicks": 92, "items": 54},
    ]
