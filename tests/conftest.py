"""What all tests share: where the real data are, a plain word about what was left out, and who shares a machine."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

DATA = Path(os.environ.get("SEGUE_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
REQUIRE_ALL = "SEGUE_REQUIRE_ALL"  # set by .ci/run: whatever was left out is a failure
LEFT_OUT = pytest.StashKey[set[str]]()
LONGEST = (  # files of half a minute and more: a worker that took one last would leave the other without work
    "learn/test_contract.py",
    "demo/test_examples.py",
    "serve/test_durability.py",
    "docs/test_pages.py",
    "demo/test_shop.py",
    "data_lake/test_drain.py",
    "project/test_report_real.py",
    "learn/test_threads.py",
    "data_lake/test_upkeep.py",
    "data_in/test_quality_quarantine.py",
    "data_in/test_ingest_fast.py",
)

# Machines are shared and noisy: how long one example takes says nothing.
settings.register_profile("house", deadline=None, print_blob=True)
settings.register_profile("quick", settings.get_profile("house"), max_examples=10)  # `make check`
settings.load_profile(os.environ.get("SEGUE_PROFILE", "house"))
QUICK = settings.get_profile("quick").max_examples if os.environ.get("SEGUE_PROFILE") == "quick" else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data sets: SEGUE_DATA, or ../shared/data beside the clone."""
    return DATA


def pytest_configure(config: pytest.Config) -> None:
    """Where everything is required, refuse before the first test to go on without the data."""
    config.stash[LEFT_OUT] = set()
    if os.environ.get(REQUIRE_ALL) and not DATA.is_dir():
        raise pytest.UsageError(f"all tests are required, and there are no real data in {DATA}; SEGUE_DATA names them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that read real data where there are none; begin with the longest files and with services."""
    if not DATA.is_dir():
        left_out = [item for item in items if item.get_closest_marker("data")]
        items[:] = [item for item in items if not item.get_closest_marker("data")]
        config.hook.pytest_deselected(items=left_out)
        config.stash[LEFT_OUT] |= {item.nodeid for item in left_out}
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (ranks.get(item.path, len(ranks)), not _serves(item)))
    if QUICK:
        _fewer_examples(items, QUICK)


def pytest_collectstart() -> None:
    """No garbage is looked for while tests are collected: what they import stays."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is loaded by now stays: garbage is looked for among what comes after it."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Whoever counts at the end what was left behind may see it go."""
    gc.unfreeze()


def _fewer_examples(items: list[pytest.Item], most: int) -> None:
    """Also where a test names a number of its own, which wins over that of a profile."""
    for item in items:
        test = getattr(item, "obj", None)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if own is not None and own.max_examples > most:
            test = getattr(test, "__func__", test)  # of a method: its function
            test._hypothesis_internal_use_settings = settings(own, max_examples=most)


def _serves(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("service", "browser"))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker of xdist left out."""
    node.config.stash[LEFT_OUT] |= set(getattr(node, "workeroutput", {}).get("left_out", []))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is required, a test that was skipped is a failure of the run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = sorted(session.config.stash[LEFT_OUT])
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRE_ALL) and reporter is not None and reporter.stats.get("skipped"):
        reporter.line("")
        reporter.line("all tests are required, and some were skipped", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which tests did not run."""
    if DATA.is_dir():
        return
    terminalreporter.section("left out: tests that read real data")
    terminalreporter.line(f"there is no {DATA}; SEGUE_DATA names another folder")
    for name in sorted(config.stash[LEFT_OUT]):
        terminalreporter.line(f"  {name}")
