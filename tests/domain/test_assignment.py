"""Assignment against GrowthBook's own cases, and what any experiment may rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.assignment import assign, bucket_ranges, choose, fnv1a32, unit_interval

# The SDK makes weights equal where there are none or they do not sum to 1; `Experiment.shares` always hands over
# normalised shares, one a variant, so these three cases have nothing to say about us.
MENDED_BY_THE_SDK = {
    "weights sum below 1",
    "weights sum above 1",
    "weights.length not equal to num variations",
}


@pytest.fixture
def cases(data_dir: Path) -> dict[str, list[list[Any]]]:
    """github.com/growthbook/growthbook, packages/sdk-js/test/cases.json at 8f1db44 (MIT)."""
    text = (data_dir / "growthbook-sdk" / "cases.json").read_text()
    return json.loads(text)["cases"]


@pytest.mark.data
def test_the_hash_is_growthbooks_version_2(cases):
    vectors = [(seed, value, place) for seed, value, version, place in cases["hash"] if version == 2]
    assert len(vectors) == 7
    for seed, value, place in vectors:
        assert unit_interval(seed, value) == place


@pytest.mark.data
def test_bucket_ranges_are_growthbooks(cases):
    ours = [case for case in cases["getBucketRange"] if case[0] not in MENDED_BY_THE_SDK]
    assert len(ours) == 10
    for name, (count, coverage, weights), expected in ours:
        ranges = bucket_ranges(weights or [1 / count] * count, coverage)
        assert np.allclose(ranges, expected, atol=1e-12), name


@pytest.mark.data
def test_choices_are_growthbooks(cases):
    assert len(cases["chooseVariation"]) == 13
    for name, place, ranges, expected in cases["chooseVariation"]:
        assert choose(place, ranges) == (None if expected == -1 else expected), name


def test_fnv1a_of_known_texts():
    """Test vectors of draft-eastlake-fnv-17, appendix C: "", "a" and "foobar"."""
    assert fnv1a32("") == 0x811C9DC5
    assert fnv1a32("a") == 0xE40C292C
    assert fnv1a32("foobar") == 0xBF9CF968


@given(st.text(), st.text())
def test_a_place_is_a_ten_thousandth_of_the_unit_interval(seed, unit):
    place = unit_interval(seed, unit)
    assert 0 <= place < 1
    assert round(place * 10_000) == pytest.approx(place * 10_000)
    assert place == unit_interval(seed, unit)


@given(st.text(), st.lists(st.floats(0.01, 10), min_size=1, max_size=6))
def test_with_full_coverage_everybody_takes_part(unit, weights):
    shares = np.array(weights) / sum(weights)
    assert assign("seed", unit, list(shares)) is not None


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_more_coverage_keeps_who_takes_part_where_they_are(unit, one, other):
    low, high = sorted([one, other])
    before = assign("seed", unit, [0.5, 0.5], low)
    if before is not None:
        assert assign("seed", unit, [0.5, 0.5], high) == before


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.1, 0.9], [0.2, 0.3, 0.5]])
def test_variants_get_their_shares(weights):
    units = 20_000
    counts = np.bincount([assign("checkout", f"u:{unit}", weights) for unit in range(units)])
    assert np.abs(counts / units - weights).max() < 4 * 0.5 / np.sqrt(units)


def test_two_experiments_are_independent():
    units = [f"u:{unit}" for unit in range(20_000)]
    one = np.array([assign("one", unit, [0.5, 0.5]) for unit in units])
    other = np.array([assign("other", unit, [0.5, 0.5]) for unit in units])
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(units))
