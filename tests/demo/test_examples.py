"""The workspaces in `examples/`, through the real command line, where the real data are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from segue import Project
from segue.demo.real import copy_workspace
from segue.domain.errors import SegueError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def segue(folder, *words):
    done = subprocess.run([sys.executable, "-m", "segue", "-C", str(folder), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kept", "quarantined", "people"),
    [
        ("lastfm-2k", 92_834, 0, 1_876),
        ("ml-1m", 999_611, 0, 6_040),
        ("online-retail", 406_829, 135_080, 1_271),
    ],
)
def test_an_example_from_files_to_a_list_with_reasons(tmp_path, monkeypatch, data_dir, name, kept, quarantined, people):
    """Row counts are those that each data set's README states; every learned model beats popularity."""
    monkeypatch.setenv("SEGUE_DATA", str(data_dir))
    copy_workspace(EXAMPLES / name, tmp_path)
    reports = json.loads(segue(tmp_path, "ingest", "--json"))
    events = [report for report in reports if not report["file"].endswith(("items.jsonl", "users.csv"))]
    assert sum(report["kept"] for report in events) == kept
    assert sum(report["quarantined"] for report in events) == quarantined
    segue(tmp_path, "check")
    evaluation = json.loads(segue(tmp_path, "evaluate", "--json"))["evaluation"]
    assert evaluation["people"] == people
    board = {model["model"]: model for model in evaluation["models"]}
    assert set(board) == {"popularity", "item_knn", "ease", "als"}
    for model in ("item_knn", "ease", "als"):
        assert board[model]["differences"]["ndcg@10"]["low"] > 0, board[model]
    segue(tmp_path, "train", "ease", "popularity")
    listed = json.loads(segue(tmp_path, "recommend", "--history", _first_items(tmp_path), "-k", "5", "--json"))
    assert len(listed["items"]) == 5
    assert listed["items"][0]["title"] != listed["items"][0]["item"]
    assert listed["items"][0]["reason"]


@pytest.mark.data
@pytest.mark.slow
def test_gowalla_is_split_as_published(tmp_path, monkeypatch, data_dir):
    """Row counts are those of the data set's README."""
    monkeypatch.setenv("SEGUE_DATA", str(data_dir))
    copy_workspace(EXAMPLES / "gowalla", tmp_path)
    reports = json.loads(segue(tmp_path, "ingest", "--json"))
    assert sum(report["kept"] for report in reports) == 1_027_370
    assert sum(report["quarantined"] for report in reports) == 0
    split = Project.open(tmp_path).split()
    assert (split.train.rows, split.test_rows) == (810_128, 217_242)


def _first_items(folder):
    with (folder / "data" / "items.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for _, line in zip(range(60), file, strict=False)]
    return ",".join(line["id"] for line in lines[50:53])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "item", "title", "categories"),
    [
        ("lastfm-2k", "2", "Diary of Dreams", ["darkwave", "german", "gothic", "seen live"]),
        ("ml-1m", "1", "Raiders of the Lost Ark (1981)", ["Action", "Adventure"]),
        ("ml-1m", "3", "Forrest Gump (1994)", ["Comedy", "Romance", "War"]),
        ("online-retail", "10002", "Inflatable political globe", None),
    ],
)
def test_the_derived_catalog_names_things(tmp_path, monkeypatch, data_dir, name, item, title, categories):
    monkeypatch.setenv("SEGUE_DATA", str(data_dir))
    copy_workspace(EXAMPLES / name, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "data" / "items.jsonl").read_text("utf-8").splitlines()]
    found = {row["id"]: row for row in rows}[item]
    assert found["title"] == title
    assert found.get("categories") == categories


def test_without_the_data_an_example_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(SegueError, match="SEGUE_DATA names the folder that holds ml-1m"):
        copy_workspace(EXAMPLES / "ml-1m", tmp_path / "copy")


def test_a_folder_without_a_declaration_is_no_workspace(tmp_path):
    with pytest.raises(SegueError, match=re.escape("there is no segue.toml")):
        copy_workspace(tmp_path, tmp_path / "copy")
