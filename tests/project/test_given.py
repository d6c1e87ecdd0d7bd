"""What the methods of a project refuse, so that nothing wrong is read as something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue import Project, SegueError


@pytest.fixture(scope="module")
def project(made: Path) -> Project:
    return Project.open(made)


REFUSED: list[tuple[str, Callable[[Any], object]]] = [
    ("no split is called 'lost'\n  → did you mean 'last'?", lambda p: p.evaluate(split="lost")),
    ("no split is called 'lost'", lambda p: p.split("lost")),
    ("models: expected a list, found 'ease' alone\n  → give models=['ease']", lambda p: p.evaluate("ease")),
    ("models: expected a list", lambda p: p.train("ease")),
    ("slices: expected a list", lambda p: p.evaluate(slices="activity")),
    ("did you mean 'days'?", lambda p: p.learning_curve(along="dayz")),
    ("points: expected a whole number from 2 to 12, found 0", lambda p: p.learning_curve(points=0)),
    ("budget: expected a number above 0, found -1", lambda p: p.tune(budget=-1)),
    ("trials: expected a whole number of 1 or more, found 0", lambda p: p.tune(trials=0)),
    ("history: expected a list, found 'i1' alone", lambda p: p.recommend(history="i1")),
    ("users: expected a list, found 'u00001' alone", lambda p: p.compare(users="u00001")),
    ("history: an id is text or a whole number, found 1.5", lambda p: p.recommend(history=[1.5])),
    ("k: expected a whole number from 1 to 200, found 'a'", lambda p: p.recommend("u00001", k="a")),
    ("k: expected a whole number from 1 to 200, found -1", lambda p: p.similar("i0001", k=-1)),
    ("k: expected a whole number from 1 to 200, found 0", lambda p: p.compare(k=0)),
    ("k: expected a whole number from 1 to 200, found True", lambda p: p.recommend_all("lists.csv", k=True)),
    ("item: an id is text or a whole number, found None", lambda p: p.similar(None)),
    ("no item is called '50'", lambda p: p.similar(50)),
    ("model: expected text, found ['ease']", lambda p: p.recommend("u00001", model=["ease"])),
    ("as_of: expected a datetime", lambda p: p.train(as_of="2026-01-31")),
]


@pytest.mark.parametrize(("message", "act"), REFUSED, ids=[message for message, _ in REFUSED])
def test_what_is_wrong_is_refused_in_words(project: Project, message: str, act: Callable[[Any], object]) -> None:
    with pytest.raises(SegueError) as caught:
        act(project)
    assert message in str(caught.value)


def test_ids_that_are_numbers_are_taken_as_numbers(project: Project, tmp_path: Path) -> None:
    assert "nobody knows 50, 51" in project.recommend(history=[50, np.int64(51)], k=2).title
    assert list(project.compare(users=[196], k=2).lists) == ["196"]
    project.recommend(196, k=2).write(str(tmp_path / "list.csv"))
    assert (tmp_path / "list.csv").read_text().count("\n") == 3
