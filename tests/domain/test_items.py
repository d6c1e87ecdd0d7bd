"""A vocabulary of items keeps ids and positions together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segue.domain.items import UNKNOWN, Items

ids = st.lists(st.text(max_size=5), unique=True, max_size=30)


@given(ids)
def test_every_id_is_found_where_it_stands(names):
    items = Items(names)
    assert items.positions(names).tolist() == list(range(len(names)))
    assert [items[position] for position in range(len(items))] == names
    assert all(items.position(name) == place and name in items for place, name in enumerate(names))


@given(ids, st.text(max_size=5))
def test_what_is_not_there_is_unknown(names, other):
    items = Items(name for name in names if name != other)
    assert items.position(other) == UNKNOWN
    assert other not in items


@given(ids, ids)
def test_a_translation_finds_the_same_id(one, other):
    source, target = Items(one), Items(other)
    translation = source.translation(target)
    assert translation.dtype == np.int32
    for position, place in enumerate(translation):
        assert (place == UNKNOWN) == (source[position] not in target)
        assert place == UNKNOWN or target[place] == source[position]


@given(ids)
def test_canonical_is_sorted_and_says_where_from(names):
    items = Items(names)
    canonical, order = items.canonical()
    assert list(canonical.ids) == sorted(names)
    assert items.take(order) == list(canonical.ids)


def test_equality_is_of_ids_in_their_order():
    assert Items(["a", "b"]) == Items(["a", "b"])
    assert hash(Items(["a", "b"])) == hash(Items(["a", "b"]))
    assert Items(["a", "b"]) != Items(["b", "a"])
    assert Items(["a"]) != ("a",)
    assert repr(Items(["a", "b"])) == "Items(2 ids)"
    assert Items(["a"]).positions([]).dtype == np.int32
