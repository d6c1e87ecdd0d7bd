"""Rows as a notebook shows them: a small HTML table that says its columns' types and how many rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import polars as pl

WIDEST = 80  # characters of a cell


def html_table(rows: pl.DataFrame, title: str, notes: Sequence[str] = ()) -> str:
    """A table of a few rows with names and types in its head; everything is escaped."""
    heads = "".join(
        f"<th style='text-align:left'>{escape(name)}<br><small style='color:#888;font-weight:normal'>"
        f"{escape(_type_name(kind))}</small></th>"
        for name, kind in rows.schema.items()
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows.iter_rows())
    told = "".join(f"<p style='color:#888;margin:.2em 0'>{escape(note)}</p>" for note in notes)
    return f"<h4>{escape(title)}</h4>{told}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    if value is None:
        return "<td style='color:#aaa'>null</td>"
    text = str(value)
    shown = text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
    align = "right" if isinstance(value, int | float) else "left"
    return f"<td style='text-align:{align}'>{escape(shown)}</td>"


def _type_name(kind: pl.DataType) -> str:
    return str(kind).replace("Datetime(time_unit='us', time_zone='UTC')", "time (UTC)").lower()
