"""The kinds of rule that look at each row by itself: which rows they look at, and which of them break them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from segue.data.quality.kinds import RowRule
from segue.data.quality.table import CheckedTable, needed, refused, span
from segue.data.settings import Rule
from segue.domain import columns

_TYPES = ("number", "integer", "string", "time")
_TOGETHER = {  # what polars calls what looks at other rows too
    "Agg", "Over", "Window", "Rolling", "Len", "Explode", "SubPlan", "Selector", "Filter", "SortBy", "Gather",
    "Correlation", "NullCount", "Quantile", "Range", "Rank", "Shift", "Diff", "Unique", "Mode", "Skew", "Kurtosis",
    "CumSum", "CumCount", "CumMin", "CumMax", "CumProd", "Any", "All", "Random",
}  # fmt: skip


def null(rule: Rule, table: CheckedTable) -> RowRule:
    """Cells that hold nothing."""
    column = pl.col(table.column(rule))
    return RowRule(column.is_null() | column.is_not_null(), column.is_null(), rule.column)


def allowed(rule: Rule, table: CheckedTable) -> RowRule:
    """Cells that are none of `values`; those of a column of numbers are compared as numbers."""
    name = table.column(rule)
    if table.schema[name].is_numeric():
        return _filled(rule, table, ~pl.col(name).cast(pl.Float64).is_in(_numbers(rule)))
    return _filled(rule, table, ~pl.col(name).cast(pl.String).is_in([str(value) for value in rule.values]))


def regex(rule: Rule, table: CheckedTable) -> RowRule:
    """Cells in which `pattern` is not found; ^ and $ hold it against the whole cell."""
    pattern = needed(rule, "pattern", 'pattern = "^[A-Z]{2}[0-9]+$"')
    try:
        pl.Series(["a"]).str.contains(pattern)
    except PolarsError as error:
        raise refused(rule, f"'{pattern}' is no regular expression", str(error).splitlines()[0]) from error
    return _filled(rule, table, ~pl.col(table.column(rule)).cast(pl.String).str.contains(pattern))


def known_item(rule: Rule, table: CheckedTable) -> RowRule:
    """Items that the catalog does not have."""
    return _filled(rule, table, ~pl.col(table.column(rule)).is_in(_values(table, "items", columns.ID)))


def foreign_key(rule: Rule, table: CheckedTable) -> RowRule:
    """Cells that no row has in the column `references` ("items.id") of another table; numbers are equal as numbers."""
    said = needed(rule, "references", 'references = "items.id"')
    name, _, column = said.partition(".")
    if name not in table.others:
        raise refused(rule, f"there is no table '{name}'", 'write references = "items.id", "users.id" or "events.item"')
    other = table.others[name]
    other.column(rule, column)
    own, values = table.column(rule), _values(table, name, column)
    if table.schema[own].is_numeric() or other.schema[column].is_numeric():
        cell, numbers = pl.col(own).cast(pl.Float64, strict=False), values.explode().cast(pl.Float64, strict=False)
        return _filled(rule, table, ~cell.is_in(numbers.drop_nulls().implode()).fill_null(value=False))
    return _filled(rule, table, ~pl.col(own).cast(pl.String).is_in(values))


def range_(rule: Rule, table: CheckedTable) -> RowRule:
    """Numbers outside of `min` to `max`, and what is no number: it is within no bounds."""
    column = pl.col(table.column(rule)).cast(pl.Float64, strict=False)
    outside = _outside(rule, column, *(_number(rule, bound) for bound in (rule.min, rule.max)))
    return _filled(rule, table, outside | column.is_nan())


def time_range(rule: Rule, table: CheckedTable) -> RowRule:
    """Times outside of `min` to `max`."""
    column = pl.col(table.time_column(rule))
    bounds = (None if bound is None else pl.lit(table.moment(rule, str(bound))) for bound in (rule.min, rule.max))
    return _filled(rule, table, _outside(rule, column, *bounds))


def type_(rule: Rule, table: CheckedTable) -> RowRule:
    """Cells that are not of the type."""
    name, dtype = table.column(rule), table.schema[table.column(rule)]
    if rule.type is None:
        raise refused(rule, "a rule of the kind 'type' says which", f"add type = one of {', '.join(_TYPES)}")
    column = pl.col(name)
    if rule.type == "string":
        return _filled(rule, table, column.is_null() if dtype == pl.String else column.is_not_null())
    if rule.type == "time":
        is_time = isinstance(dtype, pl.Datetime) or dtype == pl.Date
        wrong = column.is_null() if is_time else column.cast(pl.String).str.to_datetime(strict=False).is_null()
        return _filled(rule, table, wrong)
    number = column.cast(pl.Float64, strict=False)
    wrong = number.is_null() | ~number.is_finite()
    return _filled(rule, table, wrong | (number != number.floor()) if rule.type == "integer" else wrong)


def clock_skew(rule: Rule, table: CheckedTable) -> RowRule:
    """Times that are later than the moment at which the row was received, by more than `within` ("0s")."""
    time, received = table.time_column(rule), table.column(rule, columns.RECEIVED)
    late = pl.col(time) > pl.col(received) + span(rule, "0s")
    return RowRule(pl.col(time).is_not_null(), late, time)


def expression(rule: Rule, table: CheckedTable) -> RowRule:
    """Rows for which a condition in SQL is false; where it is NULL, the rule does not look at the row.

    Refused where it is not of each row by itself: rows come in batches, over which an average would be another.
    """
    said = needed(rule, "expression", 'expression = "value >= 0 AND quantity < 100"')
    try:
        condition = pl.sql_expr(said)
        named = condition.meta.root_names()
    except PolarsError as error:
        raise refused(rule, f"this is no condition in SQL: {error}", "mend the expression") from error
    for name in named:
        table.column(rule, name)
    if together := _TOGETHER.intersection(_nodes(json.loads(condition.meta.serialize(format="json")))):
        raise refused(
            rule,
            f"'{said}' looks at more than one row ({', '.join(sorted(together))}), as sums and windows do",
            "write a condition on each row by itself, the bound as a number, such as: value <= 100",
        )
    if not named:
        raise refused(rule, f"'{said}' names no column", "write a condition on a row's cells, such as: value >= 0")
    try:
        dtype = pl.DataFrame(schema=table.schema).select(condition).dtypes[0]
    except PolarsError as error:
        raise refused(rule, f"this cannot be computed: {str(error).splitlines()[0]}", "mend the expression") from error
    if dtype != pl.Boolean:
        raise refused(rule, f"the expression gives no yes or no but {dtype}", "compare it with something")
    return RowRule(condition.is_not_null(), ~condition, rule.column or named[0])


def _nodes(tree: Any) -> Iterator[str]:
    """The names of what an expression is made of; of its columns and literals, not what they say."""
    match tree:
        case str():
            yield tree
        case list():
            for each in tree:
                yield from _nodes(each)
        case dict():
            for name, below in tree.items():
                yield name
                yield from () if name in ("Column", "Literal") else _nodes(below)


def _numbers(rule: Rule) -> list[float]:
    for value in rule.values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            mend = "write numbers without quotes, such as values = [1, 2]"
            raise refused(rule, f"'{value}' is no number, and '{rule.column}' holds numbers", mend)
    return [float(value) for value in rule.values]


def _filled(rule: Rule, table: CheckedTable, breaks: pl.Expr) -> RowRule:
    """A rule that looks at cells that hold something."""
    return RowRule(pl.col(table.column(rule)).is_not_null(), breaks, rule.column)


def _values(table: CheckedTable, name: str, column: str) -> pl.Series:
    """What a column of a table holds, each once, as text, in a list."""
    other = table.others[name]
    found = other.rows.select(pl.col(column).unique()).collect(engine="streaming").to_series().drop_nulls()
    texts = other.texts(column).gather(found) if column in other.coded else found.cast(pl.String)
    return texts.implode()


def _outside(rule: Rule, column: pl.Expr, low: pl.Expr | None, high: pl.Expr | None) -> pl.Expr:
    if low is None and high is None:
        raise refused(rule, f"a rule of the kind '{rule.rule}' needs a bound", "add min, max or both")
    outside = column.is_null()
    outside = outside if low is None else outside | (column < low)
    return outside if high is None else outside | (column > high)


def _number(rule: Rule, bound: float | str | None) -> pl.Expr | None:
    if isinstance(bound, str):
        raise refused(rule, f"'{bound}' is no number", "give min and max as numbers")
    return None if bound is None else pl.lit(float(bound))
