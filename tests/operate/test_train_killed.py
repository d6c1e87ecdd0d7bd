"""A training that is killed leaves whole models, and goes on with what is missing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from segue import Project
from segue.cli import main
from segue.domain.errors import MissingColumn
from segue.learn.learner import load_model
from segue.operate.train import runs, trained_names
from segue.simulate.world import World

TIMELESS = """
workspace.name = "timeless"
events = { files = ["events.csv"], columns = { user = "user", item = "item" } }
evaluation.split = "random"
models = { popularity = { learner = "popularity" }, next = { learner = "slist" } }
"""
MODELS = {"popularity": "popularity", "near": "item_knn", "factors": "als", "ease": "ease"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An ingested shop that declares these models alone."""
    World("shop", seed=2, people=200, items=80, days=14).write(tmp_path)
    shop, events, items = tmp_path / "shop", tmp_path / "events-*.csv", tmp_path / "items.jsonl"
    made = CliRunner().invoke(main, ["init", str(shop), "--events", str(events), "--items", str(items)])
    assert made.exit_code == 0, made.output
    sections = re.split(r"(?m)^(?=\[)", (shop / "segue.toml").read_text())
    kept = [section for section in sections if not section.startswith(("[models", "[surfaces", "[experiments"))]
    kept += [f'[models.{name}]\nlearner = "{learner}"\n' for name, learner in MODELS.items()]
    (shop / "segue.toml").write_text("\n".join(kept))
    Project.open(shop).ingest()
    return shop


@pytest.mark.slow
def test_a_killed_training_goes_on_with_what_is_missing(shop: Path) -> None:
    command = [sys.executable, "-m", "segue", "-C", str(shop), "train", "--resume"]
    done: dict[str, list[str]] = {}
    for least in (1, 2, 3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(trained_names(shop / "models")) < least and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = {name: runs(shop / "models" / name) for name in trained_names(shop / "models")}
        for name in done:
            load_model(shop / "models" / name / done[name][-1])
    trained = Project.open(shop).train(resume=True)
    assert {model.model for model in trained} == set(MODELS) == set(trained_names(shop / "models"))
    for name, before in done.items():
        assert runs(shop / "models" / name) == before, "what was trained is not trained again"


@pytest.mark.slow
def test_other_parameters_other_data_or_another_catalog_are_trained_anew(shop: Path) -> None:
    project = Project.open(shop)
    first = project.train(["popularity"])[0]
    assert project.train(["popularity"], resume=True)[0].run == first.run
    assert project.train(["popularity"])[0].run != first.run, "not resumed: trained anew"
    project.lake.put_items(project.items.select("id", "title").head(1).collect(), "another catalog")
    second = project.train(["popularity"], resume=True)[0]
    assert second.catalog != first.catalog
    declared = (shop / "segue.toml").read_text()
    (shop / "segue.toml").write_text(
        declared.replace("[models.popularity]\n", "[models.popularity]\nweighting = 'none'\n")
    )
    assert Project.open(shop).train(["popularity"], resume=True)[0].run != second.run


@pytest.mark.slow
def test_a_damaged_model_is_not_kept_but_trained_again(shop: Path) -> None:
    whole = Project.open(shop).train(["popularity", "ease"])
    weights = shop / "models" / "ease" / whole[1].run / "weights.npy"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 255
    weights.write_bytes(content)
    kept = Project.open(shop).train(["popularity", "ease"], resume=True)
    assert kept[0].run == whole[0].run
    assert kept[1].run != whole[1].run
    load_model(shop / "models" / "ease" / kept[1].run)


def test_a_training_that_fails_names_the_model_and_what_was_trained_before(tmp_path: Path) -> None:
    rows = [f"u{person},i{(person + step) % 9}" for person in range(30) for step in range(5)]
    (tmp_path / "events.csv").write_text("user,item\n" + "\n".join(rows))
    (tmp_path / "segue.toml").write_text(TIMELESS)
    project = Project.open(tmp_path)
    project.ingest()
    for act in (project.train, project.evaluate, project.learning_curve):
        with pytest.raises(MissingColumn) as caught:
            act(["popularity", "next"])
        assert caught.value.where == "model next (learner slist)"
        assert ("; trained before it, and kept: popularity" in str(caught.value)) == (act == project.train)
    assert trained_names(tmp_path / "models") == ["popularity"]
