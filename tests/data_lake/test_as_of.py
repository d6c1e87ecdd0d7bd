"""As of a moment: what had arrived by then, whatever came since; models, catalog and people as they were."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from segue.cli import main
from segue.data.lake.lake import Lake
from segue.learn.learner import learners
from tests.data_lake.world import START, frame, moment

PEOPLE, ITEMS = 40, 25


def events(count: int, first: int, received: datetime, *, late: bool = False) -> pl.DataFrame:
    """Random events; `late` ones happened before all others, by people and on items that nobody knew."""
    random = np.random.default_rng(first)
    person, item = random.integers(0, PEOPLE, count), random.integers(0, ITEMS, count)
    shift = 1_000 if late else 0
    return frame(
        [
            {
                "id": f"e{first + n}",
                "user": f"u{person[n] + (shift if n % 2 else 0)}",
                "item": f"i{item[n] + (shift if n % 3 else 0)}",
                "time": START - timedelta(days=shift, minutes=count - n),
                "received": received,
            }
            for n in range(count)
        ]
    )


def segue(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    models = "".join(f'[models.{name}]\nlearner = "{name}"\n' for name in learners())
    (tmp_path / "segue.toml").write_text(models)
    return tmp_path


def arrays(workspace: Path) -> dict[str, bytes]:
    """What the current run of every model holds, but for when it was made."""
    found = {}
    for current in workspace.glob("models/*/current"):
        run = current.parent / current.read_text().strip()
        for file in run.rglob("*"):
            if file.is_file() and file.name != "manifest.json":
                found[f"{current.parent.name}/{file.relative_to(run)}"] = file.read_bytes()
    return found


@pytest.mark.slow
def test_a_model_as_of_a_moment_is_the_model_of_that_moment(workspace: Path) -> None:
    lake = Lake(workspace / "lake")
    catalog = pl.DataFrame({"id": [f"i{n}" for n in range(ITEMS)], "title": [f"thing {n % 7}" for n in range(ITEMS)]})
    kinds = pl.Series([[f"kind {n % 3}"] for n in range(ITEMS)])
    lake.put_items(catalog.with_columns(categories=kinds, received=moment(0)), "catalog")
    lake.append_events(events(400, 0, moment(0)), "first")
    assert segue("-C", workspace, "train").exit_code == 0
    then = arrays(workspace)
    assert len(then) >= len(learners())
    lake.append_events(events(300, 1_000, moment(10), late=True), "second")
    assert segue("-C", workspace, "train").exit_code == 0
    assert arrays(workspace) != then, "what came since changes the models"
    trained = segue("-C", workspace, "train", "--as-of", moment(5).isoformat(), "--json")
    assert trained.exit_code == 0, trained.output
    assert arrays(workspace) == then
    assert {row["as_of"] for row in json.loads(trained.stdout)} == {moment(5).isoformat()}
    for current in workspace.glob("models/*/current"):
        manifest = json.loads((current.parent / current.read_text().strip() / "manifest.json").read_text())
        assert datetime.fromisoformat(manifest["extra"]["as_of"]) == moment(5)


def test_an_evaluation_as_of_a_moment_is_that_of_the_moment(workspace: Path) -> None:
    lake = Lake(workspace / "lake")
    lake.append_events(events(400, 0, moment(0)), "first")

    def judged(*words: str) -> dict[str, object]:
        done = segue("-C", workspace, "evaluate", "popularity", "--json", *words)
        assert done.exit_code == 0, done.output
        said = json.loads(done.stdout)
        return {"people": said["evaluation"]["people"], "metrics": said["evaluation"]["models"][0]["metrics"]}

    then = judged()
    lake.append_events(events(300, 1_000, moment(10)), "second")
    assert judged() != then
    assert judged("--as-of", moment(5).isoformat()) == then


@pytest.mark.parametrize(
    ("said", "words"), [("soon", "no ISO 8601 time"), ("2999-01-01", "yet to come"), ("2026-13-01", "no ISO 8601")]
)
def test_a_moment_that_is_none_or_to_come_is_refused(workspace: Path, said: str, words: str) -> None:
    refused = segue("-C", workspace, "train", "--as-of", said)
    assert refused.exit_code == 2
    assert words in refused.stderr
