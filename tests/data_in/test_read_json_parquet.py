"""JSON lines and Parquet: types and digits are kept, what cannot be read is told."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from segue.data.convert.items import convert_items
from segue.data.read.json_lines import read_json_lines
from segue.data.read.read import looks_like_json, read_rows
from segue.data.settings import EventColumns, EventSource, ItemColumns, ItemSource
from segue.domain.errors import MissingColumn, ReadError
from tests.data_in.reading import event_source, everything, read_all
from tests.data_in.test_read_files import archive, zstd


def json_rows(
    text: bytes, plain: frozenset[str] = frozenset({"user", "item"})
) -> tuple[list[dict[str, object]], list[tuple[int, str]]]:
    chunks = list(read_json_lines([text], encoding="utf-8", wanted=everything, plain=plain))
    rows = [row for chunk in chunks for row in chunk.frame.to_dicts()]
    return rows, [(row.line, row.reason) for chunk in chunks for row in chunk.broken]


def test_numbers_keep_their_digits() -> None:
    text = b'{"user": 17850.0, "item": 123456789012345678901234567890}\n{"user": 1e400, "item": true}\n'
    assert json_rows(text)[0] == [
        {"user": "17850.0", "item": "123456789012345678901234567890"},
        {"user": "1e400", "item": "true"},
    ]


def test_what_is_not_asked_for_stays_json() -> None:
    rows, _ = json_rows(b'{"user": "a", "x": [1.50, "b"], "y": "c", "z": null}\n')
    assert rows == [{"user": "a", "x": '[1.50,"b"]', "y": '"c"', "z": "null"}]


def test_lines_that_are_no_objects_are_broken() -> None:
    text = b'{"user": 1}\n\n[1]\n{"user": \n"x"\n{"user": "\xff"}\n{"user": 1, "user": 2}\n{"user": 2}'
    rows, broken = json_rows(text)
    assert rows == [{"user": "1"}, {"user": "2"}]
    assert [line for line, _ in broken] == [3, 4, 5, 6, 7]
    assert [reason.split(":")[0] for _, reason in broken] == ["no JSON object"] * 3 + ["not utf-8", "no JSON object"]
    assert broken[-1] == (7, "no JSON object: the key 'user' comes twice")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"user": "a"', "the line breaks off"),
        (b'{"user": a}', "it is not written as JSON"),
        (b"17", "the line holds a single value"),
        (b"[1]", "the line holds an array"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_in_plain_words(line: bytes, reason: str) -> None:
    assert json_rows(line)[1] == [(1, f"no JSON object: {reason}")]


def test_deep_nesting_is_broken_not_a_crash() -> None:
    rows, broken = json_rows(b'{"user": 1}\n{"user": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    assert (len(rows), [line for line, _ in broken]) == (1, [2])


def test_objects_without_the_needed_keys_are_still_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{}\n{"x": 1}\n{"user": "a", "item": "b"}\n')
    (chunk,) = read_rows(tmp_path / "a.jsonl", event_source())
    assert len(chunk) == 3
    assert chunk.raw(np.array([1])) == ['{"x": 1}']


def test_fields_inside_objects_are_named_with_dots(tmp_path: Path) -> None:
    text = (
        b'{"actor":{"id":17850.0},"properties":{"product":{"sku":"A"},"amount":3.10}}\n'
        b'{"actor":{"id":"K2"},"actor.id":"literal","properties":{"product":{"sku":"B"}}}\n'
        b'{"actor":null,"properties":{"product.sku":"C"}}\n'
        b'{"actor":"K4","properties":[1]}\n'
    )
    (tmp_path / "a.jsonl").write_bytes(text)
    columns = EventColumns(user="actor.id", item="properties.product.sku", value="properties.amount")
    rows, broken = read_all(tmp_path / "a.jsonl", EventSource(columns=columns))
    assert [tuple(row[name] for name in ("actor.id", columns.item, columns.value)) for row in rows] == [
        ("17850.0", "A", "3.10"),
        ("literal", "B", None),
        (None, "C", None),
        (None, None, None),
    ]
    assert not broken


def test_a_field_that_is_named_keeps_its_object_an_attribute(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id":"A","meta":{"title":"T","colour":"red"},"tags":["x","y"]}\n')
    source = ItemSource(columns=ItemColumns(title="meta.title", categories="tags"))
    (chunk,) = read_rows(tmp_path / "a.jsonl", source)
    items = convert_items(chunk, source, datetime.now(UTC)).frame.to_dicts()
    assert (items[0]["title"], items[0]["categories"]) == ("T", ["x", "y"])
    assert items[0]["attributes"] == '{"meta":{"title":"T","colour":"red"}}'


def test_keys_that_come_twice_inside_an_object_are_noticed() -> None:
    text = b'{"user": {"id": 1}, "id": 2}\n{"user": {"id": 1, "id": 3}}\n{"user": {"id": 4}, "id": 5}\n'
    rows, broken = json_rows(text)
    assert [row["user"] for row in rows] == ['{"id":1}', '{"id":4}']
    assert broken == [(2, "no JSON object: the key 'id' comes twice")]


@pytest.mark.parametrize(
    ("columns", "column", "near"),
    [
        (EventColumns(user="actor.idd", item="sku"), "actor.idd", "actor.id"),
        (EventColumns(user="id", item="sku"), "id", "actor.id"),
        (EventColumns(user="actor.id", item="skv"), "skv", "sku"),
        (EventColumns(user="actor.id", item="sku", value="amuont"), "amuont", "amount"),
        (EventColumns(user="actor.id", item="sku", time="when"), "when", ""),
        (EventColumns(user="nobody", visitor="no.one", item="sku"), "nobody", ""),
    ],
)
def test_a_column_that_no_json_line_has_is_refused(
    tmp_path: Path, columns: EventColumns, column: str, near: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"actor":{"id":"K1"},"sku":"A","amount":3}\n' * 3)
    with pytest.raises(MissingColumn, match=f"no column '{column}'; it has 'actor.id', 'sku', 'amount'") as error:
        read_all(tmp_path / "a.jsonl", EventSource(columns=columns))
    assert (f"did you mean '{near}'" in str(error.value)) == bool(near)


def test_a_column_that_json_lines_can_do_without_may_be_absent_or_come_late(tmp_path: Path) -> None:
    few = b'{"user":"a","item":"x"}\n' * 60_000 + b'{"user":"a","item":"x","shelf":"1"}\n'
    (tmp_path / "a.jsonl").write_bytes(few)
    columns = EventColumns(user="user", visitor="cookie", item="item", value="price", type="shelf")
    assert len(read_all(tmp_path / "a.jsonl", EventSource(columns=columns))[0]) == 60_001


@pytest.mark.parametrize("kind", [EventSource, ItemSource])
def test_fields_inside_parquet_structs_are_named_with_dots(tmp_path: Path, kind: type) -> None:
    rows = [
        {"actor": {"id": 1, "more": {"age": 3}}, "product.sku": "A", "product": {"sku": "no"}},
        {"actor": None, "product.sku": "B", "product": None},
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    columns = EventColumns(user="actor.id", item="product.sku", value="actor.more.age")
    source = EventSource(columns=columns) if kind is EventSource else ItemSource(columns=ItemColumns(id="actor.id"))
    (chunk,) = read_rows(tmp_path / "a.parquet", source)
    assert chunk.frame["actor.id"].to_list() == [1, None]
    if kind is EventSource:
        assert chunk.frame.rows() == [("A", 1, 3), (("B"), None, None)]
    else:
        assert chunk.frame.columns == ["actor", "product.sku", "product", "actor.id"]
    with pytest.raises(MissingColumn, match=r"no column 'actor.idd'(.|\n)*did you mean 'actor.id'"):
        read_all(tmp_path / "a.parquet", ItemSource(columns=ItemColumns(id="actor.idd")))


def test_json_is_known_by_its_first_sign() -> None:
    assert looks_like_json(b'\xef\xbb\xbf {"a": 1}')
    assert looks_like_json('{"a": 1}'.encode("utf-16"))
    assert not looks_like_json(b"{curly},b\n")


def test_parquet_keeps_types_and_numbers_rows_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    time = datetime(2024, 1, 1, tzinfo=UTC)
    pl.DataFrame({"user": [1, 2], "item": [1.5, None], "time": [time, time], "tags": [["a"], []]}).write_parquet(path)
    rows, _ = read_all(path, ItemSource(columns=ItemSource().columns.__class__(id="user")))
    assert rows[0] == {"user": 1, "item": 1.5, "time": time, "tags": ["a"]}
    (chunk,) = read_rows(path, event_source())
    assert chunk.lines.tolist() == [1, 2]
    assert chunk.raw(np.array([1])) == ['{"user":2,"item":null}']
    assert pq.read_schema(path).field("user").type == "int64"


def test_parquet_is_known_whatever_its_name(tmp_path: Path) -> None:
    pl.DataFrame({"user": ["a"], "item": ["x"]}).write_parquet(tmp_path / "a.csv")
    assert read_all(tmp_path / "a.csv", event_source(format="csv"))[0] == [{"user": "a", "item": "x"}]


def test_parquet_may_be_compressed_or_in_an_archive(tmp_path: Path) -> None:
    pl.DataFrame({"user": ["a"], "item": ["x"]}).write_parquet(tmp_path / "a.parquet")
    content = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(content))
    (tmp_path / "a.zst").write_bytes(zstd(content))
    archive(tmp_path / "a.tar.gz", {"a.parquet": content})
    for name in ("a.parquet.gz", "a.zst", "a.tar.gz"):
        assert read_all(tmp_path / name, event_source()) == ([{"user": "a", "item": "x"}], [])


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"user": ["a"] * 1000, "item": ["x"] * 1000}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ReadError, match="no whole Parquet file") as error:
        read_all(path, event_source())
    assert "none of its rows was taken" in str(error.value)


def test_parquet_that_is_damaged_inside_is_refused_before_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"user": [f"u{n * 7919 % 100_003}" for n in range(50_000)], "item": ["x"] * 50_000}).write_parquet(
        path
    )
    content = bytearray(path.read_bytes())
    content[10_000:10_400] = bytes(400)
    path.write_bytes(bytes(content))
    with pytest.raises(ReadError, match="no whole Parquet file"):
        next(read_rows(path, event_source()))


def test_parquet_without_a_column_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"user": ["a"]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(MissingColumn, match="no column 'item'"):
        read_all(tmp_path / "a.parquet", event_source())
