"""What can be told of a column from its cells: numbers, ids, categories, dates, whether rows lie in an order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from segue.data.convert.cells import NOBODY, comma_numbers
from segue.data.guess.times import guess_time

SEPARATORS = ("|", ";", " > ", ",", "/")


def filled(cells: pl.Series) -> pl.Series:
    """The cells that hold something."""
    if cells.dtype == pl.String:
        return cells.filter(cells.is_not_null() & ~cells.is_in(list(NOBODY)))
    return cells.drop_nulls()


def share(cells: pl.Series) -> float:
    """The share of cells that are true, 0 where there are none."""
    return float(cells.sum()) / len(cells) if len(cells) else 0.0


def number_share(cells: pl.Series) -> float:
    """The share of cells that are numbers."""
    return share(cells.cast(pl.Float64, strict=False).is_not_null()) if not cells.dtype.is_nested() else 0.0


def comma_share(cells: pl.Series) -> float:
    """The share of cells that are numbers with a decimal comma, or whole."""
    return share(comma_numbers(cells).is_not_null()) if cells.dtype == pl.String else 0.0


def decimal_comma(columns: list[pl.Series], reasons: list[str]) -> dict[str, Any]:
    """Whether numbers are written with a decimal comma."""
    for cells in columns:
        if comma_share(cells) > max(number_share(cells), 0.5):
            example = cells.filter(cells.str.contains(",", literal=True))[0]
            reasons.append(f"decimal: comma, '{cells.name}' writes numbers such as {example!r}")
            return {"decimal": ","}
    return {}


def warn_of_currencies(columns: Iterable[pl.Series], doubts: list[str]) -> None:
    """Say of columns whose cells are amounts with a currency beside them that they are not read as numbers."""
    for cells in columns:
        if cells.dtype != pl.String or cells.is_empty():
            continue
        amounts = cells.filter(cells.str.contains(_AMOUNT) & cells.str.contains(_CURRENCY))
        if len(amounts) > 0.5 * len(cells):
            seen = ", ".join(repr(cell[:40]) for cell in amounts.unique(maintain_order=True).head(3))
            comma = share(amounts.str.contains(r",\d{1,2}\D*$")) > 0.5
            doubts.append(
                f"'{cells.name}' holds amounts with a currency, such as {seen}: they are not read as numbers. Write "
                "them without it in a copy of the file, or in a query, then run init again"
                + (" (it will find the decimal comma)" if comma else "")
            )


_CURRENCY = r"(?i)[€$£¥₹₽₩₺]|zł|\b(kr|chf|eur|usd|gbp|inr|jpy|pln|sek|nok|dkk|czk|huf)\b|\d(kr|chf|eur|usd|gbp|pln)$"
_AMOUNT = r"^[^\d\s+-]{0,4}\s*[+-]?\d[\d.,'\s\u00a0]*[^\d\s-]{0,4}$"


def like_ids(cells: pl.Series) -> bool:
    """Whether these could be people or things: different ones, which come again, and no fractions."""
    if cells.is_empty() or holds_json(cells) or has_fractions(cells):
        return False
    return (1 if len(cells) < 100 else 10) < cells.n_unique() < (len(cells) if len(cells) < 100 else 0.9 * len(cells))


def holds_objects(cells: pl.Series) -> bool:
    """Whether at least half of the cells are JSON objects, or have fields by their type."""
    if cells.dtype != pl.String:
        return isinstance(cells.dtype, pl.Struct)
    return share(_bracketed(cells, "{", "}")) >= 0.5


def holds_json(cells: pl.Series) -> bool:
    """Whether at least half of the cells are JSON objects or arrays, so that they are nobody's id."""
    if cells.dtype != pl.String:
        return cells.dtype.is_nested()
    return holds_objects(cells) or share(_bracketed(cells, "[", "]")) >= 0.5


def json_cells(cells: pl.Series) -> pl.Series:
    """Which cells are objects or arrays."""
    if cells.dtype != pl.String:
        return pl.Series([cells.dtype.is_nested()]).new_from_index(0, len(cells))
    return _bracketed(cells, "{", "}") | _bracketed(cells, "[", "]")


def _bracketed(cells: pl.Series, first: str, last: str) -> pl.Series:
    return cells.str.starts_with(first) & cells.str.ends_with(last)


def grouped(cells: pl.Series) -> bool:
    """Whether equal values lie together."""
    runs = int((cells != cells.shift(1)).fill_null(value=True).sum())
    return len(cells) > 1 and runs <= 1.02 * cells.n_unique() + 1 and runs < len(cells)


def sorted_within(sample: pl.DataFrame, user: str, item: str) -> bool:
    """Whether nearly every user's items stand in ascending order: then the order says nothing of time."""
    number = sample[item].cast(pl.Float64, strict=False)
    keys = number if number.null_count() == 0 else sample[item]
    rows = pl.DataFrame({"user": sample[user], "item": keys})
    steps = rows.with_columns((pl.col("item") >= pl.col("item").shift(1)).over("user").alias("up")).drop_nulls()
    return bool(steps.is_empty() or share(steps["up"]) > 0.95)


def separator_of(cells: pl.Series) -> str | None:
    """What parts several categories in one cell."""
    if cells.dtype != pl.String or cells.is_empty():
        return None
    shares = {sign: share(cells.str.contains(sign, literal=True)) for sign in SEPARATORS}
    return next((sign for sign, share in shares.items() if share > 0.05), None)


def categorical(cells: pl.Series, separator: str) -> bool:
    """Whether the words between separators come again and again."""
    words = cells.str.split(separator).explode().str.strip_chars()
    return words.n_unique() <= max(0.2 * len(cells), 3) and not (words.str.len_chars() > 60).any()


def is_text(cells: pl.Series) -> bool:
    if cells.dtype != pl.String or cells.is_empty():
        return False
    links = share(cells.str.starts_with("http"))
    return number_share(cells) < 0.5 and links < 0.5 and cells.n_unique() > 0.3 * min(len(cells), 1000)


def has_fractions(cells: pl.Series) -> bool:
    numbers = cells.cast(pl.Float64, strict=False).drop_nulls()
    return bool(len(numbers) > 0.5 * len(cells) and (numbers != numbers.floor()).any())


def date_format(cells: pl.Series) -> str | None:
    if cells.dtype == pl.Date or isinstance(cells.dtype, pl.Datetime):
        return "iso"
    text = cells.cast(pl.String)
    if len(text) and text.str.contains(r"^\d{4}(-\d{2}(-\d{2}.*)?)?$").all():
        return "iso"
    guess = guess_time(cells)
    return guess.time_format if guess else None


def example(cells: pl.Series) -> str:
    return repr(str(cells[0])[:40]) if len(cells) else "nothing yet"


def quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def whole_ids(values: dict[str, pl.Series], columns: list[str | None], reasons: list[str]) -> dict[str, Any]:
    """Whether ids are whole numbers that were written as 17850.0: a sign of a table with gaps, made by a program."""
    for column in columns:
        cells = values[column].cast(pl.String) if column and column in values else pl.Series([], dtype=pl.String)
        if len(cells) and cells.str.contains(r"^-?\d+\.0+$").all():
            reasons.append(f"ids: integer, '{column}' writes whole numbers as {cells[0]!r}; they are read without .0")
            return {"ids": "integer"}
    return {}
