"""Every kind of rule against plain Python, and no verdict that depends on how the rows are parted."""

from __future__ import annotations

import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.lake.lake import Lake
from segue.data.lake.snapshot import Snapshot
from segue.data.quality import arrival, days, drift, repeats, table
from segue.data.quality.check import RuleResult, check
from segue.data.quality.distance import statistics
from segue.data.quality.drift import interval
from segue.data.quality.kinds import offered
from segue.data.settings import Rule
from segue.domain.errors import DeclarationError, MissingColumn, UnknownName

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 2, tzinfo=UTC)
Row = dict[str, Any]

rows_of_events = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.sampled_from(["ann", "bob", "c-1", "ünal"]),
            "item": st.sampled_from(["x1", "x2", "y3", None, "ghost"]),
            "type": st.sampled_from(["view", "buy", "oops"]),
            "time": st.none() | st.integers(0, 80 * 24).map(lambda hours: FIRST + timedelta(hours=hours)),
            "value": st.none() | st.floats(-10, 100).map(lambda number: round(number, 1)),
            "quantity": st.none() | st.integers(0, 5).map(float),
            "session": st.sampled_from(["1", "zwei", None]),
        }
    ),
    min_size=1,
    max_size=40,
)


def lake_of(folder: Path, parts: Sequence[Sequence[Row]]) -> Snapshot:
    """A lake into which the rows came in these batches, numbered through, a minute apart."""
    lake, number = Lake(folder / f"lake-{random.getrandbits(60):x}"), 0
    lake.put_items(pl.DataFrame({"id": ["x1", "x2", "y3"], "title": ["X", "X", None]}), "items")
    for name, part in enumerate(parts):
        if part:
            frame = pl.DataFrame(list(part), schema=SCHEMA).with_row_index("order", offset=number + 1)
            ids = (pl.lit("e") + pl.col("order").cast(pl.String)).alias("id")
            lake.append_events(frame.with_columns(ids, received=pl.lit(NOW - timedelta(days=2))), f"part {name}")
            number += len(part)
    return lake.snapshot()


SCHEMA = {
    "user": pl.String, "item": pl.String, "type": pl.String, "time": pl.Datetime("us", "UTC"),
    "value": pl.Float64, "quantity": pl.Float64, "session": pl.String,
}  # fmt: skip


def of_rows(looks: Callable[[Row], bool], breaks: Callable[[Row], bool]) -> Callable[[list[Row]], tuple[int, int]]:
    def count(rows: list[Row]) -> tuple[int, int]:
        seen = [row for row in rows if looks(row)]
        return len(seen), sum(breaks(row) for row in seen)

    return count


def has(name: str) -> Callable[[Row], bool]:
    return lambda row: row[name] is not None


def unique(rows: list[Row]) -> tuple[int, int]:
    cells = [row["user"] for row in rows]
    return len(cells), sum(count for count in Counter(cells).values() if count > 1)


def duplicates(rows: list[Row]) -> tuple[int, int]:
    cells = [(row["user"], row["item"], row["value"]) for row in rows]
    whole = [each for each in cells if None not in each]
    return len(whole), len(whole) - len(set(whole))


def per_day(rows: list[Row], found: Callable[[list[Row]], int], step: int, many: int) -> tuple[int, int]:
    by_day: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        by_day[(row["time"] or NOW - timedelta(days=2)).date()].append(row)
    counts = {day: found(each) for day, each in by_day.items()}
    counts = {day: count for day, count in counts.items() if count}
    if not counts:
        return 0, 0
    checked = broken = 0
    day, last = min(counts), max(counts)
    while day <= last:
        back = [day - timedelta(days=step * each) for each in range(1, many + 1)]
        known = [counts.get(each, 0) for each in back if each >= min(counts)]
        if len(known) >= 2:
            checked += 1
            broken += abs(counts.get(day, 0) - median(known)) > 0.5 * median(known)
        day += timedelta(days=1)
    return checked, broken


