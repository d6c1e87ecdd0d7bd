"""Whatever a table holds: each row is kept exactly or broken with its line and text, and no guess crashes."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.data.convert.cells import NOBODY
from segue.data.convert.events import Converted, convert_events
from segue.data.guess.guess import guess_events, guess_items, guess_users
from segue.data.read.read import read_rows
from segue.data.read.rows import Rows
from segue.data.settings import EventColumns, EventSource
from segue.domain.errors import ReadError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COLUMNS = EventColumns(user="u", item="i", type="t", time="d", value="v", quantity="q", id="e", position="p")
SOURCE = EventSource(columns=COLUMNS)
TEXT = st.text(max_size=8)
NUMBER = st.sampled_from(["1", "-1", "0", "", "NaN", "inf", "1e999", "2.50", " 3 ", "x", "1,5", "NA", "99999999"])
TIME = st.sampled_from(
    ["2024-01-01", "2024-01-01T10:00:00Z", "", "never", "2026-02-31", "2099-01-01", "1700-01-01 10:00"]
)
ROW = st.fixed_dictionaries(
    {"u": TEXT | st.sampled_from(NOBODY), "i": TEXT, "t": st.sampled_from(["click", "search", ""]) | TEXT}
    | {"d": TIME | TEXT, "v": NUMBER | TEXT, "q": NUMBER, "e": TEXT, "p": NUMBER}
)


def converted(rows: list[dict[str, str]], source: EventSource = SOURCE) -> Converted:
    frame = pl.DataFrame(rows, schema=dict.fromkeys("uitdvqep", pl.String))
    lines = np.arange(2, len(rows) + 2)

    def raw(places: npt.NDArray[np.int64]) -> list[str]:
        return [str(rows[place]) for place in places]

    return convert_events(Rows(frame, lines, raw), source, "f" * 48, 0, NOW)


@pytest.mark.slow
@given(st.lists(ROW, max_size=8), st.sampled_from([None, "return"]))
@settings(max_examples=120, deadline=None)
def test_each_row_is_kept_exactly_or_broken(rows: list[dict[str, str]], negative: str | None) -> None:
    source = EventSource(columns=COLUMNS, negative_type=negative)
    result = converted(rows, source)
    lines = [row.line for row in result.broken]
    kept = [row for number, row in enumerate(rows, start=2) if number not in set(lines)]
    assert len(lines) == len(set(lines))
    assert result.frame.height == len(kept)
    for row, event in zip(kept, result.frame.to_dicts(), strict=True):
        assert event["user"] == row["u"]
        assert (event["item"] or "") == (row["i"] if row["i"] not in NOBODY else "")
        negatives = [number for number in (event["value"], event["quantity"]) if number is not None and number < 0]
        assert event["type"] == (negative if negatives else row["t"])
        assert event["time"] is not None
        assert event["time"] <= NOW + timedelta(days=1)
        if event["value"] is not None:
            assert event["value"] == float(row["v"])
            assert np.isfinite(event["value"])
    for row in result.broken:
        assert row.reason
        assert row.raw == str(rows[row.line - 2])


@pytest.mark.slow
@given(st.lists(ROW, max_size=8), st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_rows_do_not_depend_on_the_rows_beside_them(rows: list[dict[str, str]], cut: int) -> None:
    whole = converted(rows)
    first, rest = converted(rows[:cut]), converted(rows[cut:])
    assert len(whole.broken) == len(first.broken) + len(rest.broken)
    columns = ["user", "item", "type", "time", "value", "quantity", "position"]
    parts = [part.frame.select(columns).rows() for part in (first, rest)]
    assert whole.frame.select(columns).rows() == parts[0] + parts[1]


WORDS = ["user", "item", "time", "price", "1", "2", "a", "b", "2024-01-01", "1700000000", "é", "", " ", '"', "NaN"]
TABLE = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), min_size=1, max_size=10)


@pytest.mark.slow
@given(TABLE, st.sampled_from([",", ";", "\t", "::", " "]), st.sampled_from(["utf-8", "latin-1", "utf-16"]))
@settings(max_examples=40, deadline=None)
@example([["id", "released"], ["1", ""]], ",", "utf-8")
def test_no_table_makes_a_guess_crash(rows: list[list[str]], delimiter: str, encoding: str) -> None:
    _guess_all("\n".join(delimiter.join(row) for row in rows).encode(encoding))


@pytest.mark.slow
@given(st.binary(max_size=300))
@settings(max_examples=40, deadline=None)
@example(b"PAR1")
@example(b"\x1f\x8b")
@example(b"(\xb5/\xfd")
@example(b'{"a": 1}\n{"a": [1]}\n')
@example(b'{"user": {"a": 1}, "item": null}\n')
def test_no_bytes_make_a_guess_crash(data: bytes) -> None:
    _guess_all(data)


def _guess_all(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(data)
        for guess in (guess_events, guess_items, guess_users):
            with suppress(ReadError):
                list(read_rows(path, guess([path]).source))
