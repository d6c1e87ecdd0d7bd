"""The results of every check, kept as a table in the lake, so that the trend is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
import polars as pl

from segue.data.lake.lake import Lake
from segue.data.lake.layouts import CHECKS
from segue.data.lake.rows import as_laid_out
from segue.data.lake.snapshot import Snapshot
from segue.data.quality.check import RuleResult
from segue.data.settings import Rule
from segue.domain import columns

_BARS = "▁▂▃▄▅▆▇█"
SHOWN = 20  # runs


def keep(lake: Lake, snapshot: Snapshot, results: Sequence[RuleResult], now: datetime) -> None:
    """Add the results to the table `checks`; examples are left out, for they may name people."""
    batch = f"check-{now.astimezone(UTC).isoformat()}-{uuid4().hex[:8]}"
    rows = [_row(result, snapshot.version(result.rule.table)) for result in results]
    if not rows:
        return
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(batch).alias(columns.BATCH), pl.lit(now.astimezone(UTC)).alias(columns.RECEIVED)
    )
    with lake.writer(wait_s=5):
        lake.tables["checks"].append(as_laid_out(frame, CHECKS), {batch: 1})


def history(lake: Lake) -> pl.DataFrame:
    """Every result that was kept, oldest first."""
    table = lake.tables["checks"]
    return table.scan(table.open()).sort(columns.RECEIVED, maintain_order=True).collect()


@dataclass(frozen=True)
class Trend:
    """One rule over its runs, oldest first: the shares of rows that broke it, and when it passed."""

    rule: Rule
    when: tuple[datetime, ...]
    shares: tuple[float, ...]
    passed: tuple[bool, ...]
    statistics: tuple[float | None, ...]

    def row(self) -> dict[str, Any]:
        """The trend as a row of a table."""
        return {
            "table": self.rule.table,
            "column": self.rule.column or ", ".join(self.rule.columns),
            "rule": self.rule.rule,
            "runs": len(self.shares),
            "first": round(self.shares[0], 6),
            "before": round(self.shares[-2], 6) if len(self.shares) > 1 else None,
            "now": round(self.shares[-1], 6),
            "trend": _bars(self.shares[-SHOWN:]),
            "passed": f"{sum(self.passed)} of {len(self.passed)}",
        }


def trends(kept: pl.DataFrame) -> list[Trend]:
    """The rules of the last run, each over all runs in which it was said in the same words."""
    if kept.is_empty():
        return []
    last = kept.filter(pl.col(columns.BATCH) == kept[columns.BATCH][-1])["said"].unique(maintain_order=True)
    found = []
    for said in last:
        runs = kept.filter(pl.col("said") == said)
        found.append(
            Trend(
                msgspec.json.decode(said, type=Rule),
                tuple(runs[columns.RECEIVED]),
                tuple(runs["share"]),
                tuple(runs["passed"]),
                tuple(runs["statistic"]),
            )
        )
    return found


def said(rule: Rule) -> dict[str, Any]:
    """What a rule says beside the defaults."""
    unsaid = Rule(table=rule.table, rule=rule.rule)
    fields = {name: getattr(rule, name) for name in rule.__struct_fields__}
    return {
        name: value for name, value in fields.items() if name in ("table", "rule") or value != getattr(unsaid, name)
    }


def _row(result: RuleResult, version: int | None) -> dict[str, Any]:
    rule = result.rule
    return {
        "version": version,
        "table": rule.table,
        "column": rule.column or ", ".join(rule.columns) or None,
        "rule": rule.rule,
        "severity": rule.severity,
        "threshold": rule.threshold,
        "said": msgspec.json.encode(said(rule)).decode(),
        "checked": result.checked,
        "broken": result.broken,
        "share": result.share,
        "passed": result.passed,
        "statistic": result.statistic,
        "low": result.low,
        "high": result.high,
    }


def _bars(shares: Sequence[float]) -> str:
    most = max(shares) or 1.0
    return "".join(_BARS[round(share / most * (len(_BARS) - 1))] for share in shares)


__all__ = ["Trend", "history", "keep", "said", "trends"]