def volume(rows: list[Row]) -> tuple[int, int]:
    return per_day(rows, len, 7, 8)


def cardinality(rows: list[Row]) -> tuple[int, int]:
    return per_day(rows, lambda part: len({row["item"] for row in part} - {None}), 1, 28)


def out_of_order(rows: list[Row]) -> tuple[int, int]:
    times = [row["time"] for row in rows if row["time"] is not None]
    pairs = list(pairwise(times))
    return len(pairs), sum(before - after > timedelta(hours=2) for before, after in pairs)


RULES: dict[str, tuple[dict[str, Any], Callable[[list[Row]], tuple[int, int]]]] = {
    "null": ({"column": "item"}, of_rows(lambda row: True, lambda row: row["item"] is None)),
    "range": ({"column": "value", "min": 0, "max": 50}, of_rows(has("value"), lambda row: not 0 <= row["value"] <= 50)),
    "allowed": ({"column": "type", "values": ("view", "buy")}, of_rows(has("type"), lambda row: row["type"] == "oops")),
    "regex": (
        {"column": "item", "pattern": "^[a-z][0-9]$"},
        of_rows(has("item"), lambda row: not re.search("^[a-z][0-9]$", row["item"])),
    ),
    "known_item": ({"column": "item"}, of_rows(has("item"), lambda row: row["item"] == "ghost")),
    "foreign_key": (
        {"column": "item", "references": "items.id"},
        of_rows(has("item"), lambda row: row["item"] == "ghost"),
    ),
    "type": ({"column": "session", "type": "number"}, of_rows(has("session"), lambda row: row["session"] == "zwei")),
    "time_range": (
        {"column": "time", "min": "2026-04-01", "max": "now"},
        of_rows(has("time"), lambda row: row["time"] < datetime(2026, 4, 1, tzinfo=UTC)),
    ),
    "clock_skew": (
        {},
        of_rows(has("time"), lambda row: row["time"] > NOW - timedelta(days=2)),
    ),
    "expression": (
        {"expression": "value * quantity < 100 AND item <> 'ghost'"},
        of_rows(
            lambda row: _condition(row) is not None,
            lambda row: _condition(row) is False,
        ),
    ),
    "unique": ({"column": "user"}, unique),
    "duplicates": ({"columns": ("user", "item", "value")}, duplicates),
    "volume": ({}, volume),
    "cardinality": ({"column": "item"}, cardinality),
    "freshness": ({"within": "30d"}, lambda rows: _fresh(rows)),
}


def _condition(row: Row) -> bool | None:
    """SQL's three values: a false part decides, whatever is not known of the other."""
    known = row["value"] is not None and row["quantity"] is not None
    small = row["value"] * row["quantity"] < 100 if known else None
    real = None if row["item"] is None else row["item"] != "ghost"
    if small is False or real is False:
        return False
    return None if small is None or real is None else True


def _fresh(rows: list[Row]) -> tuple[int, int]:
    times = [row["time"] for row in rows if row["time"] is not None]
    return (1, int(NOW - max(times) > timedelta(days=30))) if times else (0, 0)


