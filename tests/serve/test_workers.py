"""A worker is ready when it is: kernels are loaded before the first request, and sums keep to one thread."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segue.serve.run import ONE_THREAD
from tests.serve.conftest import Running

THREADS = """
import ctypes, re, sys
from segue.serve import run
from segue.serve.settings import ServeSettings
assert "numpy" not in sys.modules
board = run._board(ServeSettings())
board.path.unlink()
libraries = {line.split()[-1] for line in open("/proc/self/maps") if "openblas" in line}
counts = []
for library in map(ctypes.CDLL, libraries):
    for name in ("scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_", "openblas_get_num_threads"):
        if hasattr(library, name):
            counts.append(getattr(library, name)())
print(counts)
"""


@pytest.mark.parametrize(("given", "counts"), [({}, "[1]"), ({"OPENBLAS_NUM_THREADS": "2"}, "[2]")])
def test_sums_keep_to_one_thread_unless_the_operator_says_otherwise(given: dict[str, str], counts: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD} | given
    said = subprocess.run([sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == counts


@pytest.mark.service
@pytest.mark.slow
def test_workers_have_their_kernels_when_they_are_ready(up: Running) -> None:
    for worker in up.service.workers():
        assert "numba/_dispatcher" in Path(f"/proc/{worker}/maps").read_text()
