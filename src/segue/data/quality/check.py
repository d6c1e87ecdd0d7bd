"""Holds what is in the lake against rules: all of a table's in one pass, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.lake.lake import Snapshot
from segue.data.quality.kinds import EXAMPLES, Finding, Fold, RowRule, kind
from segue.data.quality.table import CheckedTable
from segue.data.settings import Rule


@dataclass(frozen=True)
class RuleResult:
    """What one rule found: of `checked` rows (or days) `broken` ones, their share, examples of their cells.

    `statistic` is the number that the rule is about where it has one, `low` and `high` its 95 % interval.
    """

    rule: Rule
    checked: int
    broken: int
    share: float
    examples: tuple[str, ...]
    passed: bool
    statistic: float | None = None
    low: float | None = None
    high: float | None = None

    def row(self) -> dict[str, Any]:
        """The result as data: numbers as they were computed."""
        return {
            "table": self.rule.table,
            "column": self.rule.column or ", ".join(self.rule.columns),
            "rule": self.rule.rule,
            "severity": self.rule.severity,
            "checked": self.checked,
            "broken": self.broken,
            "share": self.share,
            "threshold": self.rule.threshold,
            "statistic": self.statistic,
            "low": self.low,
            "high": self.high,
            "examples": list(self.examples),
            "passed": self.passed,
        }

    def shown(self) -> dict[str, Any]:
        """The result as a row of a table that a person reads: the statistic with its interval, in few digits."""
        ends = ("low", "high")
        return {name: value for name, value in self.row().items() if name not in ends} | {"statistic": _said(self)}


def check(snapshot: Snapshot, rules: Sequence[Rule], now: datetime) -> list[RuleResult]:
    """The results in the order of the rules; each table is gone through once for all of its rules.

    Rows that share a hash with another are looked up again to see whether they are equal; nothing else is read twice.
    Raises `MissingColumn` for a column that the table does not have, `DeclarationError` for a rule that cannot be.
    """
    results: dict[int, RuleResult] = {}
    for table in dict.fromkeys(rule.table for rule in rules):
        numbered = [(number, rule) for number, rule in enumerate(rules) if rule.table == table]
        found = check_table(CheckedTable(table, snapshot, now), [rule for _, rule in numbered])
        results |= {number: result for (number, _), result in zip(numbered, found, strict=True)}
    return [results[number] for number in range(len(rules))]


def check_table(table: CheckedTable, rules: Sequence[Rule]) -> list[RuleResult]:
    """The results of one table's rules."""
    compiled = [kind(rule.rule)(rule, table) for rule in rules]
    gone_through = _Pass(table, [each for each in compiled if isinstance(each, RowRule)])
    folds = [each for each in compiled if not isinstance(each, RowRule)]
    needed = dict.fromkeys([*gone_through.columns, *(name for fold in folds for name in fold.columns)])
    if folds or gone_through.columns:
        for batch in table.batches(list(needed)):
            gone_through.update(batch)
            for fold in folds:
                fold.update(batch)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # sorting hashes and matching ids take a core each
        of_rows = gone_through.findings(pool)
        of_folds = [pool.submit(_found, fold) for fold in folds]
        found, folded = iter(of_rows), iter(of_folds)
        findings = [next(found if isinstance(each, RowRule) else folded).result() for each in compiled]
    return [_result(rule, finding) for rule, finding in zip(rules, findings, strict=True)]


@dataclass(eq=False)
class _Tally:
    """What a rule on rows counted so far."""

    rule: RowRule
    checked: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)

    def counted(self, full: set[str]) -> tuple[pl.Expr, pl.Expr]:
        """Which rows are looked at and which break the rule, where the columns in `full` have no empty cell."""
        looks, breaks = (_for_each(each) for each in (self.rule.applies, self.rule.breaks))
        if any(looks.meta.eq(pl.col(name).is_not_null()) for name in looks.meta.root_names() if name in full):
            return pl.len(), breaks
        return looks, looks & breaks

    def finding(self) -> Finding:
        return Finding(self.checked, self.broken, tuple(self.examples[:EXAMPLES]))


