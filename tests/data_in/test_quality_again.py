"""Quarantine of a file that is read again and again, and of rows that other settings or programs refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import segue.data.ingest.ingest
from segue.data.bulk import choice
from segue.data.ingest import steps
from segue.data.ingest.ingest import ingest_events
from segue.data.lake.lake import Lake
from segue.data.settings import EventColumns, EventSource
from segue.project import Project
from tests.data_in.test_quality_quarantine import held, workspace

TYPED = """
[events]
files = ["*.csv"]
[events.columns]
user = "user"
item = "item"
type = "type"
"""
PLAIN = TYPED.replace('type = "type"\n', "")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def declared(folder: Path, said: str) -> Project:
    (folder / "segue.toml").write_text(said)
    return Project.open(folder)


def test_rows_that_came_back_are_held_again_where_their_file_is_read_as_before(tmp_path: Path) -> None:
    workspace(tmp_path / "w", {"a.csv": b"user,item,type,price\nann,x,view,1\nbob,y,,2\n"}, TYPED)
    assert declared(tmp_path / "w", PLAIN).replay().returned == 1
    declared(tmp_path / "w", TYPED + 'value = "price"\n').ingest()
    project = declared(tmp_path / "w", TYPED)
    project.ingest()
    assert [row["raw"] for row in held(project)] == ["bob,y,,2"]
    assert project.snapshot().events().select("user").collect()["user"].to_list() == ["ann"]


@pytest.mark.slow
def test_each_refused_row_is_held_once_whichever_way_its_file_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "STEP", 20)
    monkeypatch.setattr(segue.data.ingest.ingest, "BLOCK", 200)
    monkeypatch.setattr(choice, "BIG", 0)
    typed = EventSource(columns=EventColumns(user="user", item="item", type="type"))
    plain = EventSource(columns=EventColumns(user="user", item="item"))
    path, lake = tmp_path / "a.csv", Lake(tmp_path / "lake")
    path.write_text("user,item,type\n" + "".join(f"u{row},i,{'view' if row % 5 else ''}\n" for row in range(100)))
    for source, lines in ((typed, 20), (plain, 0), (typed, 20)):
        ingest_events(lake, source, [path], tmp_path, NOW)
        found = lake.snapshot().quarantine().collect()["line"]
        assert (len(found), found.n_unique()) == (lines, lines)
