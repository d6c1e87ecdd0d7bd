"""Rules on days: how many rows each has, or how many different cells, against the days before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import median

import polars as pl

from segue.data.quality.kinds import EXAMPLES, Finding
from segue.data.quality.table import CheckedTable
from segue.data.settings import Rule
from segue.domain import columns

LEAST = 2  # earlier days that a day is held against; with fewer it is not judged
TOLERANCE = 0.5
PAIRS = 1 << 23  # of day and cell that wait before repeats among them go

Earlier = Callable[[date], Sequence[date]]


class Volume:
    """Rows a day, against the median of the same weekday before."""

    def __init__(self, rule: Rule, table: CheckedTable) -> None:
        self._rule, self._day, self.columns = rule, *_day(rule, table)
        self._today = table.now.date()
        self._counts: dict[date, int] = {}

    def update(self, batch: pl.DataFrame) -> None:
        """Count the rows of each day."""
        _add(self._counts, batch.select(self._day).to_series().value_counts())

    def finding(self) -> Finding:
        """Days whose count is further from the median than `tolerance` allows; days without rows count too."""
        weeks = self._rule.history or 8
        return _judged(self._counts, lambda day: _before(day, 7, weeks), self._rule, self._today, "rows")


class Cardinality:
    """Different cells of a column a day, against the median of the days before."""

    def __init__(self, rule: Rule, table: CheckedTable) -> None:
        self._rule, self._day, days = rule, *_day(rule, table, columns.TIME)
        self._cell = pl.col(table.column(rule))
        self.columns = (*days, rule.column)
        self._today = table.now.date()
        self._pairs: list[pl.DataFrame] = []

    def update(self, batch: pl.DataFrame) -> None:
        """Keep each pair of day and cell once; cells go by 64-bit hashes."""
        pairs = batch.lazy().filter(self._cell.is_not_null()).select(self._day, cell=self._cell.hash())
        self._pairs.append(pairs.unique().collect())
        if sum(each.height for each in self._pairs) > PAIRS:
            self._pairs = [pl.concat(self._pairs).unique()]

    def finding(self) -> Finding:
        """Days whose number of different cells is further from the median than `tolerance` allows."""
        counts: dict[date, int] = {}
        if self._pairs:
            _add(counts, pl.concat(self._pairs).unique()["day"].value_counts())
        days = self._rule.history or 28
        return _judged(counts, lambda day: _before(day, 1, days), self._rule, self._today, "different")


def volume(rule: Rule, table: CheckedTable) -> Volume:
    """Days with many more or fewer rows than the same weekday had before."""
    return Volume(rule, table)


def cardinality(rule: Rule, table: CheckedTable) -> Cardinality:
    """Days with many more or fewer different cells than the days before."""
    return Cardinality(rule, table)


def _day(rule: Rule, table: CheckedTable, by: str | None = None) -> tuple[pl.Expr, tuple[str, ...]]:
    """The day of a row and the columns that it needs: of the rule's own time column, else the day that the lake has."""
    if by is None and rule.column:
        column = table.time_column(rule)
    elif columns.DAY in table.schema:
        return pl.col(columns.DAY), (columns.DAY,)
    else:
        column = table.column(rule, columns.RECEIVED)
    return pl.col(column).dt.date().alias(columns.DAY), (column,)


def _add(counts: dict[date, int], found: pl.DataFrame) -> None:
    for day, count in found.iter_rows():
        if day is not None:
            counts[day] = counts.get(day, 0) + count


def _before(day: date, step: int, many: int) -> list[date]:
    return [day - timedelta(days=step * back) for back in range(1, many + 1)]


def _judged(counts: dict[date, int], earlier: Earlier, rule: Rule, today: date, what: str) -> Finding:
    """Each day that is over, against those earlier ones that are not before the first."""
    checked, broken, last = 0, [], None
    if not counts:
        return Finding(0, 0)
    first, tolerance = min(counts), TOLERANCE if rule.tolerance is None else rule.tolerance
    for back in range((min(max(counts), today) - first).days + 1):
        day = first + timedelta(days=back)
        known = [counts.get(other, 0) for other in earlier(day) if other >= first]
        if day == today or len(known) < LEAST:
            continue
        usual, found = median(known), counts.get(day, 0)
        checked, last = checked + 1, found / usual if usual else None
        if abs(found - usual) > tolerance * usual:
            broken.append(f"{day}: {found:,} {what}, usual are {usual:,g}")
    return Finding(checked, len(broken), tuple(broken[-EXAMPLES:]), last)
