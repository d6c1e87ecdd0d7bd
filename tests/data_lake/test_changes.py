"""The catalog and the people as they were: history, reads as of a moment, and events with what was known by then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.ingest.ingest import ingest_events, ingest_items, ingest_users
from segue.data.lake.changes import changes, met
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource, ItemColumns, ItemSource, UserColumns, UserSource
from tests.data_lake.world import TIME, frame, moment


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def items(minutes: float, **prices: float) -> pl.DataFrame:
    received = pl.Series([moment(minutes)] * len(prices), dtype=TIME)
    return pl.DataFrame({"id": list(prices), "price": list(prices.values()), "received": received})


def test_an_items_history_is_each_change_with_its_time(lake: Lake) -> None:
    lake.put_items(items(0, x=1.0, y=5.0), "b1")
    lake.put_items(items(10, x=1.0, y=6.0), "b2")  # nothing new of x
    lake.put_items(items(20, x=2.0), "b3")
    history = lake.snapshot().item_changes().select("id", "price", "valid_from", "valid_to").collect()
    assert history.rows() == [
        ("x", 1.0, moment(0), moment(20)),
        ("x", 2.0, moment(20), None),
        ("y", 5.0, moment(0), moment(10)),
        ("y", 6.0, moment(10), None),
    ]
    then = lake.snapshot(moment(15)).item_changes().select("id", "price", "valid_to").collect()
    assert then.rows() == [("x", 1.0, None), ("y", 5.0, moment(10)), ("y", 6.0, None)]


def test_a_users_history_is_each_change_with_its_time(lake: Lake) -> None:
    for minutes, age in ((0, 30), (10, 31)):
        rows = pl.DataFrame({"id": ["ann"], "attributes": [f'{{"age":{age}}}'], "received": [moment(minutes)]})
        lake.put_users(rows, f"b{minutes}")
    assert lake.snapshot().user_changes().select("id", "attributes", "valid_from", "valid_to").collect().rows() == [
        ("ann", '{"age":30}', moment(0), moment(10)),
        ("ann", '{"age":31}', moment(10), None),
    ]
    assert lake.snapshot(moment(5)).users().collect()["attributes"].to_list() == ['{"age":30}']


def test_an_event_meets_the_catalog_of_its_time(lake: Lake) -> None:
    lake.put_items(items(10, x=1.0), "b1")
    lake.put_items(items(20, x=2.0), "b2")
    rows = [
        {"user": "a", "item": item, "received": moment(at)} for item, at in (("x", 9), ("x", 10), ("x", 99), ("z", 99))
    ]
    lake.append_events(frame(rows), "e")
    found = lake.snapshot().events_with_items().sort("id").collect()
    assert found["item_price"].to_list() == [None, 1.0, 2.0, None]
    assert found["item"].to_list() == ["x", "x", "x", "z"]


ROWS = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 8), st.sampled_from([1.0, 2.0, None])), max_size=12)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 8)), max_size=8), st.integers(0, 8))
def test_no_event_meets_its_future(
    rows: list[tuple[str, int, float | None]], events: list[tuple[str, int]], now: int
) -> None:
    """Against the plain rule, row by row; and what comes after a moment changes nothing that was received by then."""
    schema = {"id": pl.String, "received": pl.Int64, "price": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("order").with_columns(batch=pl.lit("b"))
    asked = pl.DataFrame(events, schema={"item": pl.String, "received": pl.Int64}, orient="row").with_row_index("n")

    def plain(item: str, at: int) -> float | None:
        known = [(row[1], place, row[2]) for place, row in enumerate(rows) if row[0] == item and row[1] <= at]
        return max(known, key=lambda row: row[:2])[2] if known else None

    def joined(known: pl.DataFrame) -> dict[int, float | None]:
        found = met(asked.lazy(), changes(known.lazy(), "id")).collect()
        return dict(found.select("n", "item_price").iter_rows())

    assert joined(table) == {n: plain(item, at) for n, (item, at) in enumerate(events)}
    past, whole = joined(table.filter(pl.col("received") <= now)), joined(table)
    assert all(past[n] == whole[n] for n, (_, at) in enumerate(events) if at <= now)


def at(day: int) -> datetime:
    return datetime(2026, 3, day, tzinfo=UTC)


@pytest.mark.parametrize("table", ["items", "users"])
def test_a_mended_mapping_leaves_the_past_readable(lake: Lake, tmp_path: Path, table: str) -> None:
    take = {"items": ingest_items, "users": ingest_users}[table]
    source = {
        "items": ItemSource(columns=ItemColumns(id="id", title="name")),
        "users": UserSource(columns=UserColumns(id="id")),
    }[table]
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("id,name\nx,one\ny,why\n")
    second.write_text("id,name\nx,two\n")
    take(lake, source, [first], tmp_path, at(1))
    take(lake, source, [second], tmp_path, at(5))
    before = seen(lake, table)
    assert take(lake, source, [first, second], tmp_path, at(6))[0].skipped, "the same again changes nothing"
    assert seen(lake, table) == before
    mended = msgspec.structs.replace(source, delimiter=",", quote="'")  # another mapping that reads the same
    reports = take(lake, mended, [first, second], tmp_path, at(9))
    assert [report.kept for report in reports] == [2, 1]
    assert seen(lake, table) == before, "a content was received when it first came, however it is read"
    take(lake, source, [first], tmp_path, at(10))
    assert seen(lake, table) == before, "an older content that is read anew does not win over a newer one"


def seen(lake: Lake, table: str) -> list[list[tuple[object, ...]]]:
    """Ids and what is said of them, before anything came, after the first file, and after the second."""
    snapshots = [lake.snapshot(at(day)) for day in (1, 2, 6, 9)] + [lake.snapshot(at(1) - timedelta(days=1))]
    value = "title" if table == "items" else "attributes"
    return [getattr(each, table)().sort("id").collect().select("id", value).rows() for each in snapshots]


def test_events_read_anew_keep_the_moment_at_which_they_came(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("user,item,what\nann,x,view\nbob,y,buy\n")
    columns = {"user": "user", "item": "item"}
    wrong = msgspec.convert({"columns": columns | {"time": "what"}}, EventSource)
    right = msgspec.convert({"columns": columns | {"type": "what"}}, EventSource)
    assert ingest_events(lake, wrong, [path], tmp_path, at(1))[0].kept == 0
    assert ingest_events(lake, right, [path], tmp_path, at(5))[0].kept == 2
    again = msgspec.structs.replace(right, quote="'")
    ingest_events(lake, again, [path], tmp_path, at(9))
    assert lake.snapshot(at(6)).events().collect().height == 2
