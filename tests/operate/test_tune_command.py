"""`segue tune` as a person types it, on a workspace of its own."""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from segue.cli import main
from segue.operate.tune.study import Trial
from segue.project import Project

TOML = """
[events]
files = ["events.csv"]
format = "csv"
type = "view"

[events.columns]
user = "user"
item = "item"
time = "time"

[models.popularity]
learner = "popularity"

[models.ease]
learner = "ease"
regularization = 0.5
dropout = 0.0
min_people = 1

[evaluation]
split = "time"
test_days = 3
"""
PEOPLE, ITEMS, DAYS = 80, 30, 12


def segue(folder: Path, *words: object) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(main, ["-C", str(folder), *map(str, words)], catch_exceptions=False)


def told(folder: Path, *words: object) -> Any:
    """What a command prints as JSON."""
    result = segue(folder, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def workspace(folder: Path, toml: str = TOML, seed: int | None = None) -> Path:
    """Everybody meets an item a day, mostly of one half; with a seed, what happens in the last days is nonsense."""
    folder.mkdir(parents=True)
    (folder / "segue.toml").write_text(toml)
    random = np.random.default_rng(1)
    likes = [np.where(np.arange(ITEMS) % 2 == half, 5.0, 1.0) / (1 + np.arange(ITEMS) // 5) for half in (0, 1)]
    rows = [
        (day, person, int(random.choice(ITEMS, p=likes[person % 2] / likes[person % 2].sum())))
        for day in range(DAYS)
        for person in range(PEOPLE)
    ]
    if seed is not None:
        nonsense = np.random.default_rng(seed)
        late = [row for row in rows if row[0] >= DAYS - 3]
        users, items = (nonsense.permutation([row[place] for row in late]).tolist() for place in (1, 2))
        rows = rows[: -len(late)] + [(row[0], *pair) for row, *pair in zip(late, users, items, strict=True)]
    with (folder / "events.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["user", "item", "time"])
        out.writerows([f"u{user}", f"i{item}", f"2026-01-{day + 1:02}T00:{user:02}:00Z"] for day, user, item in rows)
    assert segue(folder, "ingest").exit_code == 0
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace whose declared EASE is a poor one."""
    return workspace(tmp_path_factory.mktemp("tune") / "shop")


@pytest.fixture
def copy(shop: Path, tmp_path: Path) -> Path:
    """A copy of it, to change at will."""
    return shutil.copytree(shop, tmp_path / "shop")


@pytest.mark.slow
def test_it_is_tuned_told_written_and_told_again(copy: Path, tmp_path: Path) -> None:
    trials = tmp_path / "trials.parquet"
    first = told(copy, "tune", "--trials", 9, "--method", "random", "--metric", "recall@5", "--out", trials)
    found = {each["model"]: each for each in first["models"]}
    assert [trial["number"] for trial in found["ease"]["trials"]] == list(range(9))
    assert [trial["number"] for trial in found["popularity"]["trials"]] == [0]
    assert found["ease"]["chosen"]["difference"]["value"] > 0
    assert first["left_out"].keys() == {"popularity"}
    assert "wins on validation with recall@5" in first["sentences"][-1]
    assert pl.read_parquet(trials).height == 10
    shown = segue(copy, "tune", "ease", "--trials", 9, "--method", "random", "--metric", "recall@5", "--write")
    assert "trials of ease, 9 of 9" in shown.output
    assert "popularity is left out" not in shown.output  # it was not named
    assert "wrote what won into segue.toml: ease" in shown.output
    declared = tomllib.loads((copy / "segue.toml").read_text())["models"]["ease"]
    assert declared["min_people"] == 1
    assert {name: declared[name] for name in found["ease"]["changes"]} == found["ease"]["changes"]
    assert segue(copy, "train", "ease").exit_code == 0
    again = segue(copy, "tune", "ease", "--trials", 2, "--method", "random", "--metric", "recall@5", "--write")
    assert again.exit_code == 0, again.output


@pytest.mark.slow
def test_nonsense_in_the_test_changes_nothing(shop: Path, tmp_path: Path) -> None:
    """The same log with another end: every setting, and what it was worth to every person, is the same."""
    found = []
    for folder in (shop, workspace(tmp_path / "poisoned", seed=3)):
        tuned = Project.open(folder).tune(["ease"], trials=8, method="random", seed=4)
        (path,) = [Path(each.study) for each in tuned.models if each.model == "ease"]
        found.append((path.name, [made(trial) for trial in tuned.model("ease").trials], tuned.model("ease").changes))
    assert (tmp_path / "poisoned" / "events.csv").read_text() != (shop / "events.csv").read_text()
    assert found[0] == found[1]


def made(trial: Trial) -> tuple[Any, ...]:
    """All but the seconds."""
    return trial.number, trial.share, trial.parameters, trial.judged, trial.bytes, trial.failed


@pytest.mark.slow
def test_ranges_of_the_declaration_count_and_models_are_checked(copy: Path) -> None:
    said = "\n[tuning.ease]\nregularization = { low = 20, high = 40 }\ndropout = [0.1]\n"
    (copy / "segue.toml").write_text(TOML + said)
    tuned = Project.open(copy).tune(["ease"], trials=5, method="random")
    assert repr(tuned).splitlines()[0] == tuned.title.splitlines()[0]
    assert repr(tuned).endswith("\n".join(tuned.sentences()))
    assert tuned._repr_html_().count("<tr>") == 1 + len(tuned.rows())
    drawn = [trial.parameters for trial in tuned.model("ease").trials if trial.number >= 2]
    assert drawn
    assert all(set(each) == {"regularization"} and 20 <= each["regularization"] <= 40 for each in drawn)
    (copy / "segue.toml").write_text(TOML + "\n[tuning.eas]\ndropout = [0.1]\n")
    assert "did you mean 'ease'" in segue(copy, "tune").output
    (copy / "segue.toml").write_text(TOML + "\n[tuning.ease]\ndropout = { low = 0, hgih = 1 }\n")
    assert "hgih" in segue(copy, "tune").output


def test_a_model_without_ranges_is_refused_with_what_to_write(copy: Path) -> None:
    result = segue(copy, "tune", "popularity")
    assert result.exit_code == 2
    assert "no model has anything to tune: popularity" in result.output
    assert "[tuning." in result.output
