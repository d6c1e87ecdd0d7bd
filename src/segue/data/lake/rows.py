"""From frames and decisions, as they come in, to rows as a table of the lake has them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from segue.data.lake.pieces import Layout
from segue.domain import columns
from segue.domain.decisions import Decision
from segue.domain.errors import DataError

WAYS = ("", "f")  # of reading a file, which end its steps at other lines: `ingest` names these with it
CONTENT_DIGITS = 32  # of the hash of a file's content, which the name of its batch begins with
BATCH_DIGITS = 48  # content and mapping


def as_laid_out(frame: pl.DataFrame, layout: Layout, text: Sequence[str] = ()) -> pl.DataFrame:
    """The frame with the table's columns, in order and of its types; those that it lacks are null.

    `received` is now where it is missing; the columns in `text` are left as strings, to be coded. A column that the
    table does not have, a needed one that is missing, and values that do not fit are a `DataError` by name.
    """
    wanted = {name: pl.String() if name in text else kind for name, kind in layout.empty.schema.items()}
    for name in frame.columns:
        if name not in wanted:
            near = difflib.get_close_matches(name, wanted, n=1)
            raise DataError(
                f"the table {layout.name} has no column '{name}'",
                where=layout.name,
                mend=f"{f'did you mean {near[0]!r}? ' if near else ''}its columns: {', '.join(wanted)}",
            )
    if columns.RECEIVED in wanted and columns.RECEIVED not in frame.columns:
        frame = frame.with_columns(pl.lit(datetime.now(UTC)).alias(columns.RECEIVED))
    present = set(frame.columns)
    laid = frame.select(
        (pl.col(name) if name in present else pl.lit(None)).cast(kind).alias(name) for name, kind in wanted.items()
    )
    for field in layout.schema:
        if not field.nullable and laid.height and (nulls := laid[field.name].null_count()):
            row = laid[field.name].is_null().arg_max()
            raise DataError(
                f"every row needs '{field.name}', {nulls} of {laid.height} have none",
                where=f"{layout.name}, row {row}",
                mend=f"give the column '{field.name}', or leave these rows to the quarantine",
            )
    return laid


def with_day(frame: pl.DataFrame) -> pl.DataFrame:
    """The UTC day of `time`, of `received` where there is no time, as the column `day`."""
    moments = [pl.col(name) for name in (columns.TIME, columns.RECEIVED) if name in frame.columns]
    known = [moment.cast(pl.Datetime("us", "UTC")) for moment in moments]
    return frame.with_columns(pl.coalesce([*known, pl.lit(datetime.now(UTC))]).dt.date().alias(columns.DAY))


def person_keys(ids: pl.Series, kind: str) -> pl.Series:
    """Ids of users ("u") or visitors ("v") as `domain.events.person_key` names them; null stays null."""
    return (kind + ":" + ids).alias(ids.name)


class Trusted(NamedTuple):
    """Earlier rows that are known to hold none of the ids: those of `batch` whose `column` is not before `since`."""

    batch: str
    column: str
    since: datetime


def untrusted(files: pl.DataFrame, trusted: Trusted | None) -> list[str]:
    """Of the files of a table (flattened add actions) the paths of those that do not hold only what is trusted."""
    if trusted is not None and files.height:
        of_batch = (pl.col("min.batch") == trusted.batch) & (pl.col("max.batch") == trusted.batch)
        since = pl.col(f"min.{trusted.column}") >= trusted.since
        files = files.filter(~(of_batch & since).fill_null(value=False))
    return files["path"].to_list() if files.height else []


def by_line(rows: pl.DataFrame) -> str | None:
    """The batch that all rows are of, where their ids come from its content and their lines, else None."""
    batch = rows[columns.BATCH][0]
    if len(batch) < BATCH_DIGITS or not (rows[columns.BATCH] == batch).all():
        return None
    prefix, ids = f"{batch[:16]}-", (rows[columns.ID].min(), rows[columns.ID].max())
    return batch if all(str(each).startswith(prefix) for each in ids) else None


def without_steps(files: pl.DataFrame, content: str) -> pl.DataFrame:
    """The files (flattened add actions) without those that hold only steps of this content and mapping."""
    if files.is_empty():
        return files
    low, high = (pl.col(f"{end}.batch").str.split(".") for end in ("min", "max"))
    return files.filter(~((low.list.first() == content) & (high.list.first() == content)).fill_null(value=False))


def unknown_rows(rows: pl.DataFrame, files: Sequence[Path]) -> pl.DataFrame:
    """The rows whose id none of the files has."""
    return rows.join(known_ids(rows, files), on=columns.ID, how="anti", maintain_order="left") if files else rows


def known_ids(rows: pl.DataFrame, files: Sequence[Path], gone: Sequence[str] = ()) -> pl.DataFrame:
    """The ids of the rows that files have; what is of the contents in `gone` does not count."""
    ids = rows.lazy().select(columns.ID)
    if not files:
        return rows.select(columns.ID).clear()
    lake = pl.scan_parquet(list(files), hive_partitioning=False)
    if gone:
        lake = lake.filter(~content_of(pl.col(columns.BATCH)).is_in(list(gone)))
    return lake.select(columns.ID).join(ids, on=columns.ID, how="semi").collect(engine="streaming")


def content_of(batch: pl.Expr) -> pl.Expr:
    """The content that a file's batch is named after."""
    return batch.str.slice(0, CONTENT_DIGITS)


