"""One table, column by column: its type, what is missing, how many values differ, their distribution, the top ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from segue.data.explore.html import html_table
from segue.data.profile.attributes import unfolded
from segue.data.profile.distinct import distinct_counts
from segue.data.profile.numbers import Numbers, numbers
from segue.domain import columns
from segue.domain.errors import unknown

if TYPE_CHECKING:
    from segue.data.lake.snapshot import Snapshot

TOP: Final = 10
FEWEST: Final = 10  # rows that share a value before it is told outside of the catalog: what few have says who they are
VARIED: Final = 200_000  # distinct values from which on no top is looked for
ROWWISE: Final = frozenset((columns.ID, columns.ORDER, columns.BATCH, columns.RECEIVED, "line", "raw", "request_id"))
NAMING: Final = ROWWISE | {
    columns.USER,
    columns.VISITOR,
    columns.SESSION,
    columns.DECISION,
    "seed",
}  # never told singly
LONGEST: Final = 60  # characters of a name or a value that are told
FOLDED: Final = (columns.ATTRIBUTES, columns.CONTEXT)


@dataclass(frozen=True)
class ColumnProfile:
    """One column, of which `of` rows were looked at. `distinct` is None for lists and what each row has its own of."""

    name: str
    type: str
    of: int
    missing: int
    distinct: int | None
    numbers: Numbers | None = None
    top: tuple[tuple[str, int], ...] = ()
    first: datetime | None = None
    last: datetime | None = None

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / self.of if self.of else 0.0

    def row(self) -> dict[str, Any]:
        """The column as a row of a table."""
        return {
            "column": self.name[:LONGEST],
            "type": self.type,
            "missing": f"{self.missing_share:.1%}",
            "distinct": self.distinct,
            "what is in it": self.told(),
        }

    def told(self) -> str:
        """The distribution or the top values in some words."""
        if self.missing == self.of:
            return "nothing"
        if self.numbers:
            low, middle, high = (self.numbers.quantiles[share] for share in (0.05, 0.5, 0.95))
            return f"median {middle:.6g}, nine of ten from {low:.6g} to {high:.6g}"
        if self.first and self.last:
            return f"{self.first:%Y-%m-%d} to {self.last:%Y-%m-%d}"
        return ", ".join(f"{value[:LONGEST]} ({count / (self.of - self.missing):.0%})" for value, count in self.top[:4])


@dataclass(frozen=True)
class TableProfile:
    """All columns of one table that hold something, and the names of those that hold nothing."""

    name: str
    count: int
    columns: tuple[ColumnProfile, ...]

    def __getitem__(self, name: str) -> ColumnProfile:
        """The profile of one column by its name; what is inside JSON is `attributes.brand`."""
        named = {column.name: column for column in self.columns}
        if name not in named:
            raise unknown("column", name, named, where=self.name)
        return named[name]

    @property
    def filled(self) -> tuple[ColumnProfile, ...]:
        """The columns that hold something."""
        return tuple(column for column in self.columns if column.missing < column.of)

    @property
    def empty(self) -> tuple[str, ...]:
        """The names of those that hold nothing."""
        return tuple(column.name for column in self.columns if column.missing == column.of)

    def rows(self) -> list[dict[str, Any]]:
        """One row a column that holds something."""
        return [column.row() for column in self.filled]

    def __repr__(self) -> str:
        return f"<profile of {self.name}: {self.count:,} rows, {len(self.filled)} columns>"

    def _repr_html_(self) -> str:
        """The columns, as a notebook shows them."""
        notes = [f"{self.count:,} rows"] + ([f"nothing in {', '.join(self.empty)}"] if self.empty else [])
        return html_table(pl.DataFrame(self.rows()), self.name, notes)


def profile_table(snapshot: Snapshot, name: str) -> TableProfile:
    """The profile of a table of the lake; of events, people stay codes, and items become ids at the end."""
    if name != "events":
        return table_profile(name, getattr(snapshot, name)())
    return table_profile(name, snapshot.coded_events(), snapshot.dictionary("item_ids"))


def table_profile(name: str, rows: pl.LazyFrame, item_ids: pl.DataFrame | None = None) -> TableProfile:
    """The profile of any frame with Segue's columns; `item_ids` says what the codes in `item` mean."""
    schema = rows.collect_schema()
    plain = {column: kind for column, kind in schema.items() if column not in FOLDED}
    facts = _facts(rows, plain)
    count = facts["rows"]
    found = [_column(name, rows, column, kind, facts, item_ids) for column, kind in plain.items()]
    for folded in FOLDED:
        if folded in schema and count:
            inner = unfolded(rows, folded, count)
            inside = _facts(inner.lazy(), dict(inner.schema))
            found += [_column(name, inner.lazy(), column, kind, inside, None) for column, kind in inner.schema.items()]
    return TableProfile(name, count, tuple(found))


