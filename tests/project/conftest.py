"""A small shop, from its files to a release, made once by the real commands; tests that change it take a copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from segue.cli import main
from segue.simulate.world import World

Run = Callable[..., Result]


def segue(*words: object) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def told(*words: object) -> Any:
    """What a command prints as JSON."""
    result = segue(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a world, broken rows among them."""
    folder = tmp_path_factory.mktemp("world")
    World("shop", seed=3, people=300, items=120, days=28).write(folder)
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Path:
    """A workspace with everything done up to a release."""
    shop = tmp_path_factory.mktemp("made") / "shop"
    events, items, users = files / "events-*.csv", files / "items.jsonl", files / "users.csv"
    assert segue("init", shop, "--events", events, "--items", items, "--users", users).exit_code == 0
    for command in ("ingest", "train", "release"):
        assert segue("-C", shop, command).exit_code == 0
    return shop


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to change at will."""
    return shutil.copytree(made, tmp_path / "shop")
