"""What no column takes is kept in the context of an event, with its type, where the declaration says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from segue.data.convert.events import convert_events
from segue.data.read.read import read_rows
from segue.data.settings import EventColumns, EventSource
from segue.domain.errors import DeclarationError, MissingColumn

LINE = {"user": {"id": "a"}, "item": "x", "device": {"os": ["é", 1.50]}, "page": 2, "empty": None, "q": 'say "hi"'}


def contexts(path: Path, context: str | tuple[str, ...], user: str = "user.id") -> list[object]:
    source = EventSource(columns=EventColumns(user=user, item="item", context=context))
    (rows,) = read_rows(path, source)
    converted = convert_events(rows, source, "b" * 32, 0, datetime.now(UTC))
    assert not converted.broken
    return [None if cell is None else json.loads(cell) for cell in converted.frame["context"]]


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
def test_all_that_no_column_takes_is_kept_with_its_type(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "parquet":
        pl.DataFrame([LINE | {"device": {"os": ["é"], "n": 1.5}}]).write_parquet(path)
    else:
        path.write_text(json.dumps([LINE] if kind == "json" else LINE))
    device = {"os": ["é"], "n": 1.5} if kind == "parquet" else LINE["device"]
    whole = {"user": {"id": "a"}, "device": device, "page": 2, "q": 'say "hi"'}
    assert contexts(path, "*") == [whole]
    assert contexts(path, ("page", "q")) == [{"page": 2, "q": 'say "hi"'}]


def test_columns_of_text_are_texts_and_nothing_is_no_context(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,page,q\na,x,2,\nb,y,,\n")
    assert contexts(tmp_path / "a.csv", "*", "user") == [{"page": "2"}, None]
    assert contexts(tmp_path / "a.csv", ("q", "page"), "user") == [{"page": "2"}, None]
    with pytest.raises(MissingColumn, match="no column 'pge'"):
        contexts(tmp_path / "a.csv", ("pge",), "user")


def test_fields_inside_objects_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE) + "\n" + '{"user":{"id":"b"},"item":"y"}\n')
    assert contexts(tmp_path / "a.jsonl", ("device.os", "page")) == [{"device.os": ["é", 1.5], "page": 2}, None]


def test_a_map_says_its_own_columns(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE) + "\n")
    source = EventSource(map="cloudevents", columns=EventColumns(context=("page",)))
    (rows,) = read_rows(tmp_path / "a.jsonl", EventSource(columns=EventColumns(user="user.id", item="item")))
    with pytest.raises(DeclarationError, match="with a map"):
        convert_events(rows, source, "b" * 32, 0, datetime.now(UTC))
