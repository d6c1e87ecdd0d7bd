"""The same data, seed and settings give the same model on one thread and on two; where not to the byte, how nearly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segue.learn.learner import learners

ROOT = Path(__file__).resolve().parents[2]

# LAPACK and BLAS add in an order that hangs on the number of their threads: such models agree this nearly, relative
# to the largest score (docs/models.md says so). All others are the same to the byte.
TOLERANCE = {"ease": 1e-4, "slist": 1e-4, "spectral": 1e-4, "als": 1e-3, "blend": 1e-3}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("threads")
    for threads in (1, 2):
        subprocess.run([sys.executable, "-m", "tests.learn.threads", str(threads), str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(learners()))
def test_one_thread_and_two_learn_the_same(fitted: Path, name: str) -> None:
    one, two = (np.load(fitted / f"{name}-{threads}.npz") for threads in (1, 2))
    if name not in TOLERANCE:
        np.testing.assert_array_equal(one["saved"], two["saved"])
    np.testing.assert_allclose(
        one["scores"], two["scores"], rtol=0, atol=TOLERANCE.get(name, 0) * np.abs(one["scores"]).max()
    )
