"""Small frames of events, and datasets made from them, for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from segue.data.interactions import Interactions, interactions
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.events import Event
from segue.engines.engine import Dataset, Key
from segue.engines.local import LocalEngine

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def moment(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Events; `id`, `type` and `received` are filled in where a row does not say."""
    filled = [{"id": f"e{n}", "type": "view", "received": START, **row} for n, row in enumerate(rows)]
    texts = dict.fromkeys(("id", "user", "visitor", "item", "type", "session", "decision", "context"), pl.String())
    numbers = dict.fromkeys(("value", "quantity"), pl.Float64())
    kinds = {**texts, **numbers, "order": pl.Int64(), "position": pl.Int32(), "time": TIME, "received": TIME}
    return pl.DataFrame(filled, schema={name: kinds[name] for row in filled for name in row} or {"id": pl.String()})


def event(number: int, person: str = "ann", **fields: Any) -> Event:
    return Event(**{"id": f"e{number}", "type": "view", "user": person, "item": f"i{number % 7}", **fields})


def dataset(lake: Lake, source: EventSource | None = None, cache: Path | None = None) -> Interactions:
    return interactions(lake.snapshot(), source or EventSource(), cache)


def prepared(lake: Lake, source: EventSource | None = None) -> Dataset:
    return LocalEngine().prepare(dataset(lake, source), Key.USER)
