"""What the catalog says of items reaches learners, whatever the dataset went through, and as it was at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from segue.data.interactions import interactions
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.data.split.split import split_random
from segue.domain.catalog import Item
from segue.domain.errors import DataError
from segue.engines.content import CONTENT, content_of
from segue.engines.engine import Key
from segue.engines.local import LocalEngine
from segue.engines.memory import LIMIT, available_bytes, refuse_beyond_memory

JANUARY, MARCH = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def lake_of(folder: Path) -> Lake:
    lake = Lake(folder / "lake")
    catalog = pl.DataFrame({"id": ["lamp", "sofa"], "title": ["Lamp", "Sofa"], "categories": [["light"], ["seat"]]})
    lake.put_items(catalog.with_columns(received=pl.lit(JANUARY)), "catalog")
    events = pl.DataFrame({"id": list("1234"), "user": ["ann", "ann", "bob", "bob"], "item": ["lamp", "cup"] * 2})
    lake.append_events(events.with_columns(type=pl.lit("view"), received=pl.lit(JANUARY)), "events")
    lake.put_items(pl.DataFrame({"id": ["desk"], "title": ["Desk"], "received": [MARCH]}), "later")
    return lake


def test_items_of_the_catalog_that_nobody_touched_are_in_the_vocabulary_and_told(tmp_path: Path) -> None:
    dataset = interactions(lake_of(tmp_path).snapshot(), EventSource())
    assert sorted(dataset.items.ids) == ["cup", "desk", "lamp", "sofa"]
    told = dict(zip(dataset.items.ids, dataset.content["title"].to_pylist(), strict=True))
    assert told == {"cup": "", "desk": "Desk", "lamp": "Lamp", "sofa": "Sofa"}


def test_content_goes_with_a_dataset_through_prepare_map_and_split(tmp_path: Path) -> None:
    dataset = interactions(lake_of(tmp_path).snapshot(), EventSource())
    engine = LocalEngine(cache=tmp_path / "cache")
    prepared = engine.prepare(dataset, Key.USER)
    for made in (prepared, engine.map(lambda batch: batch, prepared), split_random(prepared, 0.5).train):
        assert made.content is not None
        assert made.content.equals(dataset.content)


def test_a_catalog_that_changed_is_seen_by_data_that_were_prepared_before(tmp_path: Path) -> None:
    lake, engine = lake_of(tmp_path), LocalEngine()
    engine.prepare(interactions(lake.snapshot(), EventSource()), Key.USER)
    lake.put_items(pl.DataFrame({"id": ["lamp"], "title": ["Lantern"]}), "mended")
    again = engine.prepare(interactions(lake.snapshot(), EventSource()), Key.USER)
    assert again.content is not None
    assert "Lantern" in again.content["title"].to_pylist()


def test_as_of_a_moment_the_catalog_is_what_it_was(tmp_path: Path) -> None:
    dataset = interactions(lake_of(tmp_path).snapshot(datetime(2026, 2, 1, tzinfo=UTC)), EventSource())
    assert sorted(dataset.items.ids) == ["cup", "lamp", "sofa"]
    assert dataset.rows == 4


def test_content_has_a_row_for_every_item_also_for_unknown_ones() -> None:
    released = datetime(1970, 1, 2, tzinfo=UTC)
    table = content_of([None, Item("a", released=released, attributes={"n": 1, "tags": ["x", "y"], "none": None})])
    assert table.schema == CONTENT
    assert table["attributes"].to_pylist() == [[], ["n=1", "tags=x", "tags=y"]]
    assert table["released"].to_pylist() == [None, 86_400_000_000]


def test_what_needs_more_memory_than_there_is_is_refused_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "1000")
    assert available_bytes() == 1000
    refuse_beyond_memory(1000, "a model", "less")
    with pytest.raises(DataError, match="a model needs about"):
        refuse_beyond_memory(1001, "a model", "take less")