def test_every_kind_is_held_against_an_oracle() -> None:
    assert set(RULES) | {"drift", "out_of_order"} == set(offered())


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so low that a few rows pass them."""
    monkeypatch.setattr(table, "BATCH", 3)
    monkeypatch.setattr(arrival, "IN_MEMORY", 5)
    monkeypatch.setattr(days, "PAIRS", 4)
    monkeypatch.setattr(repeats.Hashes.__init__, "__defaults__", (5,))


def verdicts(results: Sequence[RuleResult]) -> list[tuple[Any, ...]]:
    return [(each.rule.rule, each.checked, each.broken, each.passed, each.statistic, each.low) for each in results]


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(rows=rows_of_events, cuts=st.lists(st.integers(0, 40), max_size=4))
def test_rules_against_plain_python_however_the_rows_are_parted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("rules")
    rules = [Rule(table="events", rule=name, **said) for name, (said, _) in RULES.items()]
    rules.append(Rule(table="events", rule="drift", column="value", reference="2026-03-01/2026-04-01"))
    rules.append(Rule(table="events", rule="drift", column="item", reference="2026-03-01/2026-04-01", statistic="js"))
    whole = check(lake_of(folder, [rows]), rules, NOW)
    for result in whole[: len(RULES)]:
        assert (result.checked, result.broken) == RULES[result.rule.rule][1](rows), result.rule
    ends = [0, *sorted(cuts), len(rows)]
    parts = [rows[start:end] for start, end in pairwise(ends)]
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        assert verdicts(check(lake_of(folder, parts), rules, NOW)) == verdicts(whole)


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(rows=rows_of_events)
def test_order_within_a_batch(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    snapshot = lake_of(tmp_path_factory.mktemp("order"), [rows])
    rule = Rule(table="events", rule="out_of_order", within="2h")
    (whole,) = check(snapshot, [rule], NOW)
    assert (whole.checked, whole.broken) == out_of_order(rows)
    with pytest.MonkeyPatch.context() as patch:
        small(patch)
        assert verdicts(check(snapshot, [rule], NOW)) == verdicts([whole])


@pytest.mark.slow
@pytest.mark.parametrize("together", [1, 4, 100], ids=["alone", "fours", "all"])
def test_order_within_an_arrival_that_does_not_fit_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    """So many rows were received at each moment of one arrival."""
    hours = random.Random(together).choices(range(200), k=90)
    rows = pl.DataFrame({"user": "ann", "item": "x", "type": "view", "order": range(90), "hour": hours})
    time, moment = pl.lit(FIRST) + pl.duration(hours="hour"), pl.col("order") // together
    received = pl.lit(NOW - timedelta(days=2)) + pl.duration(seconds=moment)
    ids = pl.format("e{}", "order").alias("id")
    lake = Lake(tmp_path)
    lake.append_events(rows.select(ids, pl.exclude("hour"), time=time, received=received), "journal-1")
    (whole,) = check(lake.snapshot(), [Rule(table="events", rule="out_of_order", within="2h")], NOW)
    late = sum(before - after > 2 for before, after in pairwise(hours))
    assert (whole.checked, whole.broken) == (89, late)
    for held in (1, 7, 30):
        monkeypatch.setattr(table, "BATCH", 10)
        monkeypatch.setattr(arrival, "IN_MEMORY", held)
        parted = check(lake.snapshot(), [Rule(table="events", rule="out_of_order", within="2h")], NOW)
        assert verdicts(parted) == verdicts([whole])


def test_statistics_are_those_of_the_books() -> None:
    before, later = np.array([30.0, 50.0, 20.0]), np.array([10.0, 50.0, 40.0])
    p, q = before / 100, later / 100
    middle = (p + q) / 2
    divergence = sum(float((side * np.log2(side / middle)).sum()) for side in (p, q)) / 2
    assert float(statistics("js", before, later)) == pytest.approx(divergence)
    assert float(statistics("ks", before, later)) == pytest.approx(0.2)
    psi = float(((q - p) * np.log(q / p)).sum())
    assert float(statistics("psi", before * 1000, later * 1000)) == pytest.approx(psi, rel=1e-4)


@pytest.mark.parametrize("name", ["psi", "ks", "js"])
def test_an_interval_holds_the_truth(name: str) -> None:
    """Two samples of known distributions, 100 times: the interval has the true distance about as often as it says."""
    generator, held = np.random.default_rng(3), 0
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    truth = float(statistics(name, p * 1e9, q * 1e9))
    for seed in range(100):
        sides = [generator.multinomial(2_000, side).astype(float) for side in (p, q)]
        low, high = interval(name, sides[0], sides[1], seed)
        held += low <= truth <= high
    assert held >= 88


def test_drift_is_seen_where_there_is_some_and_only_there(tmp_path: Path) -> None:
    generator = random.Random(5)
    rows = [
        {"user": "a", "item": "x1", "type": "buy" if generator.random() < (0.1 if hour < 720 else 0.4) else "view",
         "time": FIRST + timedelta(hours=hour), "value": generator.gauss(10, 2) + (5 if hour >= 720 else 0),
         "quantity": float(generator.randint(1, 3)), "session": None}
        for hour in range(1440)
    ]  # fmt: skip
    said = {"table": "events", "rule": "drift", "reference": "2026-03-02/2026-03-31"}
    asked = [
        ("value", "psi"),
        ("value", "ks"),
        ("type", "js"),
        ("type", "psi"),
        ("quantity", "ks"),
        ("quantity", "psi"),
    ]
    limit = {"js": 0.02}
    rules = [Rule(**said, column=name, statistic=how, limit=limit.get(how)) for name, how in asked]  # type: ignore[arg-type]
    results = check(lake_of(tmp_path, [rows]), rules, NOW)
    assert [result.passed for result in results] == [False, False, False, False, True, True]
    ks = results[1]
    before, later = (
        [row["value"] for row in rows if (row["time"] < FIRST + timedelta(days=30)) is side] for side in (True, False)
    )
    cells = np.sort(np.concatenate([before, later]))
    shares = [np.searchsorted(np.sort(side), cells, side="right") / len(side) for side in (before, later)]
    assert ks.statistic == pytest.approx(float(np.abs(shares[0] - shares[1]).max()), abs=0.01)
    assert ks.low is not None
    assert ks.high is not None
    assert ks.low < float(ks.statistic or 0) <= ks.high + 0.01


def test_numbers_without_end_are_rounded_in_any_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(drift, "DISTINCT", 20)
    rows = [{**dict.fromkeys(SCHEMA), "user": "a", "type": "t", "time": FIRST + timedelta(hours=hour),
             "value": math.sqrt(hour)} for hour in range(200)]  # fmt: skip
    rule = Rule(table="events", rule="drift", column="value", reference="2026-03-02/2026-03-04")
    found = [check(lake_of(tmp_path, [part]), [rule], NOW)[0] for part in (rows, rows[::-1])]
    assert found[0].statistic == found[1].statistic
    assert found[0].broken == 1


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"rule": "regex", "column": "item"}, DeclarationError, "says its pattern"),
        ({"rule": "regex", "column": "item", "pattern": "["}, DeclarationError, "no regular expression"),
        ({"rule": "foreign_key", "column": "item", "references": "shop.id"}, DeclarationError, "no table 'shop'"),
        ({"rule": "foreign_key", "column": "item", "references": "items.idd"}, MissingColumn, "'id'"),
        ({"rule": "freshness", "within": "soon"}, DeclarationError, "no span of time"),
        ({"rule": "duplicates"}, DeclarationError, "says its columns"),
        ({"rule": "null"}, DeclarationError, "says its column"),
        ({"rule": "expression", "expression": "vale > 1"}, MissingColumn, "did you mean 'value'"),
        ({"rule": "expression", "expression": "value +"}, DeclarationError, "no condition in SQL"),
        ({"rule": "expression", "expression": "value + 1"}, DeclarationError, "no yes or no"),
        (
            {"rule": "drift", "column": "type", "statistic": "ks", "reference": "2026-01-01"},
            DeclarationError,
            "numbers",
        ),
        ({"rule": "drift", "column": "type"}, DeclarationError, "says its reference"),
        ({"rule": "uniqe", "column": "id"}, UnknownName, "unique"),
    ],
)
def test_rules_that_cannot_be_are_refused(tmp_path: Path, said: Row, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check(lake_of(tmp_path, []), [Rule(table="events", **said)], NOW)
