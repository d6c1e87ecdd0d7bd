"""Ids of events without their own: the line, of import maps the place in the record, whatever is read beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segue.data.convert.events import convert_events
from segue.data.maps.map import Record
from segue.data.maps.records import Records, shaped
from segue.data.maps.registry import resolved
from segue.data.maps.segment import shape
from segue.data.read.read import read_rows
from segue.data.settings import EventColumns, EventSource
from segue.project import Project
from tests.data_in.mapping import BATCH

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SEGMENT = resolved(EventSource(map="segment"))
SAID = '[events]\nfiles = ["*.jsonl"]\nmap = "segment"\n'
SHOE, MUG, PAN = ({"product_id": name} for name in ("shoe", "mug", "pan"))

product_lists = st.lists(st.sampled_from([SHOE, MUG, "no object", 7]), max_size=4)


def call(products: list[Any]) -> Record:
    said = {"event": "Order Completed", "userId": "ann", "timestamp": "2026-05-01T10:00:00Z"}
    return {"type": "track", **said, "properties": {"products": products}}


def ids(calls: list[Record], first: int) -> list[tuple[str, str]]:
    records = Records(calls, np.arange(first, first + len(calls)), lambda rows: [""] * len(rows))
    frame = convert_events(shaped(records, shape, SEGMENT), SEGMENT, BATCH, 0, NOW).frame
    return frame.select("id", "item").rows()


@given(st.lists(product_lists, min_size=1, max_size=4))
def test_events_of_a_record_are_called_the_same_read_alone_and_together(lists: list[list[Any]]) -> None:
    calls = [call(products) for products in lists]
    together = ids(calls, 1)
    assert together == [each for number, one in enumerate(calls, 1) for each in ids([one], number)]
    assert len(set(together)) == len(together)


def test_a_product_that_is_mended_takes_its_place_between_the_others(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text(SAID)
    path = tmp_path / "calls.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in (call(["shoe", MUG]), call([PAN]))))
    project = Project.open(tmp_path)
    project.ingest()
    edited = tmp_path / "edited.txt"
    project.export_quarantine(edited)
    edited.write_text(edited.read_text().replace('"shoe"', json.dumps(SHOE)))
    done = project.take_mended(edited)
    assert (done.returned, done.duplicates) == (1, 1)
    there = project.snapshot().events().select("id", "item").sort("id").collect().rows()
    assert [(name[-7:], item) for name, item in there] == [(".000000", "shoe"), (".000001", "mug"), (".000000", "pan")]


def test_lists_have_places_and_plain_lines_none(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("0 5 6\n1\n2 9\n")
    lists = [rows.places.tolist() for rows in read_rows(path, EventSource(map="lightgcn")) if rows.places is not None]
    assert lists == [[0, 1, 0]]
    plain = EventSource(columns=EventColumns(user="user", item="item"))
    path = tmp_path / "plain.csv"
    path.write_text("user,item\nann,x\nbob,y\n")
    (rows,) = read_rows(path, plain)
    named = convert_events(rows, plain, BATCH, 0, NOW).frame["id"].to_list()
    assert named == [f"{BATCH[:16]}-000000000{line}" for line in (2, 3)]
