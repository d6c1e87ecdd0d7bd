"""Turns rows as a file has them into the catalog and the user table; what no column is named for becomes attributes."""

from __future__ import annotations

from datetime import datetime

import msgspec
import polars as pl

from segue.data.convert.attributes import attributes
from segue.data.convert.cells import Faults, identifiers, missing, numbers
from segue.data.convert.events import Converted
from segue.data.convert.times import MOMENT, moments
from segue.data.read.read import mapped
from segue.data.read.rows import Rows
from segue.data.settings import ItemSource, UserSource
from segue.domain import columns

TEXTS = (columns.TITLE, columns.TEXT, columns.KIND, columns.GROUP, columns.CURRENCY, columns.IMAGE)
DATES = (columns.RELEASED, columns.AVAILABLE_FROM, columns.AVAILABLE_TO)


def convert_items(rows: Rows, source: ItemSource, now: datetime) -> Converted:
    """Items of rows: a row without an id, or with a price or date that is none, is broken."""
    faults = Faults(len(rows))
    found = {columns.ID: _id(rows, source, faults)}
    for name in TEXTS:
        found[name] = _texts(_cells(rows, getattr(source.columns, name)))
    found[columns.CATEGORIES] = _categories(_cells(rows, source.columns.categories), source.category_separator)
    found[columns.PRICE] = _prices(rows, source, faults)
    for name in DATES:
        found[name] = _dates(rows, source, name, faults)
    found[columns.ATTRIBUTES] = attributes(rows, _others(rows, set(mapped(source).values())))
    return _converted(found, rows, faults, now)


def convert_users(rows: Rows, source: UserSource, now: datetime) -> Converted:
    """Users of rows: all but the id are attributes."""
    faults = Faults(len(rows))
    found = {
        columns.ID: _id(rows, source, faults),
        columns.ATTRIBUTES: attributes(rows, _others(rows, {source.columns.id})),
    }
    return _converted(found, rows, faults, now)


def _converted(found: dict[str, pl.Series], rows: Rows, faults: Faults, now: datetime) -> Converted:
    frame = pl.DataFrame(found).with_columns(pl.lit(now, dtype=MOMENT).alias(columns.RECEIVED))
    return Converted(frame.filter(pl.Series(~faults.rows)), faults.broken(rows))


def _id(rows: Rows, source: ItemSource | UserSource, faults: Faults) -> pl.Series:
    column = source.columns.id
    said = source.identity.normalise
    mends = said.items if isinstance(source, ItemSource) else said.users
    ids = identifiers(_cells(rows, column), source.ids, "id", column, faults, mends)
    faults.add(ids.is_null(), "no id", column)
    return ids


def _cells(rows: Rows, column: str | None) -> pl.Series:
    if column is None or column not in rows.frame.columns:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    return rows.frame[column]


def _texts(cells: pl.Series) -> pl.Series:
    text = cells if cells.dtype == pl.String else cells.cast(pl.String, strict=False)
    return text.set(text == "", None)


def _prices(rows: Rows, source: ItemSource, faults: Faults) -> pl.Series:
    column = source.columns.price
    prices = numbers(_cells(rows, column), source.decimal, "price", column, faults)
    faults.add(prices < 0, "negative price", column)
    return prices


def _dates(rows: Rows, source: ItemSource, name: str, faults: Faults) -> pl.Series:
    column: str | None = getattr(source.columns, name)
    cells = _cells(rows, column)
    if column is None or cells.null_count() == len(cells):
        return cells.cast(MOMENT)
    dates = moments(cells, source.time_format, "UTC")
    faults.add(dates.is_null() & ~missing(cells), f"no time of the format {source.time_format}", column)
    return dates


def _categories(cells: pl.Series, separator: str) -> pl.Series:
    """Lists of categories: those of a cell are parted by the separator, unless the cell is a JSON array."""
    if isinstance(cells.dtype, pl.List | pl.Array):
        return cells.cast(pl.List(pl.String))
    text = cells.cast(pl.String)
    parted = text.str.split(separator) if separator else text.reshape((len(text), 1)).arr.to_list()
    arrays = text.str.starts_with("[") & text.str.ends_with("]")
    if arrays.any():
        whole = [_json_array(cell) if is_array else None for cell, is_array in zip(text, arrays, strict=True)]
        given = pl.Series(whole, dtype=pl.List(pl.String))
        parted = given.zip_with(given.is_not_null(), parted)
    trimmed = pl.select(parted.alias("c")).select(
        pl.col("c").list.eval(pl.element().str.strip_chars().replace("", None).drop_nulls())
    )
    return trimmed["c"]


def _json_array(cell: str) -> list[str] | None:
    try:
        values = msgspec.json.decode(cell, type=list[str | int | float])
    except msgspec.DecodeError:
        return None
    return [str(value) for value in values]


def _others(rows: Rows, named: set[str]) -> list[str]:
    """The columns that nothing else takes."""
    return [name for name in rows.frame.columns if name not in named]
