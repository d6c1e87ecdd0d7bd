"""JSON arrays: each element a row, exactly as JSON lines have it, wherever the text is cut."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.guess.guess import guess_events
from segue.data.read.json_array import BEHIND, NO_JSON, TORN, UNCLOSED, elements_of, read_json_array
from segue.data.read.json_lines import read_json_lines
from segue.data.read.read import part_format
from segue.data.read.rows import Broken
from segue.data.settings import FileSource
from tests.data_in.reading import blocks_of, event_source, everything, only, read_all

PLAIN = frozenset({"user", "item"})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["user", "item", "x", "é"]), VALUES), max_size=5)


def array_rows(text: bytes, size: int = 1 << 20) -> tuple[list[dict[str, Any]], list[Broken]]:
    chunks = list(read_json_array(blocks_of(text, size), encoding="utf-8", wanted=everything, plain=PLAIN))
    rows = [{key: cell for key, cell in row.items() if cell is not None} for c in chunks for row in c.frame.to_dicts()]
    return rows, [row for chunk in chunks for row in chunk.broken]


@settings(max_examples=40, deadline=None)
@given(OBJECTS, st.sampled_from([None, 1]), st.booleans(), st.integers(1, 40))
def test_an_array_reads_as_the_same_objects_on_lines_do(
    objects: list[dict[str, Any]], indent: int | None, ascii_only: bool, size: int
) -> None:
    lines = "".join(json.dumps(each, ensure_ascii=ascii_only) + "\n" for each in objects).encode("utf-8", "replace")
    chunks = read_json_lines([lines], encoding="utf-8", wanted=everything, plain=PLAIN)
    expected = [
        {key: cell for key, cell in row.items() if cell is not None} for c in chunks for row in c.frame.to_dicts()
    ]
    text = json.dumps(objects, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    rows, broken = array_rows(text, size)
    assert not broken
    assert rows == ([] if not objects else expected)


@pytest.mark.parametrize(
    ("text", "users", "reasons"),
    [
        ('[{"user":"a"},{"user":}, {"user":"b"}]', ["a", "b"], [NO_JSON]),
        ('[\n{"user":"a"},\n{"user":"x"y"},\n{"user":"b"}\n]', ["a", "b"], [NO_JSON]),
        ('[\n{"user":"a"},\n{"user":"x,\n{"user":"b"}\n]', ["a", "b"], [NO_JSON]),
        ('[{"user":"a"},{"user":"b"', ["a"], [TORN]),
        ('[{"user":"a"},{"user":"x"y"},{"user":"b"}]', ["a"], [TORN]),
        ('[{"user":"a"},', ["a"], [UNCLOSED]),
        ('[{"user":"a"}', ["a"], [UNCLOSED]),
        ("[", [], [UNCLOSED]),
        ('[{"user":"a"}] and more', ["a"], [BEHIND]),
        ('[{"user":"a"},3,"x",[{"user":"c"}],{"user":"b"}]', ["a", "b"], ["value", "value", "array"]),
        ('[{"user":"a","user":"b"},{"user":NaN},{"user":"c"}]', ["c"], ["comes twice", NO_JSON]),
        ('[{"user":"a"}{"user":"b"},]', ["a", "b"], []),
        ("[]", [], []),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_is_broken_is_said_and_the_rest_is_kept(
    text: str, users: list[str], reasons: list[str], size: int
) -> None:
    rows, broken = array_rows(text.encode(), size)
    assert [row["user"] for row in rows] == users
    assert len(broken) == len(reasons)
    for row, reason in zip(broken, reasons, strict=True):
        assert reason in row.reason
        assert row.raw in text


def test_text_that_is_no_utf8_is_broken_alone() -> None:
    rows, broken = array_rows(b'[{"user":"\xff"},{"user":"b"}]')
    assert (rows, broken) == ([{"user": "b"}], [Broken(1, "not utf-8", None, '{"user":"\\xff"}')])


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9))
def test_no_bytes_make_it_fail(noise: bytes, size: int) -> None:
    rows, broken = array_rows(b'[{"user":"a"},' + noise, size)
    assert rows[:1] == [{"user": "a"}]
    assert broken or b"]" in noise


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "\n"])
def test_an_array_is_held_an_element_at_a_time(end: str) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"[" + end.encode()
        for _ in range(20_000):
            yield b'{"user":"' + b"b" * 1_000 + b'"},' + end.encode()
        yield b"{}]"

    tracemalloc.start()
    assert sum(1 for _ in elements_of(blocks())) == 20_001
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_file_is_taken_for_an_array_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text('[\n {"user": "a", "item": 17850.0},\n {"user": "b", "item": "x"}\n]')
    assert part_format(only(path), FileSource()) == "json"
    rows, broken = read_all(path, event_source())
    assert (rows, broken) == ([{"user": "a", "item": "17850.0"}, {"user": "b", "item": "x"}], [])
    guess = guess_events([path])
    assert guess.source.format == "auto"
    assert any("a JSON array" in reason for reason in guess.reasons)
