"""What a user sees first: the public names, how light the import is, how much is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import segue

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "pyarrow", "polars", "scipy", "numba", "deltalake", "granian", "jinja2", "rich", "click", "msgspec"}
NAMES = [
    "Decision",
    "Event",
    "Experiment",
    "Histories",
    "Item",
    "Items",
    "Learner",
    "Project",
    "Recommender",
    "Requests",
    "SegueError",
    "World",
    "__version__",
]


def test_the_public_names_are_these() -> None:
    assert sorted(segue.__all__) == NAMES
    assert len(NAMES) <= 30
    for name in NAMES:
        assert getattr(segue, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(segue, "Projekt")


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_segue_loads_nothing_heavy() -> None:
    assert not loaded_by("import segue") & HEAVY


def test_the_command_line_loads_what_it_needs_and_no_more() -> None:
    assert not loaded_by("import segue.cli") & (HEAVY - {"click"})


def test_the_base_install_has_at_most_30_packages() -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "base.txt").read_text(), re.MULTILINE))
    assert 10 < len(locked) <= 30


def test_what_is_locked_names_no_host() -> None:
    for path in (ROOT / "requirements").iterdir():
        assert "://" not in path.read_text()
