"""Files into a real lake: each row once, kept exactly or quarantined with file, line, reason, column and text."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from segue.data.guess.guess import guess_events
from segue.data.ingest import steps as ingest_steps
from segue.data.ingest.ingest import (
    FileReport,
    Progress,
    batch_id,
    batches_of,
    ingest_events,
    ingest_items,
    ingest_users,
)
from segue.data.lake.lake import Appended, Lake, Taken
from segue.data.settings import EventColumns, EventSource, ItemColumns, ItemSource, UserColumns, UserSource
from segue.domain.errors import MissingColumn, ReadError
from segue.simulate.world import World
from tests.data_in.reading import event_source
from tests.data_in.test_read_files import archive

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FULL = EventColumns(
    user="user", visitor="visitor", item="item", type="type", time="time", value="value", quantity="quantity",
    id="id", session="session", decision="decision", position="position",
)  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def take(lake: Lake, tmp_path: Path) -> Callable[..., FileReport]:
    """Write some text and ingest it as events."""

    def run(text: str | bytes, source: EventSource | None = None, name: str = "a.csv") -> FileReport:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return ingest_events(lake, source or event_source(), [tmp_path / name], tmp_path, NOW)[-1]

    return run


def events(lake: Lake) -> list[dict[str, Any]]:
    return lake.snapshot().events().sort("id").collect().to_dicts()


def quarantined(lake: Lake) -> list[tuple[Any, ...]]:
    rows = lake.snapshot().quarantine().collect().sort("file", "line")
    return rows.select("file", "line", "reason", "column", "raw").rows()


def test_a_whole_event_is_kept_exactly(lake: Lake, take: Callable[..., FileReport]) -> None:
    text = "id,user,visitor,item,type,time,value,quantity,session,decision,position\n"
    text += "e1, ann ,v1,x,click,2024-01-01T10:00:00+02:00,1.5,2,s,d,3\n"
    report = take(text, EventSource(columns=FULL))
    assert (report.rows, report.kept, report.quarantined, report.note) == (1, 1, {}, "")
    (event,) = events(lake)
    assert event["user"] == " ann "
    assert event["time"] == datetime(2024, 1, 1, 8, tzinfo=UTC)
    assert event["received"] == NOW
    rest = ("id", "visitor", "item", "type", "value", "quantity", "session", "decision", "position")
    assert [event[name] for name in rest] == ["e1", "v1", "x", "click", 1.5, 2.0, "s", "d", 3]


REFUSED = [
    (",,x,click,2024-01-01,1,1,0", "neither user nor visitor", "user"),
    ("NULL,nan,x,click,2024-01-01,1,1,0", "neither user nor visitor", "user"),
    ("a,,,click,2024-01-01,1,1,0", "no item", "item"),
    ("a,,x,,2024-01-01,1,1,0", "no type", "type"),
    ("a,,x,click,,1,1,0", "no time", "time"),
    ("a,,x,click,2026-02-31,1,1,0", "no time of the format iso", "time"),
    ("a,,x,click,2026-06-03,1,1,0", "the time is in the future", "time"),
    ("a,,x,click,2024-01-01,NaN,1,0", "the value is not finite", "value"),
    ("a,,x,click,2024-01-01,inf,1,0", "the value is not finite", "value"),
    ("a,,x,click,2024-01-01,1e999,1,0", "the value is not finite", "value"),
    ("a,,x,click,2024-01-01,EUR 12,1,0", "the value is no number", "value"),
    ("a,,x,click,2024-01-01,-1,1,0", "negative value", "value"),
    ("a,,x,click,2024-01-01,1,-2,0", "negative quantity", "quantity"),
    ("a,,x,click,2024-01-01,1,1,1.5", "the position is no whole number from 0 to 100,000", "position"),
    ("a,,x,click,2024-01-01,1,1,-1", "the position is no whole number from 0 to 100,000", "position"),
    (f"{'a' * 257},,x,click,2024-01-01,1,1,0", "the user is longer than 256 characters", "user"),
    ("a,,x,click,2024-01-01,1,1", "8 columns were expected, 7 found", None),
]


def test_what_cannot_be_kept_is_quarantined_row_by_row(lake: Lake, take: Callable[..., FileReport]) -> None:
    source = EventSource(columns=msgspec.structs.replace(FULL, id=None, session=None, decision=None))
    rows = "".join(f"{row}\n" for row, *_ in REFUSED)
    report = take(f"user,visitor,item,type,time,value,quantity,position\n{rows}b,,x,view,1890-01-01,,NA,\n", source)
    assert (report.rows, report.kept) == (len(REFUSED) + 1, 1)
    assert report.quarantined == Counter(reason for _, reason, _ in REFUSED)
    assert quarantined(lake) == [
        ("a.csv", at, reason, column, row) for at, (row, reason, column) in enumerate(REFUSED, 2)
    ]
    (event,) = events(lake)
    assert (event["user"], event["time"], event["value"]) == ("b", datetime(1890, 1, 1, tzinfo=UTC), None)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "reason", "column"), REFUSED)
def test_what_cannot_be_kept_is_quarantined(
    lake: Lake, take: Callable[..., FileReport], row: str, reason: str, column: str | None
) -> None:
    source = EventSource(columns=msgspec.structs.replace(FULL, id=None, session=None, decision=None))
    text = f"user,visitor,item,type,time,value,quantity,position\n{row}\nb,,x,view,1890-01-01,,NA,\n"
    report = take(text, source)
    assert (report.rows, report.kept, report.quarantined) == (2, 1, {reason: 1})
    assert quarantined(lake) == [("a.csv", 2, reason, column, row)]
    (event,) = events(lake)
    assert (event["user"], event["time"], event["value"]) == ("b", datetime(1890, 1, 1, tzinfo=UTC), None)


def test_a_clock_may_be_a_day_ahead(take: Callable[..., FileReport]) -> None:
    source = event_source(columns=EventColumns(user="user", item="item", time="time"))
    times = [NOW + timedelta(hours=23), NOW + timedelta(hours=25)]
    text = "user,item,time\n" + "".join(f"a,x,{time.isoformat()}\n" for time in times)
    assert take(text, source).quarantined == {"the time is in the future": 1}


def test_types_that_need_no_item_have_none(lake: Lake, take: Callable[..., FileReport]) -> None:
    source = event_source(columns=EventColumns(user="user", item="item", type="type"))
    assert take("user,item,type\na,,search\nb,,click\n", source).quarantined == {"no item": 1}
    assert [(event["type"], event["item"]) for event in events(lake)] == [("search", None)]


def test_negative_events_get_their_own_type(lake: Lake, take: Callable[..., FileReport]) -> None:
    columns = EventColumns(user="user", item="item", quantity="quantity")
    take("user,item,quantity\na,x,1\na,x,-1\n", event_source(columns=columns, type="buy", negative_type="return"))
    assert [(event["type"], event["quantity"]) for event in events(lake)] == [("buy", 1.0), ("return", -1.0)]


def test_ids_are_exact_unless_the_declaration_says_integer(lake: Lake, take: Callable[..., FileReport]) -> None:
    take("user,item\n17850.0,85123A\n007,1.50\n", event_source())
    assert {(event["user"], event["item"]) for event in events(lake)} == {("17850.0", "85123A"), ("007", "1.50")}
    take("user,item\n17850.0,85123B.0\n", event_source(ids="integer"), "b.csv")
    assert ("17850", "85123B.0") in {(event["user"], event["item"]) for event in events(lake)}


def test_without_ids_the_content_and_the_line_name_the_event(lake: Lake, take: Callable[..., FileReport]) -> None:
    report = take("user,item\na,x\n\na,x\n")
    assert [event["id"] for event in events(lake)] == [f"{report.batch[:16]}-{line:010d}" for line in (2, 4)]


def test_the_same_file_twice_also_under_another_name_changes_nothing(
    lake: Lake, take: Callable[..., FileReport]
) -> None:
    text = "user,item\na,x\n,y\n"
    take(text)
    before = lake.snapshot().fingerprint
    for name, content in (
        ("a.csv", text.encode()),
        ("b.csv", text.encode()),
        ("c.csv.gz", gzip.compress(text.encode())),
    ):
        report = take(content, name=name)
        assert report.skipped
        assert report.note == "these rows are in the lake already; nothing changed"
    assert lake.snapshot().fingerprint == before
    assert len(quarantined(lake)) == 1


def test_what_weighs_how_much_is_no_part_of_the_batch() -> None:
    source = event_source()
    same = msgspec.structs.replace(source, files=("x",), types={"a": 2.0}, weight="value")
    other = msgspec.structs.replace(source, type="buy")
    assert batch_id("0" * 32, source) == batch_id("0" * 32, same)
    assert batch_id("0" * 32, source) != batch_id("0" * 32, other)
    assert batch_id("0" * 32, ItemSource()) != batch_id("0" * 32, UserSource())


def test_ids_that_come_again_in_other_files_are_counted(lake: Lake, take: Callable[..., FileReport]) -> None:
    source = event_source(columns=EventColumns(user="user", item="item", id="id"))
    take("id,user,item\n1,a,x\n1,a,x\n2,b,x\n", source)
    report = take("id,user,item\n2,b,x\n3,c,x\n", source, "b.csv")
    assert (report.rows, report.kept, report.duplicates) == (2, 1, 1)
    assert [event["id"] for event in events(lake)] == ["1", "2", "3"]


@pytest.mark.parametrize(("text", "note"), [("", "the file holds no rows"), ("user,item\n", "the file holds no rows")])
def test_empty_files_are_taken_and_said_so(take: Callable[..., FileReport], text: str, note: str) -> None:
    report = take(text)
    assert (report.rows, report.note, report.skipped) == (0, note, False)
    assert take(text).skipped


def test_missing_columns_take_nothing(lake: Lake, take: Callable[..., FileReport]) -> None:
    with pytest.raises(MissingColumn):
        take("user,thing\na,x\n")
    assert lake.snapshot().events_count == 0


def test_a_truncated_file_takes_nothing_and_can_be_mended(lake: Lake, take: Callable[..., FileReport]) -> None:
    whole = gzip.compress(b"user,item\n" + b"".join(b"a%d,x\n" % number for number in range(10_000)))
    with pytest.raises(ReadError, match="none of its rows was taken"):
        take(whole[:-100], name="a.csv.gz")
    assert lake.snapshot().events_count == 0
    assert take(whole, name="a.csv.gz").kept == 10_000


def test_each_member_of_an_archive_is_its_own_batch(lake: Lake, tmp_path: Path) -> None:
    first = archive(tmp_path / "a.tar.gz", {"1.csv": b"user,item\na,x\n", "2.csv": b"user,item\nb,\n"})
    more = archive(tmp_path / "b.tar.gz", {"2.csv": b"user,item\nb,\n", "3.csv": b"user,item\nc,x\n"})
    reports = ingest_events(lake, event_source(), [first, more], tmp_path, NOW)
    assert [(report.path, report.kept, report.skipped) for report in reports] == [
        ("a.tar.gz/1.csv", 1, False),
        ("a.tar.gz/2.csv", 0, False),
        ("b.tar.gz/2.csv", 0, True),
        ("b.tar.gz/3.csv", 1, False),
    ]
    assert quarantined(lake) == [("a.tar.gz/2.csv", 2, "no item", "item", "b,")]


@pytest.mark.slow
def test_big_files_come_in_by_steps_that_a_crash_does_not_double(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_steps, "STEP", 100)
    path = tmp_path / "a.jsonl"
    rows = "".join(f'{{"user": "u{number}", "item": "{"x" if number % 10 else ""}"}}\n' for number in range(1000))
    path.write_text(rows)
    monkeypatch.setattr("segue.data.read.files.BLOCK", 2000)
    monkeypatch.setattr("segue.data.read.files.Part.blocks.__defaults__", (2000,))
    take, calls = lake.take, []

    def fails_at_the_third(name: Taken, batches: Mapping[str, pl.DataFrame]) -> dict[str, Appended]:
        calls.append(name)
        if calls.count("events") == 3:
            raise OSError("no space left on device")
        return take(name, batches)

    monkeypatch.setattr(lake, "take", fails_at_the_third)
    with pytest.raises(OSError, match="no space left"):
        ingest_events(lake, event_source(), [path], tmp_path, NOW)
    assert 0 < lake.snapshot().events_count < 900
    monkeypatch.setattr(lake, "take", take)
    (report,) = ingest_events(lake, event_source(), [path], tmp_path, NOW)
    assert (report.rows, report.kept, report.duplicates) == (1000, 900, 0)
    assert report.quarantined == {"no item": 100}
    assert lake.snapshot().events_count == 900
    assert len(quarantined(lake)) == 100
    assert len(batches_of([path], event_source(), lake.snapshot())) > 3


def test_the_order_of_lines_goes_on_over_files(lake: Lake, take: Callable[..., FileReport]) -> None:
    source = event_source(order="file")
    take("user,item\na,x\na,y\n", source)
    take("user,item\na,z\n", source, "b.csv")
    rows = lake.snapshot().events().sort("order").collect()
    assert rows["item"].to_list() == ["x", "y", "z"]
    assert rows["time"].null_count() == 3


@pytest.mark.slow
def test_progress_is_told(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\na,x\n")
    told: list[Progress] = []
    ingest_events(lake, event_source(), [tmp_path / "a.csv"], tmp_path, NOW, told.append)
    assert told[-1] == Progress("a.csv", 1, 14, 14)
    assert all(step.bytes_done <= step.bytes_all for step in told)
    archive(tmp_path / "a.tar.gz", {f"{number}.csv": b"user,item\nb%d,x\n" % number for number in range(3)})
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"user,item\nz,x\n" * 100_000))
    told.clear()
    ingest_events(lake, event_source(), [tmp_path / "a.tar.gz", tmp_path / "b.csv.gz"], tmp_path, NOW, told.append)
    done = [step.bytes_done for step in told]
    assert done == sorted(done)
    assert done[-1] == told[-1].bytes_all


def test_exactly_the_broken_rows_of_a_world_are_quarantined(lake: Lake, tmp_path: Path) -> None:
    truth = World(seed=5, flavour="shop", people=300, items=60, days=14).write(tmp_path / "world")
    files = [tmp_path / "world" / name for name in truth.events]
    reports = ingest_events(lake, guess_events(files).source, files, tmp_path / "world", NOW)
    broken = {(row.file, row.line) for row in truth.broken if row.kind != "duplicate"}
    assert len({row.kind for row in truth.broken}) > 4
    assert {(file, line) for file, line, *_ in quarantined(lake)} == broken
    assert sum(report.duplicates for report in reports) == truth.kinds()["duplicate"]
    assert sum(report.rows for report in reports) == truth.rows
    assert lake.snapshot().events_count == sum(report.kept for report in reports)


def test_numbers_with_a_decimal_comma(lake: Lake, take: Callable[..., FileReport]) -> None:
    source = event_source(columns=EventColumns(user="user", item="item", value="value"), delimiter=";", decimal=",")
    report = take("user;item;value\na;1;1.234,50\na;2;-0,5\na;3;7\na;4;9.99\na;5;1,2,3\n", source)
    assert report.quarantined == {"the value is no number": 2, "negative value": 1}
    assert [event["value"] for event in events(lake)] == [1234.5, 7.0]


def test_json_lines_and_parquet_events(lake: Lake, take: Callable[..., FileReport], tmp_path: Path) -> None:
    columns = EventColumns(user="user", item="item", time="time", value="value")
    text = '{"user": 1, "item": "x", "time": "2024-01-01T00:00:00Z", "value": 2}\n{"user": 2, "item": "x"}\n'
    assert take(text, event_source(columns=columns), "a.jsonl").quarantined == {"no time": 1}
    pl.DataFrame(
        {"user": [3, None], "item": ["x", "y"], "time": [datetime(2024, 1, 2), None], "value": [1.0, float("nan")]}
    ).write_parquet(tmp_path / "a.parquet")
    (report,) = ingest_events(lake, event_source(columns=columns), [tmp_path / "a.parquet"], tmp_path, NOW)
    assert report.quarantined == {"no user": 1}
    assert {(event["user"], event["time"].day) for event in events(lake)} == {("1", 1), ("3", 2)}
    assert quarantined(lake)[1][-1] == '{"user":null,"item":"y","time":null,"value":null}'


def test_parquet_categories_are_text_not_codes(lake: Lake, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"user": ["b", "a"], "item": ["x", "y"], "time": ["2024-01-02", "2024-01-01"], "value": ["7", "8"]}
    )
    frame.cast(pl.Categorical).write_parquet(tmp_path / "a.parquet")
    columns = EventColumns(user="user", item="item", time="time", value="value")
    ingest_events(lake, event_source(columns=columns), [tmp_path / "a.parquet"], tmp_path, NOW)
    assert {(row["user"], row["time"].day, row["value"]) for row in events(lake)} == {("b", 2, 7.0), ("a", 1, 8.0)}


def test_a_catalog_with_categories_prices_dates_and_attributes(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        'sku,name,genres,price,year,brand\n1,"One, ""1""",A | B||,1.50,2001,"x\\""y"\n2,Two,,,,\n3,Bad,A,-1,2001,z\n'
        ",No,A,1,2001,z\n4,Day,A,1,soon,z\n1,Again,C,2,2002-05-01,y\n5,Five, D | E||,1.50,2001,\n"
    )
    columns = ItemColumns(id="sku", title="name", categories="genres", price="price", released="year")
    (report,) = ingest_items(lake, ItemSource(columns=columns), [tmp_path / "items.csv"], tmp_path, NOW)
    assert (report.rows, report.kept, report.duplicates) == (7, 3, 1)
    assert report.quarantined == {"negative price": 1, "no id": 1, "no time of the format iso": 1}
    catalog = lake.snapshot().catalog()
    assert (catalog["1"].title, catalog["1"].categories, catalog["1"].price) == ("Again", ("C",), 2.0)
    assert catalog["1"].attributes == {"brand": "y"}
    assert (catalog["5"].categories, catalog["5"].released) == (("D", "E"), datetime(2001, 1, 1, tzinfo=UTC))
    assert (catalog["2"].title, catalog["2"].categories, catalog["2"].price) == ("Two", (), None)


