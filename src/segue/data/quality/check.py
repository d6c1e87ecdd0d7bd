"""Holds what is in the lake against declared rules, or sensible ones: how many rows break each, with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from segue.data.lake.lake import Snapshot
from segue.data.quality.rules import Checks, missing_column
from segue.data.settings import Rule
from segue.domain import columns

EXAMPLES = 5  # cells that are shown of those that break a rule


@dataclass(frozen=True)
class RuleResult:
    """What one rule found: of `checked` rows `broken` ones, their share, examples of their cells."""

    rule: Rule
    checked: int
    broken: int
    share: float
    examples: tuple[str, ...]
    passed: bool

    def row(self) -> dict[str, Any]:
        """The result as a row of a table."""
        return {
            "table": self.rule.table,
            "column": self.rule.column,
            "rule": self.rule.rule,
            "severity": self.rule.severity,
            "checked": self.checked,
            "broken": self.broken,
            "share": round(self.share, 6),
            "threshold": self.rule.threshold,
            "examples": ", ".join(self.examples),
            "passed": self.passed,
        }


def check(snapshot: Snapshot, rules: Sequence[Rule], now: datetime) -> list[RuleResult]:
    """The results in the order of the rules; each table is gone through once for all of its rules.

    Raises `MissingColumn` for a rule on a column that the table does not have.
    """
    results: dict[int, RuleResult] = {}
    for table in dict.fromkeys(rule.table for rule in rules):
        numbered = [(number, rule) for number, rule in enumerate(rules) if rule.table == table]
        found = _check_table(snapshot, [rule for _, rule in numbered], now)
        results |= {number: result for (number, _), result in zip(numbered, found, strict=True)}
    return [results[number] for number in range(len(rules))]


def default_rules(snapshot: Snapshot) -> tuple[Rule, ...]:
    """Rules that suit what is in the lake: only on columns that hold something."""
    rules = [
        Rule(table="events", column=columns.ID, rule="unique"),
        Rule(table="events", column=columns.TYPE, rule="null"),
        Rule(table="events", column=columns.ITEM, rule="null", severity="warning", threshold=0.5),
    ]
    filled = _filled(snapshot.coded_events())
    if columns.TIME in filled:
        rules.append(Rule(table="events", column=columns.TIME, rule="time_range", min="1990-01-01", max="now"))
        rules.append(Rule(table="events", column=columns.TIME, rule="null", severity="warning", threshold=0.01))
    if columns.QUANTITY in filled:
        rules.append(Rule(table="events", column=columns.QUANTITY, rule="range", max=1e6, severity="warning"))
    items = _filled(snapshot.items())
    if items:
        rules.append(Rule(table="events", column=columns.ITEM, rule="known_item", severity="warning", threshold=0.01))
        rules.append(Rule(table="items", column=columns.ID, rule="unique"))
    if columns.TITLE in items:
        rules.append(Rule(table="items", column=columns.TITLE, rule="null", severity="warning", threshold=0.01))
    if columns.PRICE in items:
        rules.append(Rule(table="items", column=columns.PRICE, rule="range", min=0.0, severity="error"))
    if _filled(snapshot.users()):
        rules.append(Rule(table="users", column=columns.ID, rule="unique"))
    return tuple(rules)


def _filled(rows: pl.LazyFrame) -> set[str]:
    """The columns that hold something."""
    counts = rows.select(pl.all().count()).collect(engine="streaming").row(0, named=True)
    return {name for name, count in counts.items() if count}


def _check_table(snapshot: Snapshot, rules: Sequence[Rule], now: datetime) -> list[RuleResult]:
    rows = {"events": snapshot.events, "items": snapshot.items, "users": snapshot.users}[rules[0].table]()
    schema = rows.collect_schema()
    for rule in rules:
        if rule.column not in schema:
            raise missing_column(rule, schema.names())
    checks = Checks(schema, snapshot, now)
    pairs = [(checks.applies(rule), checks.breaks(rule)) for rule in rules]
    counted = rows.select(
        expression
        for number, (applies, breaks) in enumerate(pairs)
        for expression in (
            applies.sum().alias(f"checked_{number}"),
            (applies & breaks).sum().alias(f"broken_{number}"),
            pl.col(rules[number].column).filter(applies & breaks).head(EXAMPLES).implode().alias(f"examples_{number}"),
        )
    )
    row = counted.collect().row(0, named=True)
    return [_result(rule, row, number) for number, rule in enumerate(rules)]


def _result(rule: Rule, row: dict[str, Any], number: int) -> RuleResult:
    checked, broken = int(row[f"checked_{number}"] or 0), int(row[f"broken_{number}"] or 0)
    share = broken / checked if checked else 0.0
    examples = tuple("nothing" if cell is None else str(cell) for cell in row[f"examples_{number}"] or ())
    return RuleResult(rule, checked, broken, share, examples, share <= rule.threshold)


__all__ = ["RuleResult", "check", "default_rules"]
