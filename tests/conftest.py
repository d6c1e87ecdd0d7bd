"""What all tests share: where the real data are, and a plain word about what was left out without them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("SEGUE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
LEFT_OUT = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets: SEGUE_DATA, or ../shared/data beside the clone."""
    return DATA


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that read real data where there are none; with SEGUE_REQUIRE_ALL that is an error."""
    config.stash[LEFT_OUT] = []
    if DATA.is_dir():
        return
    left_out = [item for item in items if item.get_closest_marker("data")]
    if left_out and os.environ.get("SEGUE_REQUIRE_ALL"):
        raise pytest.UsageError(f"{len(left_out)} tests read real data, and there are none in {DATA}")
    items[:] = [item for item in items if not item.get_closest_marker("data")]
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = [item.nodeid for item in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests did not run."""
    if DATA.is_dir():
        return
    terminalreporter.section("left out: tests that read real data")
    terminalreporter.line(f"there is no {DATA}; SEGUE_DATA names another folder")
    for name in config.stash.get(LEFT_OUT, []):
        terminalreporter.line(f"  {name}")