def test_attributes_keep_their_types(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": "1", "categories": ["A", "B"], "n": 1.50, "deep": {"a": [1]}, "none": null, '
        '"text": "say \\"hi\\"\\n"}\n'
    )
    pl.DataFrame({"id": ["2"], "categories": [["C"]], "n": [3], "flag": [True]}).write_parquet(tmp_path / "b.parquet")
    source = ItemSource(columns=ItemColumns(categories="categories"))
    ingest_items(lake, source, [tmp_path / "a.jsonl", tmp_path / "b.parquet"], tmp_path, NOW)
    catalog = lake.snapshot().catalog()
    assert catalog["1"].categories == ("A", "B")
    assert catalog["1"].attributes == {"n": 1.5, "deep": {"a": [1]}, "text": 'say "hi"\n'}
    assert (catalog["2"].categories, catalog["2"].attributes) == (("C",), {"n": 3, "flag": True})


def test_csv_attributes_survive_every_sign(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'id,odd "name"\n1,"a\\b""c\n\td"\n')
    ingest_items(lake, ItemSource(columns=ItemColumns()), [tmp_path / "a.csv"], tmp_path, NOW)
    assert lake.snapshot().catalog()["1"].attributes == {'odd "name"': 'a\\b"c\n\td'}


def test_users(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("uid,town\na,Uppsala\n,Ulm\n")
    (report,) = ingest_users(lake, UserSource(columns=UserColumns(id="uid")), [tmp_path / "users.csv"], tmp_path, NOW)
    assert report.quarantined == {"no id": 1}
    (user,) = lake.snapshot().users().collect().to_dicts()
    assert (user["id"], msgspec.json.decode(user["attributes"])) == ("a", {"town": "Uppsala"})


@pytest.mark.parametrize(
    "rows",
    [["a,x"], ["a,x", "a,x", "a,x"], ["a,x", "b,x"], ["a,x", "a,y"]],
    ids=["one", "equal", "one item", "one user"],
)
def test_one_user_one_item_all_equal(lake: Lake, take: Callable[..., FileReport], rows: list[str]) -> None:
    assert take("user,item\n" + "\n".join(rows)).kept == len(rows)
    assert lake.snapshot().events_count == len(rows)


def test_a_field_of_ten_megabytes_in_an_id_is_quarantined(lake: Lake, take: Callable[..., FileReport]) -> None:
    report = take(f"user,item\na,{'x' * (10 << 20)}\nb,y\n")
    assert report.quarantined == {"the item is longer than 256 characters": 1}
    assert quarantined(lake)[0][-1].endswith("bytes in all)")
