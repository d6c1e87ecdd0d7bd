"""Rows of plain data as a person reads them: as text, and as a notebook shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Row = Mapping[str, Any]


def cell(value: Any) -> str:
    """One value as a person reads it.

    >>> cell(1234567), cell(0.123456), cell(None), cell(["a", "b"])
    ('1,234,567', '0.1235', '', 'a, b')
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        case list() | tuple():
            return ", ".join(cell(part) for part in value)
        case dict():
            return ", ".join(f"{name}: {cell(part)}" for name, part in value.items())
        case _:
            return str(value)


def as_text(rows: Sequence[Row], title: str, notes: Sequence[str] = ()) -> str:
    """Rows of one shape below a title, numbers to the right, and sentences below them.

    >>> print(as_text([{"model": "als", "recall@10": 0.25}, {"model": "popularity", "recall@10": 0.125}], "two models"))
    two models
    model       recall@10
    als              0.25
    popularity      0.125
    """
    names = list(rows[0]) if rows else []
    lines = [names, *([cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(names))]
    right = [is_number(rows, name) for name in names]
    drawn = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([title, *(drawn if rows else ["nothing"]), *notes])


def as_html(rows: Sequence[Row], title: str, notes: Sequence[str] = ()) -> str:
    """The same as HTML; everything is escaped.

    >>> as_html([{"model": "<als>"}], "one").count("&lt;als&gt;")
    1
    """
    names = list(rows[0]) if rows else []
    align = {name: "right" if is_number(rows, name) else "left" for name in names}
    heads = "".join(f"<th style='text-align:{align[name]}'>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:{align[name]}'>{escape(cell(row.get(name)))}</td>" for name in names)
        + "</tr>"
        for row in rows
    )
    first, *rest = title.splitlines() or [""]
    below = "".join(f"<p style='color:#888;margin:.2em 0'>{escape(line)}</p>" for line in rest)
    told = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<h4>{escape(first)}</h4>{below}<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{told}"


def is_number(rows: Sequence[Row], name: str) -> bool:
    """Whether a column holds numbers alone."""
    return all(isinstance(row.get(name), int | float) for row in rows)
