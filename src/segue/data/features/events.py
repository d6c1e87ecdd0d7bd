"""The events that features are made of, with what the catalog said of their items at the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from segue.data.features.settings import Feature
from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

CATEGORY: Final = "category"


def with_categories(snapshot: Snapshot, wanted: Mapping[str, Feature]) -> pl.LazyFrame:
    """The events; where a feature asks for it with `category`, the item's first, as it was known by then."""
    asked = {name for feature in wanted.values() for name in (*feature.of, feature.what)}
    if CATEGORY not in asked:
        return snapshot.events()
    return snapshot.events_with_items().with_columns(pl.col(f"item_{columns.CATEGORIES}").list.first().alias(CATEGORY))


__all__ = ["CATEGORY", "with_categories"]
