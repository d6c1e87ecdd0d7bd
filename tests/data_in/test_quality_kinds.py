"""Each kind of rule on numbers and texts, with and without gaps, against plain Python; and results as data."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from segue.data.lake.lake import Lake
from segue.data.lake.snapshot import Snapshot
from segue.data.quality.check import RuleResult, check
from segue.data.settings import Rule
from segue.domain.errors import DeclarationError

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NUMBERS = [1.0, 2.0, 2.5, 3.0]
CASES: list[tuple[dict[str, Any], Callable[[Any], bool]]] = [
    ({"rule": "type", "column": "value", "type": "string"}, lambda cell: True),
    ({"rule": "type", "column": "session", "type": "string"}, lambda cell: False),
    ({"rule": "type", "column": "value", "type": "number"}, lambda cell: not math.isfinite(cell)),
    ({"rule": "type", "column": "value", "type": "integer"}, lambda cell: cell not in (1.0, 2.0, 3.0)),
    ({"rule": "type", "column": "time", "type": "time"}, lambda cell: False),
    ({"rule": "type", "column": "time", "type": "string"}, lambda cell: True),
    ({"rule": "allowed", "column": "value", "values": (1, 2)}, lambda cell: cell not in (1, 2)),
    ({"rule": "allowed", "column": "session", "values": (1, "2.0")}, lambda cell: cell not in ("1", "2.0")),
    ({"rule": "range", "column": "value", "min": 0}, math.isnan),
    ({"rule": "range", "column": "value", "max": 10}, math.isnan),
    ({"rule": "range", "column": "value", "min": 2, "max": 10}, lambda cell: not 2 <= cell <= 10),
    ({"rule": "regex", "column": "session", "pattern": "^1"}, lambda cell: not cell.startswith("1")),
    ({"rule": "foreign_key", "column": "value", "references": "items.id"}, lambda cell: cell not in (1, 2)),
    ({"rule": "foreign_key", "column": "value", "references": "items.price"}, lambda cell: cell not in (1, 2.5)),
    ({"rule": "foreign_key", "column": "session", "references": "items.price"},
     lambda cell: float(cell) not in (1, 2.5)),
    ({"rule": "expression", "expression": "value < 2"}, lambda cell: not cell < 2),
]  # fmt: skip


def lake_of(folder: Path, **cells: list[Any]) -> Snapshot:
    """Events with these cells, in a lake with two items."""
    lake = Lake(folder / "lake")
    rows = len(next(iter(cells.values())))
    frame = pl.DataFrame({"id": [str(row) for row in range(rows)], "user": ["a"] * rows, "type": ["t"] * rows, **cells})
    lake.append_events(frame, "events")
    lake.put_items(pl.DataFrame({"id": ["1", "2"], "price": [1.0, 2.5]}), "items")
    return lake.snapshot()


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Events that are never written to."""
    return lake_of(tmp_path_factory.mktemp("numbers"), value=NUMBERS)


def one(snapshot: Snapshot, **said: Any) -> RuleResult:
    return check(snapshot, [Rule(table="events", **said)], NOW)[0]


@pytest.mark.parametrize("gaps", [False, True])
def test_each_kind_counts_each_row(tmp_path: Path, *, gaps: bool) -> None:
    value: list[float | None] = [*NUMBERS, math.nan]
    gap = [None] * 3 if gaps else []
    time = [NOW - timedelta(days=day) for day in range(5)]
    cells = {"value": value + gap, "session": [str(each) for each in value] + gap, "time": [*time, *gap]}
    snapshot = lake_of(tmp_path, **cells)  # type: ignore[arg-type]
    for said, breaks in CASES:
        result = one(snapshot, **said)
        seen = [cell for cell in cells[said.get("column", "value")] if cell is not None]  # type: ignore[attr-defined]
        assert (result.checked, result.broken) == (len(seen), sum(map(breaks, seen))), said
        assert "nothing" not in result.examples


@pytest.mark.parametrize("value", ["1", True, "red"])
def test_values_of_a_column_of_numbers_are_numbers(numbers: Snapshot, value: object) -> None:
    with pytest.raises(DeclarationError, match="is no number, and 'value' holds numbers"):
        one(numbers, rule="allowed", column="value", values=(1, value))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        *[
            (said, "looks at more than one row")
            for said in (
                "value <= AVG(value)", "SUM(value) > 0", "value <= MAX(value) / 2", "COUNT(*) > 1", "FIRST(value) = 1",
                "SUM(value) OVER (PARTITION BY type) > 1", "ROW_NUMBER() OVER (ORDER BY value) < 9 AND value > 0",
                "value > LAG(value) OVER (ORDER BY time)", "RANK() OVER (ORDER BY value) > 1",
                "value < QUANTILE_CONT(value, 0.5)", "CORR(value, quantity) > 0", "STRING_AGG(type, ',') <> value",
            )
        ],
        ("1 = 2", "names no column"),
    ],
)  # fmt: skip
def test_a_condition_on_several_rows_is_refused(numbers: Snapshot, said: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        one(numbers, rule="expression", expression=said)


@pytest.mark.parametrize(
    "said",
    [
        "ABS(value) < 9 AND ROUND(value, 1) >= 0", "type IN ('t', 'Agg') AND type <> 'Len'", "SUBSTR(type, 1, 1) = 't'",
        "type LIKE 't%' AND UPPER(type) = 'T'", "COALESCE(value, 0) >= 0", "EXTRACT(year FROM received) > 1990",
        "CASE WHEN value > 1 THEN value < 9 ELSE TRUE END", "GREATEST(value, 1) >= 1", "value BETWEEN 0 AND 9",
    ],
)  # fmt: skip
def test_a_condition_on_each_row_is_taken(numbers: Snapshot, said: str) -> None:
    result = one(numbers, rule="expression", expression=said)
    assert (result.checked, result.broken) == (4, 0)


def test_a_row_from_the_future_does_not_make_old_data_new(tmp_path: Path) -> None:
    old, ahead = NOW - timedelta(days=40), NOW + timedelta(days=400)
    result = one(lake_of(tmp_path, time=[old, ahead, ahead]), rule="freshness")
    assert (result.broken, result.statistic) == (1, 40 * 24)
    assert result.examples == (old.isoformat(), f"2 later than now, up to {ahead.isoformat()}")


def test_rows_that_are_all_from_the_future_are_not_fresh(tmp_path: Path) -> None:
    result = one(lake_of(tmp_path, time=[NOW + timedelta(days=1)]), rule="freshness")
    assert (result.checked, result.broken, result.statistic) == (1, 1, None)


def test_results_are_data_for_programs_and_words_for_people(tmp_path: Path) -> None:
    time = [NOW - timedelta(days=day) for day in (60,) * 90 + (2,) * 90]
    snapshot = lake_of(tmp_path, time=time, value=[1.0] * 90 + [2.0] * 90)
    result = one(snapshot, rule="drift", column="value", reference="2026-04-01/2026-04-30")
    row = json.loads(json.dumps(result.row()))
    assert (row["statistic"], row["low"], row["high"]) == (result.statistic, result.low, result.high)
    assert row["examples"] == ["1: 100.0% to 0.0%", "2: 0.0% to 100.0%"]
    assert str(result.shown()["statistic"]).startswith(f"{result.statistic:.3g} (")
    assert list(result.shown()) == [name for name in result.row() if name not in ("low", "high")]
