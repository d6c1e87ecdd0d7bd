"""What models say of the form that they took, and of what they leave out."""

from __future__ import annotations

from typing import Any

import pytest

from segue.engines.local import LocalEngine
from segue.learn.learner import learner
from segue.testing.datasets import mixed

NOTES = [
    ("ease", {"min_people": 1}, "dense: 24 x 24 weights; 1 of 25 items are left out and score 0"),
    ("ease", {"max_items": 5}, "dense: 5 x 5 weights; 20 of 25 items are left out and score 0"),
    ("ease", {"max_items": 5, "keep": 2}, "sparse: 10 weights; 20 of 25 items are left out and score 0"),
    ("slist", {"max_items": 5}, "dense: 2 x 5 x 5 weights; 20 of 25 items are left out and score 0"),
    ("basket", {"max_items": 5, "min_baskets": 1, "k": 3}, "counted densely, 5 x 5 pairs; kept sparse, 3 of each"),
    ("item_knn", {"k": 4}, "sparse: 4 neighbours of each item at most"),
    ("blend", {"parts": ["popularity", {"learner": "item_knn", "k": 4}]}, "weighs popularity "),
    ("spectral", {"k": 4, "factors": 3, "alpha": 0}, "sparse: 4 neighbours of each item at most, and products of 3"),
    ("als", {"factors": 3}, "factors: 3 of each item"),
    ("popularity", {}, ""),
]


@pytest.mark.parametrize(("name", "params", "note"), NOTES)
def test_a_model_says_which_form_it_took(name: str, params: dict[str, Any], note: str) -> None:
    model: Any = learner(name, params).fit(LocalEngine(), mixed())
    assert model.note.startswith(note)
    assert bool(model.note) == bool(note)
