"""The same lists measured by ranx 0.3.20, ir-measures 0.3.7 and RecTools 0.17.0: `python benchmarks/reference.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segue.domain.requests import Histories
from segue.measure.exposure import popularity
from segue.measure.familiarity import Familiarity
from segue.measure.lists import Lists
from segue.measure.metrics import ACCURACY, accuracy, coverage, novelty

REFERENCE: dict[str, Any] = json.loads((Path(__file__).parent / "reference.json").read_text())
CASES, CUTS = REFERENCE["cases"], REFERENCE["cuts"]
LENGTH = max(len(case["list"]) for case in CASES)
KNOWN = Familiarity(np.array(REFERENCE["known_by"]), REFERENCE["people"])


@pytest.fixture(scope="module")
def lists() -> Lists:
    return np.array([case["list"] + [-1] * (LENGTH - len(case["list"])) for case in CASES], np.int32)


@pytest.fixture(scope="module")
def values(lists) -> dict[str, np.ndarray]:
    return accuracy(lists, Histories.of([case["truth"] for case in CASES]), CUTS)


@pytest.mark.parametrize("library", ["ranx", "ir-measures", "rectools"])
@pytest.mark.parametrize("metric", ACCURACY)
def test_accuracy_is_what_the_library_says(values, library, metric):
    for k in CUTS:
        assert values[f"{metric}@{k}"] == pytest.approx(REFERENCE[library][f"{metric}@{k}"], abs=1e-9), k


def test_what_lists_are_made_of_is_what_rectools_says(lists):
    by_rectools = REFERENCE["rectools"]
    for k in CUTS:
        assert novelty(lists, KNOWN, [k])[f"novelty@{k}"] == pytest.approx(by_rectools[f"novelty@{k}"], abs=1e-9)
        people = popularity(lists, KNOWN, [k])[f"popularity@{k}"] * KNOWN.people  # AvgRecPopularity counts people
        assert people == pytest.approx(by_rectools[f"popularity@{k}"], abs=1e-9)
        assert coverage(lists, len(KNOWN.known_by), [k])[f"coverage@{k}"] == pytest.approx(by_rectools[f"coverage@{k}"])


def test_rectools_own_ndcg_wants_k_relevant_items_of_everybody(values):
    """Its default is lower for exactly those who have fewer than k, by the ratio of the best gains."""
    gains = np.cumsum(1 / np.log2(np.arange(2, 22)))
    for k in CUTS:
        relevant = np.array([min(len(case["truth"]), k) for case in CASES])
        ours = values[f"ndcg@{k}"] * gains[relevant - 1] / gains[k - 1]
        assert ours == pytest.approx(REFERENCE["rectools"][f"ndcg_by_k@{k}"], abs=1e-9)


def test_the_cases_are_hard():
    """Lists shorter than k, and truths shorter and longer than lists: else agreement says little."""
    lengths = [(len(case["list"]), len(case["truth"])) for case in CASES]
    assert min(length for length, _ in lengths) == 1
    assert any(truth > max(CUTS) for _, truth in lengths)
    assert any(length < truth for length, truth in lengths)
    assert any(length < max(CUTS) and length > truth for length, truth in lengths)
