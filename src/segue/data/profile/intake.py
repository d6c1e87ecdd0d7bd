"""What came in: rows kept and refused, by reason, with the shape of some that were refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from segue.data.lake.snapshot import Snapshot

EXAMPLES: Final = 3  # of each reason
REASONS: Final = 20
LONGEST: Final = 160  # characters of a shape


@dataclass(frozen=True)
class Example:
    """Where a refused row stands, and its shape: letters are `a`, digits are `9`, so that it says who nobody is."""

    file: str
    line: int | None
    shape: str


@dataclass(frozen=True)
class Refused:
    """Rows that were refused for one reason."""

    reason: str
    column: str | None
    rows: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Intake:
    """Rows that are in the lake by table, and those in quarantine."""

    events: int
    items: int
    users: int
    decisions: int
    quarantined: int
    refused: tuple[Refused, ...]

    @property
    def rows(self) -> int:
        """All that came in and is no decision: kept and refused."""
        return self.events + self.items + self.users + self.quarantined


def intake(snapshot: Snapshot) -> Intake:
    """What is kept and what is refused."""
    counts = {
        name: int(getattr(snapshot, name)().select(pl.len()).collect(engine="streaming").item())
        for name in ("items", "users", "decisions", "quarantine")
    }
    refused = _refused(snapshot.quarantine()) if counts["quarantine"] else ()
    return Intake(
        snapshot.events_count, counts["items"], counts["users"], counts["decisions"], counts["quarantine"], refused
    )


def shape(text: pl.Expr) -> pl.Expr:
    """A text with every letter as `a` or `A` and every digit as `9`, cut off where it is long."""
    said = text.str.replace_all(r"\p{Lu}", "A").str.replace_all(r"[\p{L}--\p{Lu}]", "a").str.replace_all(r"\p{N}", "9")
    return pl.when(said.str.len_chars() > LONGEST).then(said.str.slice(0, LONGEST) + "…").otherwise(said)


def _refused(rows: pl.LazyFrame) -> tuple[Refused, ...]:
    reason = shape_of_quoted(pl.col("reason")).alias("reason")
    named = rows.with_columns(reason)
    groups = named.group_by("reason", "column").agg(
        pl.len().alias("rows"), pl.struct("file", "line", "raw").head(EXAMPLES).alias("examples")
    )
    found = groups.sort("rows", "reason", descending=[True, False]).head(REASONS).collect(engine="streaming")
    return tuple(
        Refused(row["reason"], row["column"], row["rows"], tuple(_examples(row["examples"])))
        for row in found.iter_rows(named=True)
    )


def shape_of_quoted(text: pl.Expr) -> pl.Expr:
    """A reason without the value that it quotes: numbers and what stands in quotes may say who somebody is."""
    return text.str.replace_all(r"'[^']*'", "'…'").str.replace_all(r"\d{3,}", "…")


def _examples(rows: list[dict[str, str | int | None]]) -> list[Example]:
    shapes = pl.DataFrame({"raw": [row["raw"] for row in rows]}, schema={"raw": pl.String}).select(shape(pl.col("raw")))
    return [
        Example(str(row["file"] or ""), row["line"] if isinstance(row["line"], int) else None, text or "")
        for row, text in zip(rows, shapes["raw"], strict=True)
    ]
