"""One table of the lake as rules see it: its columns, its rows in batches, and the texts behind codes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Literal

import polars as pl

from segue.data.convert.times import moments
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import Rule
from segue.domain import columns
from segue.domain.errors import DeclarationError, MissingColumn

BATCH = 1 << 18  # rows looked at together: what rules compute on them stays in the processor's reach
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_ID_TABLES: dict[str, Literal["item_ids", "person_ids"]] = {
    columns.ITEM: "item_ids",
    columns.USER: "person_ids",
    columns.VISITOR: "person_ids",
}


class CheckedTable:
    """Events, items or users at one moment. People and items of events come as codes, so that no row is joined.

    name    "events", "items" or "users"
    schema  the columns and their types as people see them: ids are text
    coded   the columns that hold codes in batches
    """

    def __init__(self, name: str, snapshot: Snapshot, now: datetime) -> None:
        self.name, self.snapshot, self.now = name, snapshot, now.astimezone(UTC)
        self.rows = {"events": snapshot.coded_events, "items": snapshot.items, "users": snapshot.users}[name]()
        kept = self.rows.collect_schema()
        self.coded = frozenset(_ID_TABLES) & set(kept) if name == "events" else frozenset[str]()
        self.schema = pl.Schema({each: pl.String() if each in self.coded else kept[each] for each in kept})
        self._texts: dict[str, pl.Series] = {}

    def batches(self, needed: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows, once, with these columns, in no promised order; memory holds a few batches at a time."""
        wanted = list(needed) or self.schema.names()[:1]
        read = self.rows.select(wanted)
        for batch in read.collect_batches(chunk_size=BATCH, maintain_order=False, engine="streaming"):
            if batch.height:
                yield batch

    def texts(self, column: str) -> pl.Series:
        """The texts of a coded column in the order of codes; one row more, of nothing, for cells that hold nothing."""
        table = _ID_TABLES[column]
        if table not in self._texts:
            ids = self.snapshot.dictionary(table)[columns.ID]
            ids = ids.str.slice(2) if table == "person_ids" else ids
            self._texts[table] = ids.extend_constant(None, 1)
        return self._texts[table].alias(column)

    def place(self, column: str) -> pl.Expr:
        """Where in `texts` the cells of a coded column are."""
        return pl.col(column).fill_null(len(self.texts(column)) - 1)

    def text(self, column: str) -> pl.Expr:
        """The cells of a column of a batch as people see them."""
        return pl.lit(self.texts(column)).gather(self.place(column)) if column in self.coded else pl.col(column)

    def column(self, rule: Rule, name: str | None = None) -> str:
        """The rule's column, or another that it names; `MissingColumn` with the nearest name where there is none."""
        wanted = rule.column if name is None else name
        if not wanted:
            raise refused(
                rule, f"a rule of the kind '{rule.rule}' says its column", 'add a line such as: column = "item"'
            )
        if wanted not in self.schema:
            raise missing_column(rule, wanted, self.schema.names())
        return wanted

    def time_column(self, rule: Rule) -> str:
        """The rule's column, or `time` where it names none; refused where it holds no times."""
        column = self.column(rule, rule.column or columns.TIME)
        if not isinstance(self.schema[column], pl.Datetime):
            raise refused(rule, f"'{column}' holds no times", 'name a column of times; for numbers use rule = "range"')
        return column

    def moment(self, rule: Rule, text: str) -> datetime:
        """A bound in words as a moment: an ISO time, or "now"."""
        found: datetime | None = self.now if text == "now" else moments(pl.Series([text]), "iso", "UTC")[0]
        if found is None:
            raise refused(rule, f"'{text}' is no time", 'write it as "2024-01-31" or "now"')
        return found

    @cached_property
    def others(self) -> dict[str, CheckedTable]:
        """The tables beside this one, by name, for keys that point to them."""
        return {name: CheckedTable(name, self.snapshot, self.now) for name in ("events", "items", "users")}


def span(rule: Rule, default: str) -> timedelta:
    """The rule's `within`, such as "36h" or "7d".

    >>> span(Rule(table="events", rule="freshness", within="36h"), "1d")
    datetime.timedelta(days=1, seconds=43200)
    """
    text = rule.within or default
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise refused(
            rule, f"within = '{text}' is no span of time", 'write a number and s, m, h, d or w, such as "36h"'
        )
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


def needed(rule: Rule, setting: str, example: str) -> str:
    """A setting that a kind of rule cannot do without."""
    said = getattr(rule, setting)
    if not said:
        raise refused(rule, f"a rule of the kind '{rule.rule}' says its {setting}", f"add a line such as: {example}")
    return str(said)


def refused(rule: Rule, problem: str, mend: str) -> DeclarationError:
    """What is said of a rule that cannot be."""
    return DeclarationError(problem, where=where(rule), mend=mend)


def missing_column(rule: Rule, name: str, names: Sequence[str]) -> MissingColumn:
    """What is said of a rule on a column that there is not."""
    near = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return MissingColumn(
        f"the table {rule.table} has no column '{name}'",
        where=where(rule),
        mend=f"{guess}there are: {', '.join(names)}",
    )


def where(rule: Rule) -> str:
    """How a rule is called in messages."""
    return f"[[rules]] {rule.table}.{rule.column} {rule.rule}" if rule.column else f"[[rules]] {rule.table} {rule.rule}"


__all__ = ["CheckedTable", "missing_column", "needed", "refused", "span", "where"]