class _Pass:
    """The rules on rows of one table: one query a batch for all of them, none where only ids are looked at.

    A rule on one column of ids is held against each different id once, at the end, with how often it came.
    """

    def __init__(self, table: CheckedTable, rules: Sequence[RowRule]) -> None:
        self._table = table
        self._tallies = [_Tally(rule) for rule in rules]
        roots = {id(tally): _roots(tally.rule) for tally in self._tallies}
        self.columns = sorted(set().union(*roots.values()))
        self._by_id = [each for each in self._tallies if len(roots[id(each)]) == 1 and roots[id(each)] <= table.coded]
        self._by_row = [each for each in self._tallies if each not in self._by_id]
        self._counts = {name: _counter(table, name) for each in self._by_id for name in roots[id(each)]}
        self._decoded = sorted(set().union(*(roots[id(each)] for each in self._by_row)) & table.coded)

    def update(self, batch: pl.DataFrame) -> None:
        for name, counts in self._counts.items():
            places = batch.select(self._table.place(name)).to_series().to_numpy()
            np.add(counts, np.bincount(places, minlength=len(counts)), out=counts)
        if not self._by_row:
            return
        rows = batch.with_columns(self._table.text(name).alias(name) for name in self._decoded)
        full = {name for name in rows.columns if not rows[name].null_count()}
        pairs = [tally.counted(full) for tally in self._by_row]
        counted = rows.select(
            expression.sum().alias(f"{name}_{number}")
            for number, pair in enumerate(pairs)
            for name, expression in zip(("checked", "broken"), pair, strict=True)
        ).row(0)
        for number, (tally, (_, breaks)) in enumerate(zip(self._by_row, pairs, strict=True)):
            checked, broken = int(counted[2 * number] or 0), int(counted[2 * number + 1] or 0)
            tally.checked += checked
            tally.broken += broken
            if broken and len(tally.examples) < EXAMPLES and tally.rule.shown:
                tally.examples += _words(rows.filter(tally.rule.applies & breaks)[tally.rule.shown].head(EXAMPLES))

    def findings(self, pool: ThreadPoolExecutor) -> list[Future[Finding]]:
        return [pool.submit(self._finding, tally) for tally in self._tallies]

    def _finding(self, tally: _Tally) -> Finding:
        if tally in self._by_id:
            (name,) = _roots(tally.rule)
            counts, texts = self._counts[name], self._table.texts(name).to_frame()
            found = texts.select(applies=tally.rule.applies, breaks=tally.rule.applies & tally.rule.breaks)
            applies, breaks = (found[side].fill_null(value=False).to_numpy() for side in ("applies", "breaks"))
            tally.checked, tally.broken = int(counts[applies].sum()), int(counts[breaks].sum())
            tally.examples = _words(texts[name].gather(np.flatnonzero(breaks & (counts > 0))[:EXAMPLES]))
        return tally.finding()


def _for_each(condition: pl.Expr) -> pl.Expr:
    """One that names no column, such as a literal, said of each row: alone it would be counted once a batch."""
    return condition if condition.meta.root_names() else pl.repeat(value=True, n=pl.len()) & condition


def _roots(rule: RowRule) -> frozenset[str]:
    return frozenset(rule.applies.meta.root_names()) | frozenset(rule.breaks.meta.root_names())


def _counter(table: CheckedTable, name: str) -> npt.NDArray[np.int64]:
    return np.zeros(len(table.texts(name)), np.int64)


def _words(cells: pl.Series) -> list[str]:
    return ["nothing" if cell is None else str(cell) for cell in cells]


def _found(fold: Fold) -> Finding:
    return fold.finding()


def _result(rule: Rule, finding: Finding) -> RuleResult:
    share = finding.broken / finding.checked if finding.checked else 0.0
    return RuleResult(
        rule,
        finding.checked,
        finding.broken,
        share,
        finding.examples,
        share <= rule.threshold,
        finding.statistic,
        finding.low,
        finding.high,
    )


def _said(result: RuleResult) -> str:
    """The statistic and its interval in few digits."""
    if result.statistic is None:
        return ""
    interval = "" if result.low is None or result.high is None else f" ({result.low:.3g} to {result.high:.3g})"
    return f"{result.statistic:.3g}{interval}"


__all__ = ["RuleResult", "check", "check_table"]
