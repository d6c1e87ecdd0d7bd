"""Turns rows as a file has them into the catalog and the user table; what no column is named for becomes attributes."""

from __future__ import annotations

import json
from datetime import datetime

import msgspec
import polars as pl

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
    found[columns.ATTRIBUTES] = _attributes(rows, set(mapped(source).values()))
    return _converted(found, rows, faults, now)


def convert_users(rows: Rows, source: UserSource, now: datetime) -> Converted:
    """Users of rows: all but the id are attributes."""
    faults = Faults(len(rows))
    found = {
        columns.ID: _id(rows, source, faults),
        columns.ATTRIBUTES: _attributes(rows, {source.columns.id}),
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


def _attributes(rows: Rows, named: set[str]) -> pl.Series:
    """JSON objects of the columns that nothing else takes; empty cells are left out."""
    others = [name for name in rows.frame.columns if name not in named]
    if not others:
        return pl.Series(["{}"]).new_from_index(0, len(rows))
    cells = [_json_member(rows.frame[name], plain=name not in rows.fragments) for name in others]
    members = pl.DataFrame(cells).select(pl.concat_list(pl.all()).list.drop_nulls().list.join(","))
    return ("{" + members.to_series()) + "}"


def _json_member(cells: pl.Series, *, plain: bool) -> pl.Series:
    """`"name":value` for each cell that holds something."""
    key = json.dumps(cells.name, ensure_ascii=False) + ":"
    if cells.dtype == pl.String:
        values = _quoted(cells) if plain else cells
        values = values.set((cells == "") | (cells == "null") & (not plain), None)
    elif cells.dtype.is_integer():
        values = cells.cast(pl.String)
    else:
        values = pl.Series(cells.name, [_json_value(cell) for cell in cells.to_list()], dtype=pl.String)
    return (key + values).alias(cells.name)


def _quoted(cells: pl.Series) -> pl.Series:
    """Text as JSON strings; those with signs that JSON escapes are encoded one by one."""
    odd = cells.str.contains(r'["\\\x00-\x1f]').fill_null(value=False)
    quoted = ('"' + cells) + '"'
    if odd.any():
        rows = odd.arg_true()
        quoted = quoted.scatter(rows, [json.dumps(cell, ensure_ascii=False) for cell in cells.gather(rows)])
    return quoted


def _json_value(value: object) -> str | None:
    if value is None or value != value:
        return None
    return msgspec.json.encode(value, enc_hook=str).decode()
