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
    count = len(variants)
    number = pl.int_range(count, eager=True).cast(pl.String)
    return pl.LazyFrame(
        {
            "id": "d" + number,
            "time": [START] * count,
            "surface": ["home"] * count,
            "user": "p" + number,
            "visitor": [None] * count,
            "assignments": [[{"experiment": "x", "variant": variant}] for variant in variants],
        },
        DECISIONS,
    )


def many_events(kind: str, counts: np.ndarray, value: np.ndarray | None = None) -> pl.LazyFrame:
    """`counts[i]` events of unit `p<i>`, answers to its decision `d<i>`, each of `value[i]`."""
    unit = np.repeat(np.arange(len(counts)), counts.astype(int))
    number = pl.Series(unit).cast(pl.String)
    amount = np.ones(len(unit)) if value is None else value[unit]
    return pl.LazyFrame(
        {
            "id": kind + pl.int_range(len(unit), eager=True).cast(pl.String),
            "user": "p" + number,
            "visitor": pl.Series([None] * len(unit), dtype=pl.String),
            "item": pl.Series(["i"] * len(unit), dtype=pl.String),
            "type": pl.Series([kind] * len(unit), dtype=pl.String),
            "time": pl.Series([START + timedelta(hours=1)] * len(unit), dtype=MOMENT),
            "received": pl.Series([START + timedelta(hours=1)] * len(unit), dtype=MOMENT),
            "value": amount,
            "quantity": np.ones(len(unit)),
            "decision": "d" + number,
            "position": pl.Series([0] * len(unit), dtype=pl.Int64),
        },
        EVENTS,
    )
