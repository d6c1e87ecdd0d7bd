"""What goes with what, asked of a workspace by the command and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue import Project
from segue.declaration import FILE
from segue.domain.errors import DeclarationError, UnknownName
from tests.project.conftest import segue, told

BASKETS = [["filters", "coffee"], ["bread"], ["filters", "coffee"], ["milk"], ["bread", "milk"], ["milk"]] * 6


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    lines = [
        f"person {number % 9},{item},2026-01-{1 + number % 28:02d}T{number % 24:02d}:00:00Z"
        for number, basket in enumerate(BASKETS)
        for item in basket
    ]
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,time\n" + "\n".join(lines) + "\n")
    assert segue("init", tmp_path / "kitchen", "--events", log).exit_code == 0
    assert segue("-C", tmp_path / "kitchen", "ingest").exit_code == 0
    return tmp_path / "kitchen"


def test_pairs_are_told_with_their_intervals(kitchen: Path) -> None:
    with (kitchen / FILE).open("a") as file:
        file.write('\n[models.baskets]\nlearner = "basket"\n')
    assert segue("-C", kitchen, "train", "baskets").exit_code == 0
    [row] = told("-C", kitchen, "basket", "coffee")
    assert (row["how"], row["item"], row["support"]) == ("goes with", "filters", 12)
    assert 1 < row["low"] < row["ratio"] < row["high"]
    assert "nothing is sure about bread" in segue("-C", kitchen, "basket", "bread").stdout
    project = Project.open(kitchen)
    assert [pair.item for pair in project.goes_with("filters")] == ["coffee"]
    with pytest.raises(UnknownName, match="no item is called 'tea'"):
        project.substitutes("tea")


def test_what_is_missing_is_said(kitchen: Path) -> None:
    with pytest.raises(DeclarationError, match=r"no model of the declaration counts baskets.*\n.*segue train baskets"):
        Project.open(kitchen).goes_with("coffee")
    assert segue("-C", kitchen, "train", "popularity").exit_code == 0
    with pytest.raises(DeclarationError, match="model popularity does not count baskets"):
        Project.open(kitchen).goes_with("coffee", model="popularity")
