"""A small share of the fuzzing that `python -m tests.fuzz.readers` does."""

from __future__ import annotations

import pytest

from tests.fuzz.readers import mutated


@pytest.mark.slow
def test_no_input_of_some_thousands_crashes_or_changes_a_value() -> None:
    mutated(inputs=1_500, seed=7)
