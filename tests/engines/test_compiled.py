"""Compiled kernels are taken from the cache as long as nothing that was compiled into them has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

KERNEL = """
from numba import int64
from segue.engines.compiled import compiled
from knots.middle import doubled

@compiled(int64())
def told() -> int:
    return doubled()
"""
MIDDLE = """
from numba import int64
from segue.engines.compiled import compiled
from knots.inner import NUMBER

@compiled(int64())
def doubled() -> int:
    return 2 * NUMBER
"""


@pytest.mark.slow
def test_a_kernel_is_compiled_again_where_a_file_changed_that_it_is_made_of(tmp_path: Path) -> None:
    """As after an upgrade: the cache itself looks at the kernel's own file only."""
    package = tmp_path / "knots"
    package.mkdir()
    for name, text in (("__init__", ""), ("kernels", KERNEL), ("middle", MIDDLE)):
        (package / f"{name}.py").write_text(text)
    cache = tmp_path / "cache"
    assert told(package, 1, cache) == 2
    first = made(cache)
    assert told(package, 1, cache) == 2
    assert made(cache) == first, "nothing changed, so it came from the cache"
    assert told(package, 3, cache) == 6


def told(package: Path, number: int, cache: Path) -> int:
    """What the kernel says, in a process of its own, where the file that it imports by another says this number."""
    (package / "inner.py").write_text(f"NUMBER = {number}\n")
    environment = os.environ | {"PYTHONPATH": str(package.parent), "XDG_CACHE_HOME": str(cache), "NUMBA_CACHE_DIR": ""}
    command = [sys.executable, "-B", "-c", "from knots.kernels import told; print(told())"]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def made(cache: Path) -> dict[Path, int]:
    """The files of the cache, each with when it was written."""
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*.nb*")}
