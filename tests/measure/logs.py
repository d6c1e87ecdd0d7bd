"""Small logs of decisions and events, in the columns that the lake gives them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT = pl.Datetime("us", "UTC")
DECISIONS = {
    "id": pl.String,
    "time": MOMENT,
    "surface": pl.String,
    "user": pl.String,
    "visitor": pl.String,
    "assignments": pl.List(pl.Struct({"experiment": pl.String, "variant": pl.String})),
}
EVENTS = {
    "id": pl.String,
    "user": pl.String,
    "visitor": pl.String,
    "item": pl.String,
    "type": pl.String,
    "time": MOMENT,
    "received": MOMENT,
    "value": pl.Float64,
    "quantity": pl.Float64,
    "decision": pl.String,
    "position": pl.Int64,
}


def decision(name: str, user: str | None, variant: str | None, hours: float = 0, **fields) -> dict:
    """A decision on "home" for a user, `hours` after the start, under the experiment "x" where a variant is given."""
    assignments = [{"experiment": "x", "variant": variant}] if variant else []
    time = START + timedelta(hours=hours)
    plain = {"id": name, "time": time, "surface": "home", "user": user, "visitor": None, "assignments": assignments}
    return plain | fields


def event(kind: str, user: str | None, hours: float | None = 1, **fields) -> dict:
    """An event of a user, `hours` after the start."""
    plain = dict.fromkeys(EVENTS) | {"type": kind, "user": user, "item": "i"}
    return plain | {"time": None if hours is None else START + timedelta(hours=hours)} | fields


def decisions_of(*rows: dict) -> pl.LazyFrame:
    return pl.LazyFrame(list(rows), DECISIONS)


def events_of(*rows: dict) -> pl.LazyFrame:
    numbered = [row | {"id": row["id"] or f"e{number}"} for number, row in enumerate(rows)]
    return pl.LazyFrame(numbered, EVENTS)


def many_decisions(variants: Sequence[str]) -> pl.LazyFrame:
    """One decision a unit: unit `p<i>` met `variants[i]` in decision `d<i>`."""
    number = pl.int_range(pl.len()).cast(pl.String)
    met = pl.struct(pl.lit("x").alias("experiment"), pl.col("variant"))
    made = pl.DataFrame({"variant": variants}, {"variant": pl.String}).select(
        id=pl.lit("d") + number,
        time=pl.lit(START),
        surface=pl.lit("home"),
        user=pl.lit("p") + number,
        visitor=pl.lit(None),
        assignments=pl.concat_list(met),
    )
    return made.cast(DECISIONS).lazy()


def many_events(kind: str, counts: np.ndarray, value: np.ndarray | None = None) -> pl.LazyFrame:
    """`counts[i]` events of unit `p<i>`, answers to its decision `d<i>`, each of `value[i]`."""
    unit = np.repeat(np.arange(len(counts)), counts.astype(int))
    number, later = pl.col("unit").cast(pl.String), START + timedelta(hours=1)
    made = pl.DataFrame({"unit": unit, "value": np.ones(len(unit)) if value is None else value[unit]}).select(
        id=pl.lit(kind) + pl.int_range(pl.len()).cast(pl.String),
        user=pl.lit("p") + number,
        visitor=pl.lit(None),
        item=pl.lit("i"),
        type=pl.lit(kind),
        time=pl.lit(later),
        received=pl.lit(later),
        value="value",
        quantity=pl.lit(1.0),
        decision=pl.lit("d") + number,
        position=pl.lit(0),
    )
    return made.cast(EVENTS).lazy()
