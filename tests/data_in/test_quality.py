"""Rules on what is in the lake: counts, examples, thresholds, and sensible rules where none are declared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest

from segue.data.lake.lake import Lake, Snapshot
from segue.data.quality.check import check
from segue.data.quality.defaults import default_rules
from segue.data.settings import Rule
from segue.domain.errors import DeclarationError, MissingColumn

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    lake = Lake(tmp_path_factory.mktemp("checked") / "lake")
    days = [datetime(1969, 1, 1, tzinfo=UTC), NOW - timedelta(days=1), NOW + timedelta(hours=6), None]
    lake.append_events(
        pl.DataFrame(
            {
                "id": ["1", "2", "3", "4"],
                "user": ["a", "a", "b", "b"],
                "item": ["x", "y", "ghost", None],
                "type": ["click", "buy", "buy", "search"],
                "time": days,
                "value": [1.0, 2.5, -3.0, None],
                "session": ["1", "2", "zwei", None],
            }
        ),
        "events",
    )
    lake.put_items(pl.DataFrame({"id": ["x", "y"], "title": ["X", None], "price": [1.0, 2.0]}), "items")
    lake.put_users(pl.DataFrame({"id": ["a"], "attributes": ["{}"]}), "users")
    return lake.snapshot()


@pytest.mark.parametrize(
    ("said", "checked", "broken", "examples"),
    [
        ({"column": "item", "rule": "null"}, 4, 1, ("nothing",)),
        ({"column": "value", "rule": "range", "min": 0.0, "max": 2.0}, 3, 2, ("2.5", "-3.0")),
        ({"column": "value", "rule": "range", "min": -5.0}, 3, 0, ()),
        ({"column": "type", "rule": "allowed", "values": ("click", "buy")}, 4, 1, ("search",)),
        ({"column": "user", "rule": "unique"}, 4, 4, ("a", "a", "b", "b")),
        ({"column": "id", "rule": "unique"}, 4, 0, ()),
        ({"column": "item", "rule": "known_item"}, 3, 1, ("ghost",)),
        ({"column": "value", "rule": "type", "type": "integer"}, 3, 1, ("2.5",)),
        ({"column": "session", "rule": "type", "type": "number"}, 3, 1, ("zwei",)),
        ({"column": "value", "rule": "type", "type": "string"}, 3, 3, ("1.0", "2.5", "-3.0")),
        ({"column": "time", "rule": "type", "type": "time"}, 3, 0, ()),
        ({"column": "session", "rule": "type", "type": "time"}, 3, 3, ("1", "2", "zwei")),
        ({"column": "time", "rule": "time_range", "min": "1990-01-01", "max": "now"}, 3, 2, None),
        ({"column": "time", "rule": "time_range", "max": "2030-01-01T00:00:00+02:00"}, 3, 0, ()),
    ],
)
def test_each_kind_of_rule(
    snapshot: Snapshot, said: dict[str, object], checked: int, broken: int, examples: tuple[str, ...] | None
) -> None:
    (result,) = check(snapshot, [Rule(table="events", **said)], NOW)  # type: ignore[arg-type]
    assert (result.checked, result.broken) == (checked, broken)
    assert result.share == broken / checked
    assert result.passed == (broken == 0)
    if examples is not None:
        assert sorted(result.examples) == sorted(examples)


def test_a_threshold_is_the_share_that_may_break(snapshot: Snapshot) -> None:
    rules = [Rule(table="events", column="item", rule="null", threshold=share) for share in (0.2, 0.25)]
    assert [result.passed for result in check(snapshot, rules, NOW)] == [False, True]


def test_rules_on_several_tables_keep_their_order(snapshot: Snapshot) -> None:
    rules = [
        Rule(table="items", column="title", rule="null", severity="warning"),
        Rule(table="events", column="type", rule="null"),
        Rule(table="users", column="id", rule="unique"),
        Rule(table="items", column="price", rule="range", min=0.0),
    ]
    rows = [result.row() for result in check(snapshot, rules, NOW)]
    assert [(row["table"], row["checked"], row["broken"]) for row in rows] == [
        ("items", 2, 1), ("events", 4, 0), ("users", 1, 0), ("items", 2, 0),
    ]  # fmt: skip
    assert rows[0]["severity"] == "warning"


def test_now_may_be_of_any_zone(snapshot: Snapshot) -> None:
    rule = Rule(table="events", column="time", rule="time_range", max="now")
    (result,) = check(snapshot, [rule], NOW.astimezone(timezone(timedelta(hours=5))))
    assert result.broken == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"column": "value", "rule": "type"}, "says which"),
        ({"column": "value", "rule": "range"}, "needs a bound"),
        ({"column": "value", "rule": "range", "min": "a lot"}, "'a lot' is no number"),
        ({"column": "value", "rule": "time_range", "min": "2024-01-01"}, "holds no times"),
        ({"column": "time", "rule": "time_range", "min": "soon"}, "'soon' is no time"),
    ],
)
def test_rules_that_cannot_be_are_refused(snapshot: Snapshot, said: dict[str, object], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        check(snapshot, [Rule(table="events", **said)], NOW)  # type: ignore[arg-type]


def test_a_rule_on_a_missing_column_is_refused_with_the_nearest_name(snapshot: Snapshot) -> None:
    with pytest.raises(MissingColumn, match="did you mean 'value'"):
        check(snapshot, [Rule(table="events", column="valeu", rule="null")], NOW)


def test_default_rules_look_only_at_what_is_there(snapshot: Snapshot, tmp_path: Path) -> None:
    rules = default_rules(snapshot)
    said = {(rule.table, rule.column, rule.rule) for rule in rules}
    assert said >= {("events", "id", "unique"), ("events", "item", "known_item"), ("items", "price", "range")}
    assert ("events", "quantity", "range") not in said
    results = check(snapshot, rules, NOW)
    assert {result.rule.column for result in results if not result.passed} == {"item", "time", "title"}
    empty = Lake(tmp_path / "empty").snapshot()
    assert all(result.passed and result.checked == 0 for result in check(empty, default_rules(empty), NOW))
