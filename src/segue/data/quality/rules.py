"""What each kind of rule means: which rows it looks at, and which of them break it."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from functools import cached_property

import polars as pl

from segue.data.convert.times import moments
from segue.data.lake.lake import Snapshot
from segue.data.settings import Rule
from segue.domain import columns
from segue.domain.errors import DeclarationError, MissingColumn

_TYPES = ("number", "integer", "string", "time")


class Checks:
    """Expressions for the rules on one table."""

    def __init__(self, schema: pl.Schema, snapshot: Snapshot, now: datetime) -> None:
        self._schema, self._snapshot, self._now = schema, snapshot, now

    def applies(self, rule: Rule) -> pl.Expr:
        """bool: the rows that the rule looks at; only "null" looks at empty cells."""
        column = pl.col(rule.column)
        return column.is_null() | column.is_not_null() if rule.rule == "null" else column.is_not_null()

    def breaks(self, rule: Rule) -> pl.Expr:
        """bool: the rows that break the rule."""
        column = pl.col(rule.column)
        match rule.rule:
            case "null":
                return column.is_null()
            case "unique":
                return column.is_duplicated()
            case "known_item":
                return ~column.is_in(self._known_items)
            case "allowed":
                return ~column.cast(pl.String).is_in([str(value) for value in rule.values])
            case "type":
                return self._wrong_type(rule)
            case "range":
                return self._outside(rule, *(self._number(rule, bound) for bound in (rule.min, rule.max)))
            case "time_range":
                return self._outside(rule, *(self._moment(rule, bound) for bound in (rule.min, rule.max)))

    @cached_property
    def _known_items(self) -> pl.Series:
        return self._snapshot.items().select(columns.ID).collect().to_series().implode()

    def _wrong_type(self, rule: Rule) -> pl.Expr:
        column, dtype = pl.col(rule.column), self._schema[rule.column]
        if rule.type is None:
            raise DeclarationError(
                "a rule of the kind 'type' says which",
                where=_where(rule),
                mend=f"add type = one of {', '.join(_TYPES)}",
            )
        if rule.type == "string":
            return pl.lit(value=dtype != pl.String)
        if rule.type == "time":
            is_time = isinstance(dtype, pl.Datetime) or dtype == pl.Date
            return pl.lit(value=False) if is_time else column.cast(pl.String).str.to_datetime(strict=False).is_null()
        number = column.cast(pl.Float64, strict=False)
        wrong = number.is_null() | ~number.is_finite()
        return wrong | (number != number.floor()) if rule.type == "integer" else wrong

    def _outside(self, rule: Rule, low: pl.Expr | None, high: pl.Expr | None) -> pl.Expr:
        column = (
            pl.col(rule.column) if rule.rule == "time_range" else pl.col(rule.column).cast(pl.Float64, strict=False)
        )
        if low is None and high is None:
            raise DeclarationError(
                f"a rule of the kind '{rule.rule}' needs a bound", where=_where(rule), mend="add min, max or both"
            )
        outside = column.is_null()
        outside = outside if low is None else outside | (column < low)
        return outside if high is None else outside | (column > high)

    def _number(self, rule: Rule, bound: float | str | None) -> pl.Expr | None:
        if isinstance(bound, str):
            raise DeclarationError(f"'{bound}' is no number", where=_where(rule), mend="give min and max as numbers")
        return None if bound is None else pl.lit(float(bound))

    def _moment(self, rule: Rule, bound: float | str | None) -> pl.Expr | None:
        if bound is None:
            return None
        if not isinstance(self._schema[rule.column], pl.Datetime):
            raise DeclarationError(
                f"'{rule.column}' holds no times", where=_where(rule), mend='use rule = "range" for numbers'
            )
        moment = self._now.astimezone(UTC) if bound == "now" else moments(pl.Series([str(bound)]), "iso", "UTC")[0]
        if moment is None:
            raise DeclarationError(
                f"'{bound}' is no time", where=_where(rule), mend='write it as "2024-01-31" or "now"'
            )
        return pl.lit(moment)


def missing_column(rule: Rule, names: list[str]) -> MissingColumn:
    """What is said of a rule on a column that there is not."""
    near = difflib.get_close_matches(rule.column, names, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return MissingColumn(
        f"the table {rule.table} has no column '{rule.column}'",
        where=_where(rule),
        mend=f"{guess}there are: {', '.join(names)}",
    )


def _where(rule: Rule) -> str:
    return f"[[rules]] {rule.table}.{rule.column} {rule.rule}"