def _facts(rows: pl.LazyFrame, schema: dict[str, pl.DataType]) -> dict[str, Any]:
    """Counts of all columns in one pass."""
    asked = [pl.len().alias("rows")]
    for column, kind in schema.items():
        given = pl.col(column).list.len() > 0 if isinstance(kind, pl.List) else pl.col(column).is_not_null()
        asked.append(given.fill_null(value=False).sum().alias(f"given {column}"))
        if kind.is_temporal():
            asked += [pl.col(column).min().alias(f"first {column}"), pl.col(column).max().alias(f"last {column}")]
    facts = rows.select(asked).collect(engine="streaming").row(0, named=True)
    differing = [
        name for name, kind in schema.items() if not kind.is_nested() and name not in ROWWISE and facts[f"given {name}"]
    ]
    counts = distinct_counts(rows, differing, facts["rows"])
    return facts | {f"distinct {name}": found for name, found in counts.items()}


def _column(
    table: str,
    rows: pl.LazyFrame,
    name: str,
    kind: pl.DataType,
    facts: dict[str, Any],
    item_ids: pl.DataFrame | None,
) -> ColumnProfile:
    of, given = facts["rows"], facts[f"given {name}"]
    distinct = facts.get(f"distinct {name}")
    counted = kind.is_numeric() and name not in {*NAMING, columns.ITEM}
    told = ColumnProfile(name, _word(name, kind), of, of - given, distinct, **_moments(facts, name))
    if not given or name in NAMING:
        return told
    if counted:
        return replace(told, numbers=_numbers(table, rows, name, distinct))
    texts = isinstance(kind, pl.List | pl.String | pl.Boolean) or name == columns.ITEM
    if texts and (distinct or 0) <= VARIED:
        return replace(told, top=_top(table, rows, name, kind, item_ids))
    return told


def _numbers(table: str, rows: pl.LazyFrame, name: str, distinct: int | None) -> Numbers | None:
    """Of people, the extremes are left out: one person has them."""
    found = numbers(rows, name, distinct)
    if found is None or table != "users":
        return found
    low, high = found.quantiles[0.01], found.quantiles[0.99]
    return Numbers(low, high, found.mean, found.quantiles, found.bars, found.infinite)


def _top(
    table: str, rows: pl.LazyFrame, name: str, kind: pl.DataType, item_ids: pl.DataFrame | None
) -> tuple[tuple[str, int], ...]:
    values = rows.select(pl.col(name))
    if isinstance(kind, pl.List):
        if not isinstance(kind.inner, pl.String):
            return ()
        values = values.explode(name)
    counts = values.drop_nulls().group_by(name).len("count")
    if name != columns.TYPE:
        counts = counts.filter(pl.col("count") >= (2 if table == "items" else FEWEST))
    top = counts.sort("count", name, descending=[True, False]).head(TOP).collect(engine="streaming")
    if name == columns.ITEM and item_ids is not None:
        named = item_ids.rename({columns.ID: "named"})
        top = top.join(named, left_on=name, right_on=columns.CODE, how="left", maintain_order="left")
        top = top.select(pl.col("named").alias(name), "count")
    return tuple((str(value), int(count)) for value, count in top.iter_rows())


def _moments(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {place: facts.get(f"{place} {name}") for place in ("first", "last")}


def _word(name: str, kind: pl.DataType) -> str:
    """A type in a word."""
    if name in (columns.USER, columns.VISITOR, columns.ITEM) or isinstance(kind, pl.String):
        return "text"
    if kind.is_integer():
        return "integer"
    if kind.is_numeric():
        return "number"
    if isinstance(kind, pl.List):
        return "list"
    return {"Boolean": "yes or no", "Date": "day"}.get(str(kind), "time" if kind.is_temporal() else str(kind))
