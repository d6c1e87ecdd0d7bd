"""Makes JSON objects of columns: what no column of the lake is for is kept under its own name."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import polars as pl

from segue.data.read.rows import Rows


def attributes(rows: Rows, names: Sequence[str]) -> pl.Series:
    """JSON objects of these columns, whatever types they have; empty cells are left out."""
    if not names:
        return pl.Series(["{}"]).new_from_index(0, len(rows))
    cells = [_json_member(rows.frame[name], plain=name not in rows.fragments) for name in names]
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