def file_batch(batch: str) -> tuple[str, int] | None:
    """Of the name of a file's batch, the content and (as a number below 2^63) the mapping; None for other batches."""
    name = batch.split(".", maxsplit=1)[0]
    if len(name) != BATCH_DIGITS or not set(name) <= set("0123456789abcdef"):
        return None
    return name[:CONTENT_DIGITS], int(name[CONTENT_DIGITS:], 16) >> 1


def decision_rows(decisions: Sequence[Decision], batch: str) -> pl.DataFrame:
    """One row for each decision, with string ids; what is open-ended (context, reasons) is JSON text."""
    rows = [_decision_row(decision, batch) for decision in decisions]
    return pl.DataFrame(rows, infer_schema_length=None, schema_overrides=_DECISION_TYPES)


def _decision_row(decision: Decision, batch: str) -> dict[str, object]:
    return {
        columns.ID: decision.id,
        "request_id": decision.request_id,
        columns.TIME: decision.time,
        "surface": decision.surface,
        "release": decision.release,
        "policy": decision.policy,
        "seed": str(decision.seed),
        columns.USER: decision.user,
        columns.VISITOR: decision.visitor,
        columns.CONTEXT: msgspec.json.encode(decision.context).decode(),
        "assignments": [{"experiment": name, "variant": variant} for name, variant in decision.assignments.items()],
        "candidates": [msgspec.structs.asdict(candidate) for candidate in decision.candidates],
        "drops": [{**msgspec.structs.asdict(drop), "items": list(drop.items)} for drop in decision.drops],
        "shown": [
            {**msgspec.structs.asdict(shown), "reason": msgspec.json.encode(shown.reason).decode()}
            for shown in decision.shown
        ],
        "fallback": decision.fallback,
        columns.BATCH: batch,
    }


def as_decision(row: dict[str, Any]) -> Decision:
    """A row of the table of decisions, with string ids, as the decision that it was."""
    shown = [{**entry, "reason": msgspec.json.decode(entry["reason"])} for entry in row["shown"]]
    fields = {
        **{name: row[name] for name in Decision.__struct_fields__},
        "seed": int(row["seed"]),
        "context": msgspec.json.decode(row[columns.CONTEXT]),
        "assignments": {entry["experiment"]: entry["variant"] for entry in row["assignments"]},
        "shown": shown,
    }
    return msgspec.convert(fields, Decision)


_DECISION_TYPES: dict[str, pl.DataType] = {
    columns.ID: pl.String(),
    columns.TIME: pl.Datetime("us", "UTC"),
    columns.USER: pl.String(),
    columns.VISITOR: pl.String(),
    "assignments": pl.List(pl.Struct({"experiment": pl.String, "variant": pl.String})),
    "candidates": pl.List(pl.Struct({"item": pl.String, "source": pl.String, "score": pl.Float64})),
    "drops": pl.List(
        pl.Struct({"stage": pl.String, "rule": pl.String, "items": pl.List(pl.String), "count": pl.Int64})
    ),
    "shown": pl.List(
        pl.Struct(
            {
                "item": pl.String,
                "position": pl.Int32,
                "score": pl.Float64,
                "propensity": pl.Float64,
                "source": pl.String,
                "reason": pl.String,
            }
        )
    ),
}
