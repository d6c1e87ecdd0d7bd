"""What is inside JSON columns, unfolded into columns of their own: of many rows, an even sample."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import polars as pl

SAMPLED: Final = 100_000  # rows
KEYS: Final = 40  # the commonest


def unfolded(rows: pl.LazyFrame, column: str, count: int) -> pl.DataFrame:
    """The objects of a column as columns `column.key`: numbers where all are, lists of text, or text."""
    every = max(1, count // SAMPLED)
    texts = rows.select(pl.col(column)).gather_every(every).head(SAMPLED).collect(engine="streaming")[column]
    objects = [msgspec.json.decode(text) if text else {} for text in texts]
    met: dict[str, int] = {}
    for each in objects:
        for key in each:
            met[key] = met.get(key, 0) + 1
    keys = sorted(met, key=lambda key: -met[key])[:KEYS]
    return pl.DataFrame([_series(f"{column}.{key}", [each.get(key) for each in objects]) for key in keys])


def _series(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds <= {int, float} and kinds:
        return pl.Series(name, values, pl.Float64, strict=False)
    if kinds == {list}:
        return pl.Series(
            name, [None if value is None else list(map(_text, value)) for value in values], pl.List(pl.String)
        )
    return pl.Series(name, [None if value is None or value == "" else _text(value) for value in values], pl.String)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
