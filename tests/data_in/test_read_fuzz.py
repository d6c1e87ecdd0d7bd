"""Whatever the bytes are: no crash, no silent change; each row is kept exactly or it is broken, with its text."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.data.read.careful import careful_fields
from segue.data.read.fields import Dialect, find_fields
from segue.data.read.json_lines import read_json_lines
from segue.data.read.text import readable, utf8_blocks
from tests.data_in.reading import blocks_of, delimited, everything, lines_of

MESSY = st.text(st.sampled_from('ab1 ,;"\n\r'), max_size=60).map(str.encode)
CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]) | st.sampled_from('",\n '), max_size=12)
TABLE = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12)
)


@given(MESSY, st.sampled_from([",", ";", ",,"]))
@example(b'a,"b"c\n"\n', ",")
@settings(max_examples=150, deadline=None)
def test_the_vectorised_way_finds_what_reading_one_by_one_finds(text: bytes, delimiter: str) -> None:
    text = text + b"\n"
    fields = find_fields(text, Dialect.of(delimiter, '"'), final=True)
    starts, ends, first, faults, consumed = careful_fields(text, 0, delimiter.encode(), b'"', final=True)
    assert fields.starts.tolist() == starts
    assert fields.ends.tolist() == ends
    assert fields.first.tolist() == first
    assert fields.faults.tolist() == faults
    assert fields.consumed == consumed == len(text)


@given(MESSY, st.integers(1, 20), st.booleans())
@settings(max_examples=150, deadline=None)
def test_all_text_is_in_a_row_or_among_the_broken_ones(text: bytes, size: int, header: bool) -> None:
    cells, broken, chunks = delimited(text, header=header, size=size)
    raws = [raw for chunk in chunks for raw in chunk.raw(np.arange(len(chunk)))]
    for row, raw in zip(cells, raws, strict=True):
        if '"' not in raw:
            assert list(row) == raw.split(",")
    whole = sorted(
        zip(lines_of(chunks) + [row.line for row in broken], raws + [row.raw for row in broken], strict=True)
    )
    joined = "".join(raw for _, raw in whole).replace("\n", "").replace("\r", "")
    text = text.replace(b"\n", b"\r") if b"\n" not in text else text
    head = next(iter(text.replace(b"\r\n", b"\n").split(b"\n")), b"") if header else b""
    if not head.count(b'"') and head.strip(b"\r\n") and b"\r" not in text:
        assert joined == text.decode().replace("\n", "").replace("\r", "")[len(head) if header else 0 :]


@pytest.mark.slow
@given(TABLE, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.integers(1, 64))
@example([["", "", "\r"]], csv.QUOTE_MINIMAL, 15)
@settings(max_examples=120, deadline=None)
def test_what_was_written_by_the_csv_module_comes_back(rows: list[list[str]], quoting: int, size: int) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else quoting)  # type: ignore[arg-type]
    writer.writerows([[f"c{place}" for place in range(len(rows[0]))], *rows])
    cells, broken, _ = delimited(text.getvalue().encode(), size=size)
    spanning = {row.reason.split(" and ")[0] for row in broken}
    assert all("around what reads as rows" in row.reason for row in broken)
    assert len(cells) + len(spanning) == len(rows)
    wanted = iter(rows)
    for row in cells:
        assert any(list(row) == written for written in wanted)


@given(
    st.binary(max_size=200), st.sampled_from(["utf-8", "latin-1", "cp1252", "utf-16", "shift-jis"]), st.integers(1, 50)
)
@settings(max_examples=120, deadline=None)
def test_no_bytes_in_any_encoding_make_a_crash(data: bytes, encoding: str, size: int) -> None:
    text = b"".join(utf8_blocks(blocks_of(data, size), encoding, "file"))
    _, broken, chunks = delimited(text, header=False)
    for chunk in chunks:
        assert all(value.encode() for name in chunk.frame.columns for value in chunk.frame[name] if value)
    assert all(row.reason and isinstance(row.raw, str) for row in broken)
    assert isinstance(readable(text), str)


SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | CELL
OBJECT = st.dictionaries(st.sampled_from(["user", "item", "x"]), SCALAR | st.lists(SCALAR, max_size=2), max_size=3)
LINE = OBJECT.map(json.dumps) | st.sampled_from(
    ["", " ", "[]", "{", "{}", '{"user": 1, "user": 2}', "nonsense", "\x00"]
)


@given(st.lists(LINE, max_size=12), st.integers(1, 64))
@settings(max_examples=120, deadline=None)
def test_each_json_line_is_kept_exactly_or_broken(lines: list[str], size: int) -> None:
    text = "\n".join(lines).encode()
    chunks = list(
        read_json_lines(blocks_of(text, size), encoding="utf-8", wanted=everything, plain=frozenset({"user"}))
    )
    found = {
        line: row
        for chunk in chunks
        for line, row in zip(chunk.lines.tolist(), _rows(chunk.frame, len(chunk.lines)), strict=True)
    }
    broken = {row.line for chunk in chunks for row in chunk.broken}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            assert number not in found
            continue
        assert (number in found) != (number in broken)
        if number in found:
            _same(json.loads(line), found[number])


def _rows(frame: object, count: int) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = frame.to_dicts()  # type: ignore[attr-defined]
    return rows or [{}] * count


def _same(written: dict[str, object], read: dict[str, str | None]) -> None:
    for key, value in written.items():
        if key == "user" and isinstance(value, str):
            assert read[key] == value
        elif key == "user" and value is None:
            assert read[key] is None
        else:
            assert json.loads(str(read[key])) == value
    assert all(value is None for key, value in read.items() if key not in written)
