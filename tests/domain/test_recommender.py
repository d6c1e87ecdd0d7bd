"""What recommenders give back: reasons of long histories are light."""

from __future__ import annotations

import gc

import pytest

from segue.domain.recommender import Contribution


def test_a_contribution_is_nothing_that_the_garbage_collector_walks() -> None:
    """A list of ten for somebody with 100,000 events has a million of them."""
    made = Contribution(0.5, 3)
    assert (made, made.label) == (Contribution(score=0.5, item=3, label=""), "")
    assert not gc.is_tracked(made)
    with pytest.raises(AttributeError):
        made.score = 1.0  # type: ignore[misc]
