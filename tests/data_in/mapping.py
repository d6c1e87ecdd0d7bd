"""What the tests of import maps share: files in, and what the lake has of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segue.data.convert.events import convert_events
from segue.data.convert.items import convert_items
from segue.data.maps.registry import resolved
from segue.data.read.read import read_rows
from segue.data.read.rows import Broken
from segue.data.settings import EventColumns, EventSource, ItemSource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = "0123456789abcdef" * 3


@dataclass(frozen=True)
class Taken:
    """What became of a file: rows as the lake would have them, those that are broken, and how many were left out."""

    rows: list[dict[str, Any]]
    broken: list[Broken]
    left_out: dict[str, int]

    def column(self, name: str) -> list[Any]:
        """One column of the rows."""
        return [row[name] for row in self.rows]

    @property
    def reasons(self) -> list[str]:
        """Why rows are broken."""
        return [row.reason for row in self.broken]


def json_lines(folder: Path, records: Iterable[Any], name: str = "events.jsonl") -> Path:
    """A file with one JSON text a line."""
    path = folder / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def taken(path: Path, source: EventSource | ItemSource) -> Taken:
    """What becomes of a file that is read as the source says."""
    source = resolved(source)
    rows: list[dict[str, Any]] = []
    broken: list[Broken] = []
    left: dict[str, int] = {}
    for chunk in read_rows(path, source):
        if isinstance(source, EventSource):
            converted = convert_events(chunk, source, BATCH, 0, NOW)
        else:
            converted = convert_items(chunk, source, NOW)
        rows += converted.frame.to_dicts()
        broken += converted.broken
        for why, count in chunk.left_out.items():
            left[why] = left.get(why, 0) + count
    return Taken(rows, broken, left)


def events(folder: Path, name: str, records: Iterable[Any], **columns: str) -> Taken:
    """What becomes of JSON records that a map reads."""
    return taken(json_lines(folder, records), EventSource(map=name, columns=EventColumns(**columns)))


def items(path: Path, name: str) -> Taken:
    """What becomes of a catalog that a map reads."""
    return taken(path, ItemSource(map=name))
