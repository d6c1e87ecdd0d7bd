"""JSON lines and Parquet: types and digits are kept, what cannot be read is told."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from segue.data.read import looks_like_json, read_rows
from segue.data.read_json import read_json_lines
from segue.data.read_parquet import parquet_types
from segue.data.settings import ItemSource
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
    (tmp_path / "a.jsonl").write_bytes(b'{}\n{"x": 1}\n')
    (chunk,) = read_rows(tmp_path / "a.jsonl", event_source())
    assert len(chunk) == 2
    assert chunk.raw(np.array([1])) == ['{"x": 1}']


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
    with path.open("rb") as stream:
        assert parquet_types(stream)["user"] == "int64"


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
