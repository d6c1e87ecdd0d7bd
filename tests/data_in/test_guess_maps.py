"""`segue init` recognises the shapes that import maps know, says why, and writes a declaration that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segue.data.guess.guess import guess_events, guess_items
from segue.data.settings import EventColumns
from segue.domain.errors import DataError
from segue.project import Project
from segue.starter import initialise
from tests.data_in.mapping import json_lines, taken
from tests.data_in.test_maps import EVENTS
from tests.data_in.test_maps_items import ATOM, CHAIR, FEED, MOVIES, PAGE, RATINGS, TABS, written

CATALOGS = {
    "feed.xml": (FEED, "google"),
    "atom.xml": (ATOM, "google"),
    "feed.txt": (TABS + "\n" + "\t".join("1" * 8) + "\n", "google"),
    "page.html": (PAGE, "schema_org"),
    "movies.csv": (MOVIES["movies.csv"], "movielens"),
    "movies.dat": (MOVIES["movies.dat"], "movielens"),
    "u.item": (MOVIES["u.item"], "movielens"),
}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_events_are_recognised_and_said(tmp_path: Path, name: str) -> None:
    guess = guess_events([json_lines(tmp_path, EVENTS[name])])
    assert guess.source.map == name
    assert guess.reasons[0].startswith(f"map: {name}, ")
    assert "https://" in guess.reasons[0]
    assert (guess.source.columns.context, bool(guess.source.columns.item)) == ("*", True)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "cloudevents" else [pytest.mark.slow]) for name in sorted(EVENTS)]
)
def test_what_is_written_reads_them(tmp_path: Path, name: str) -> None:
    path = json_lines(tmp_path, EVENTS[name])
    started = initialise(tmp_path / "workspace", [str(path)])
    text = started.path.read_text()
    assert f'map = "{name}"' in text
    project = Project.open(tmp_path / "workspace")
    report = project.ingest()
    assert report.files[0].kept == len(taken(path, project.declaration.events).rows) > 0
    assert report.left_out == taken(path, project.declaration.events).left_out


@pytest.mark.parametrize("name", sorted(RATINGS))
def test_ratings_are_recognised(tmp_path: Path, name: str) -> None:
    guess = guess_events([written(tmp_path, name, RATINGS[name] * 3)])
    assert (guess.source.map, guess.source.weight, guess.source.type) == ("movielens", "value", "rating")


@pytest.mark.parametrize("name", sorted(CATALOGS))
def test_catalogs_are_recognised(tmp_path: Path, name: str) -> None:
    text, by_name = CATALOGS[name]
    assert guess_items([written(tmp_path, name, text)]).source.map == by_name


def test_a_feed_of_another_encoding_is_read_in_that(tmp_path: Path) -> None:
    path = tmp_path / "feed.txt"
    row = "\t".join(("1", "Café crème", "x", "in_stock", "1 EUR", "", "", "Küche"))
    path.write_bytes(f"{TABS}\n{row}\n".encode("latin-1"))
    source = guess_items([path]).source
    assert (source.map, source.encoding) == ("google", "latin-1")
    assert taken(path, source).column("title") == ["Café crème"]


def test_products_in_lines_are_recognised(tmp_path: Path) -> None:
    assert guess_items([json_lines(tmp_path, [CHAIR, CHAIR | {"sku": "2"}])]).source.map == "schema_org"


def test_an_export_in_parquet_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "events_20250301.parquet"
    pq.write_table(pa.Table.from_pylist([EVENTS["ga4"][0]] * 2), path)
    assert guess_events([path]).source.map == "ga4"
    initialise(tmp_path / "workspace", [str(path)])
    report = Project.open(tmp_path / "workspace").ingest().files[0]
    assert (report.kept, report.duplicates, report.quarantined) == (1, 1, {"no item": 2})


def test_lists_are_recognised_and_tables_of_numbers_are_not(tmp_path: Path) -> None:
    lists = written(tmp_path, "train.txt", "0 5 6 7\n1 3\n2 9 8 1 4\n")
    assert guess_events([lists]).source.map == "lightgcn"
    table = written(tmp_path, "table.txt", "".join(f"{row // 3} {row % 7}\n" for row in range(30)))
    assert guess_events([table]).source.map is None


def test_the_types_that_were_seen_are_written_with_what_they_weigh(tmp_path: Path) -> None:
    calls = [*EVENTS["segment"], EVENTS["segment"][0] | {"event": "Zorbed", "messageId": "z"}]
    guess = guess_events([json_lines(tmp_path, calls)])
    assert guess.source.types["Order Completed"] == 5.0
    assert guess.source.types["Zorbed"] == 1.0
    assert any("'Zorbed'" in doubt for doubt in guess.doubts)
    assert any("a call of page (1)" in reason for reason in guess.reasons)


def test_what_is_said_of_a_column_goes_before_the_map(tmp_path: Path) -> None:
    path = json_lines(tmp_path, EVENTS["segment"])
    columns = guess_events([path], told={"item": "product.sku"}).source.columns
    assert (columns.item, columns.user) == ("product.sku", "userId")
    with pytest.raises(DataError, match=r"no record has 'product\.nothing'"):
        guess_events([path], told={"item": "product.nothing"})


def test_a_further_file_of_another_shape_is_doubted(tmp_path: Path) -> None:
    first, other = json_lines(tmp_path, EVENTS["ubi"]), json_lines(tmp_path, EVENTS["ga4"], "other.jsonl")
    assert any("other.jsonl is not of the map 'ubi'" in doubt for doubt in guess_events([first, other]).doubts)


UNLIKE: Sequence[tuple[str, list[dict[str, Any]]]] = (
    ("user and item", [{"user": "a", "item": "x", "timestamp": "2025-01-01"}] * 3),
    ("an event and a timestamp", [{"event": "click", "userId": "a", "item": "x", "timestamp": "2025-01-01"}] * 3),
)


@pytest.mark.parametrize("records", [records for _, records in UNLIKE], ids=[name for name, _ in UNLIKE])
def test_what_is_only_like_a_map_is_guessed_as_ever(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    guess = guess_events([json_lines(tmp_path, records)])
    assert guess.source.map is None
    assert guess.source.columns.item == "item"
    assert guess.source.columns != EventColumns()
