"""Import maps by name: which there are, what they say where the declaration says nothing, and what ingestion tells."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.convert.events import ITEMLESS
from segue.data.ingest.ingest import ingest_events
from segue.data.lake.lake import Lake
from segue.data.maps.registry import maps, resolved
from segue.data.settings import EventColumns, EventSource, ItemSource
from segue.declaration import loads
from segue.domain.errors import DeclarationError, UnknownName
from tests.data_in.mapping import json_lines, taken
from tests.data_in.test_maps_events import CLOUD_EVENTS, GA4_ROWS, SEGMENT_CALLS, SNOWPLOW_EVENTS, UBI_RECORDS

EVENTS = {
    "segment": SEGMENT_CALLS,
    "snowplow": SNOWPLOW_EVENTS,
    "ubi": UBI_RECORDS,
    "cloudevents": CLOUD_EVENTS,
    "ga4": GA4_ROWS,
}


def test_the_built_in_maps_come_in_by_the_entry_points() -> None:
    assert set(maps()) >= {*EVENTS, "movielens", "lightgcn", "schema_org", "google"}
    assert all(found.name == name and found.specification.startswith("https://") for name, found in maps().items())


def test_the_declaration_has_what_the_map_says_and_goes_before_it() -> None:
    said = loads(
        '[events]\nmap = "segment"\n[events.columns]\nitem = "product.sku"\n[events.types]\nsearch = 0.5'
    ).declaration
    assert said.events.columns.item == "product.sku"
    assert said.events.columns.user == "userId"
    assert (said.events.type_weight("search"), said.events.type_weight("Order Completed")) == (0.5, 5.0)


def test_what_a_map_says_has_the_map_as_its_origin() -> None:
    said = {each.key: each.origin for each in loads('[events]\nmap = "segment"\ntimezone = "Europe/Berlin"').origins()}
    assert said["events.columns.user"] == said["events.types.Order Completed"] == 'map "segment"'
    assert (said["events.timezone"], said["events.map"]) == ("segue.toml:3", "segue.toml:2")
    assert said["events.columns.session"] == said["items.columns.id"] == "default"


def test_what_a_map_says_twice_it_says_once() -> None:
    once = resolved(EventSource(map="ga4", types={"purchase": 9.0}))
    assert resolved(once) == once
    assert (once.time_format, once.types["purchase"]) == ("epoch_us", 9.0)


def test_an_unknown_map_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'segment'"):
        loads('[events]\nmap = "segmnt"')


def test_a_map_of_events_reads_no_catalog() -> None:
    with pytest.raises(DeclarationError, match="these do: google, movielens, schema_org"):
        resolved(ItemSource(map="segment"))


def test_ingestion_counts_what_is_left_out_and_reads_nothing_twice(tmp_path: Path) -> None:
    lake, path = Lake(tmp_path / "lake"), json_lines(tmp_path, SEGMENT_CALLS)
    source = EventSource(map="segment")
    first = ingest_events(lake, source, [path], tmp_path, datetime.now(UTC))[0]
    assert first.left_out == {"a call of page": 1, "Signed Up: it names no product": 1}
    assert first.rows == first.kept + sum(first.quarantined.values()) + 2
    again = ingest_events(lake, source, [path], tmp_path, datetime.now(UTC))[0]
    assert again.skipped
    copy = json_lines(tmp_path, reversed(SEGMENT_CALLS), "copy.jsonl")
    third = ingest_events(lake, source, [copy], tmp_path, datetime.now(UTC))[0]
    assert (third.kept, third.duplicates) == (0, first.kept)


def test_a_file_that_the_map_does_not_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "user_list.txt"
    path.write_text("org_id remap_id\n343 0\n")
    report = ingest_events(Lake(tmp_path / "lake"), EventSource(map="lightgcn"), [path], tmp_path, datetime.now(UTC))[0]
    assert (report.rows, report.note) == (0, "the map reads no such file; it was left out")


def test_a_column_of_objects_is_kept_without_a_map(tmp_path: Path) -> None:
    path = json_lines(tmp_path, [{"u": "a", "i": "x", "c": {"k": 1.50}}, {"u": "a", "i": "x", "c": "no"}])
    source = EventSource(columns=EventColumns(user="u", item="i", context="c"))
    found = taken(path, source)
    assert found.column("context") == ['{"k":1.5}']
    assert found.reasons == ["the context is no JSON object"]


# Whatever JSON stands where a map expects something, each record is kept, broken or left out.

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just("(not set)"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def _damaged(draw: st.DrawFn, records: list[dict[str, Any]]) -> dict[str, Any]:
    """A record of a map with anything in place of some of its values, at any depth."""
    return _replaced(draw, draw(st.sampled_from(records)))


def _replaced(draw: st.DrawFn, value: Any) -> Any:
    if draw(st.integers(0, 5)) == 0:
        return draw(ANY)
    if isinstance(value, dict):
        return {key: _replaced(draw, inner) for key, inner in value.items()}
    return [_replaced(draw, inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EVENTS))
@given(data=st.data())
def test_each_record_is_kept_broken_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    damaged = _damaged(EVENTS[name]).filter(lambda record: isinstance(record, dict))
    records = data.draw(st.lists(damaged, min_size=1, max_size=4))
    path = json_lines(tmp_path_factory.getbasetemp(), records, f"{name}.jsonl")
    columns = EventColumns(user="data.user", item="data.product.sku") if name == "cloudevents" else EventColumns()
    source = EventSource(map=name, columns=columns, order="file")
    found = taken(path, source)
    told = {*found.column("order"), *(broken.line for broken in found.broken)}
    assert len(told) + sum(found.left_out.values()) == len(records)
    assert all(row["item"] or row["type"] in ITEMLESS for row in found.rows)
    assert all(broken.reason and broken.raw for broken in found.broken)
    assert taken(path, source).column("id") == found.column("id")
