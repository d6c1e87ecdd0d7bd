"""What may be declared about evaluation."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from segue.measure.settings import EvaluationSettings


def test_lists_of_several_lengths_may_be_declared():
    said = msgspec.convert({"split": "last", "k": [1, 10], "seen": "ranked"}, EvaluationSettings)
    assert (said.split, said.k, said.seen) == ("last", (1, 10), "ranked")


@pytest.mark.parametrize(
    "said",
    [
        {"split": "tiem"},
        {"k": []},
        {"k": [0]},
        {"k": [5000]},
        {"test_fraction": 0},
        {"test_fraction": 1},
        {"test_days": 0},
        {"last": 0},
        {"bootstrap": 1},
        {"confidence": 1},
        {"seed": -1},
        {"sed": 1},
    ],
)
def test_what_cannot_be_meant_is_refused(said):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, EvaluationSettings)


def test_reading_a_declaration_loads_nothing_heavy():
    code = "import sys, segue.measure.settings; print([m for m in ('numpy', 'scipy', 'polars') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
