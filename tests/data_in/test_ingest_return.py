"""A catalog file that goes back to an earlier content, to the byte, is current again; read twice it changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.data.ingest.ingest import FileReport, ingest_items, ingest_users
from segue.data.lake.lake import Lake
from segue.data.settings import ItemColumns, ItemSource, UserSource

START = datetime(2026, 6, 1, tzinfo=UTC)
PRICED = ItemSource(columns=ItemColumns(price="price"))
A, B = "id,price\nmug,1\npan,2\n", "id,price\nmug,5\n"


def read(lake: Lake, content: str, day: int, source: ItemSource = PRICED, name: str = "items.csv") -> FileReport:
    path = lake.root.parent / name
    path.write_text(content)
    (report,) = ingest_items(lake, source, [path], lake.root.parent, START + timedelta(days=day))
    return report


def prices(lake: Lake, day: int | None = None) -> dict[str, float]:
    items = lake.snapshot(None if day is None else START + timedelta(days=day, hours=1)).items()
    return dict(items.select("id", "price").collect().rows())


def test_a_catalog_goes_back_to_what_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for day, content in enumerate((A, B)):
        read(lake, content, day)
    assert prices(lake) == {"mug": 5, "pan": 2}
    back = read(lake, A, 2)
    assert (back.kept, back.skipped, back.returned) == (2, False, True)
    assert prices(lake) == {"mug": 1, "pan": 2}
    height = lake.tables["items"].files()["num_records"].sum()
    assert read(lake, A, 3).skipped
    assert lake.tables["items"].files()["num_records"].sum() == height, "twice in a row changes nothing"
    assert [prices(lake, day).get("mug") for day in range(4)] == [1, 5, 1, 1]
    read(lake, B, 4)
    assert prices(lake) == {"mug": 5, "pan": 2}


def test_a_new_file_with_the_content_of_an_older_day_is_the_newest(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for day, content in enumerate((A, B)):
        read(lake, content, day, name=f"items-{day}.csv")
    back = read(lake, A, 2, name="items-2.csv")
    assert (back.kept, back.returned) == (2, True)
    assert prices(lake) == {"mug": 1, "pan": 2}
    assert [read(lake, content, 3, name=f"items-{day}.csv").skipped for day, content in enumerate((A, B, A))] == [1] * 3
    assert prices(lake) == {"mug": 1, "pan": 2}


def test_three_days_in_one_ingestion_are_read_in_their_order(tmp_path: Path) -> None:
    lake, paths = Lake(tmp_path / "lake"), [tmp_path / f"items-{day}.csv" for day in range(3)]
    for path, content in zip(paths, (A, B, A), strict=True):
        path.write_text(content)
    for day in range(2):
        ingest_items(lake, PRICED, paths, tmp_path, START + timedelta(days=day))
        assert prices(lake) == {"mug": 1, "pan": 2}
    assert lake.tables["items"].files()["num_records"].sum() == 5


def test_a_copy_stays_a_copy_when_the_file_it_is_of_changes(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    read(lake, A, 0)
    assert read(lake, A, 0, name="copy.csv").skipped
    read(lake, B, 1)
    assert read(lake, A, 2, name="copy.csv").skipped
    assert prices(lake)["mug"] == 5
    assert read(lake, A, 3, name="new.csv").returned
    assert prices(lake)["mug"] == 1


def test_each_file_has_its_own_last_content(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    read(lake, A, 0)
    read(lake, B, 1, name="more.csv")
    assert read(lake, A, 2).skipped
    assert prices(lake)["mug"] == 5, "the other file came later"


def test_back_with_another_mapping(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    plain = ItemSource(columns=ItemColumns())
    for day, content in enumerate((A, B)):
        read(lake, content, day, plain)
    for day in (2, 3):
        read(lake, A, day)
        assert prices(lake) == {"mug": 1, "pan": 2}
    read(lake, B, 4)
    read(lake, A, 5)
    read(lake, A, 6, plain)
    assert prices(lake) == {"mug": None, "pan": None}, "what was brought back is replaced too"


def test_users_go_back_too(tmp_path: Path) -> None:
    lake, path = Lake(tmp_path / "lake"), tmp_path / "users.csv"
    for day, age in enumerate((30, 31, 30)):
        path.write_text(f"id,age\nann,{age}\n")
        ingest_users(lake, UserSource(), [path], tmp_path, START + timedelta(days=day))
    assert lake.snapshot().users().collect()["attributes"].to_list() == ['{"age":"30"}']


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_the_last_content_is_always_current(tmp_path_factory: pytest.TempPathFactory, contents: list[int]) -> None:
    lake = Lake(tmp_path_factory.mktemp("back") / "lake")
    for day, price in enumerate(contents):
        read(lake, f"id,price\nmug,{price}\n", day)
    assert prices(lake) == {"mug": contents[-1]}
    changed = lake.snapshot().item_changes().select(pl.col("price")).collect()["price"].to_list()
    runs = [price for place, price in enumerate(contents) if not place or contents[place - 1] != price]
    assert changed == runs
