"""The tables of the lake and their columns. Person columns hold codes; what says who somebody is has no statistics.

An id of an event or of a decision may say it as well (`ann-2026-01-31`), so it has none either.
"""

from __future__ import annotations

from typing import Final

import polars as pl
import pyarrow as pa

from segue.data.lake.pieces import Layout
from segue.domain import columns

PEOPLE_AND_ITEM: Final = (columns.USER, columns.VISITOR, columns.ITEM)  # come as ids, are kept as codes
OF_CODES: Final = {f"{name}_code": name for name in PEOPLE_AND_ITEM}  # columns that come as codes say so by name
MOMENT: Final = pa.timestamp("us", "UTC")


_STEPS: Final = "DELTA_BINARY_PACKED"  # numbers by their differences


def is_coded(events: pl.DataFrame) -> bool:
    """Whether people and items come as codes that the lake's dictionaries have, as from `data.bulk`."""
    return any(name in events.columns for name in OF_CODES)


def _field(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind)


def _needed(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _rows_of(**fields: pa.DataType) -> pa.DataType:
    return pa.list_(pa.struct([_field(name, kind) for name, kind in fields.items()]))


_SHOWN = _rows_of(
    item=pa.string(),
    position=pa.int32(),
    score=pa.float64(),
    propensity=pa.float64(),
    source=pa.string(),
    reason=pa.string(),  # JSON
)

ITEM_IDS: Final = Layout(
    "item_ids",
    pa.schema([_needed(columns.ID, pa.string()), _needed(columns.CODE, pa.int32())]),
    (columns.CODE,),
    encodings={columns.ID: "PLAIN", columns.CODE: _STEPS},
)
PERSON_IDS: Final = Layout("person_ids", ITEM_IDS.schema, (columns.CODE,), encodings=ITEM_IDS.encodings)

EVENTS: Final = Layout(
    "events",
    pa.schema(
        [
            _needed(columns.ID, pa.string()),
            _field(columns.USER, pa.int32()),
            _field(columns.VISITOR, pa.int32()),
            _field(columns.ITEM, pa.int32()),
            _needed(columns.TYPE, pa.string()),
            _field(columns.TIME, MOMENT),
            _needed(columns.RECEIVED, MOMENT),
            _field(columns.VALUE, pa.float64()),
            _field(columns.QUANTITY, pa.float64()),
            _field(columns.ORDER, pa.int64()),
            _field(columns.SESSION, pa.string()),
            _field(columns.DECISION, pa.string()),
            _field(columns.POSITION, pa.int32()),
            _field(columns.CONTEXT, pa.string()),  # JSON
            _needed(columns.BATCH, pa.string()),
            _needed(columns.DAY, pa.date32()),
        ]
    ),
    (columns.TYPE, columns.TIME, columns.RECEIVED, columns.ORDER, columns.BATCH),
    by_day=True,
    encodings={
        columns.ID: "PLAIN",
        **dict.fromkeys((columns.USER, columns.VISITOR, columns.ITEM, columns.TIME, columns.ORDER), _STEPS),
    },
)

DECISIONS: Final = Layout(
    "decisions",
    pa.schema(
        [
            _needed(columns.ID, pa.string()),
            _needed("request_id", pa.string()),
            _needed(columns.TIME, MOMENT),
            _needed("surface", pa.string()),
            _field("release", pa.string()),
            _field("policy", pa.string()),
            _field("seed", pa.string()),  # an integer of any size
            _field(columns.USER, pa.int32()),
            _field(columns.VISITOR, pa.int32()),
            _field(columns.CONTEXT, pa.string()),  # JSON
            _field("assignments", _rows_of(experiment=pa.string(), variant=pa.string())),
            _field("candidates", _rows_of(item=pa.string(), source=pa.string(), score=pa.float64())),
            _field(
                "drops", _rows_of(stage=pa.string(), rule=pa.string(), items=pa.list_(pa.string()), count=pa.int64())
            ),
            _field("shown", _SHOWN),
            _field("fallback", pa.string()),
            _needed(columns.BATCH, pa.string()),
            _needed(columns.DAY, pa.date32()),
        ]
    ),
    (columns.TIME, "surface", columns.BATCH),
    by_day=True,
)

ITEMS: Final = Layout(
    "items",
    pa.schema(
        [
            _needed(columns.ID, pa.string()),
            _field(columns.TITLE, pa.string()),
            _field(columns.TEXT, pa.string()),
            _field(columns.CATEGORIES, pa.list_(pa.string())),
            _field(columns.KIND, pa.string()),
            _field(columns.GROUP, pa.string()),
            _field(columns.PRICE, pa.float64()),
            _field(columns.CURRENCY, pa.string()),
            _field(columns.RELEASED, MOMENT),
            _field(columns.AVAILABLE_FROM, MOMENT),
            _field(columns.AVAILABLE_TO, MOMENT),
            _field(columns.IMAGE, pa.string()),
            _field(columns.ATTRIBUTES, pa.string()),  # JSON
            _needed(columns.RECEIVED, MOMENT),
            _needed(columns.ORDER, pa.int64()),  # of rows as they came into the table: the last of an id is current
            _needed(columns.BATCH, pa.string()),
        ]
    ),
    (columns.ID, columns.RECEIVED, columns.ORDER, columns.BATCH),
)

USERS: Final = Layout(
    "users",
    pa.schema(
        [
            _needed(columns.USER, pa.int32()),
            _field(columns.ATTRIBUTES, pa.string()),  # JSON
            _needed(columns.RECEIVED, MOMENT),
            _needed(columns.ORDER, pa.int64()),
            _needed(columns.BATCH, pa.string()),
        ]
    ),
    (columns.RECEIVED, columns.ORDER, columns.BATCH),
)

QUARANTINE: Final = Layout(
    "quarantine",
    pa.schema(
        [
            _needed(columns.BATCH, pa.string()),
            _field("file", pa.string()),
            _field("line", pa.int64()),
            _needed("reason", pa.string()),
            _field("column", pa.string()),
            _field("raw", pa.string()),
            _field("table", pa.string()),
            _field("bytes", pa.binary()),  # the first 64 KB of the row, as they stand in the file
            _field("offset", pa.int64()),  # of the row in the file, unpacked
            _field("length", pa.int64()),  # of the whole row in bytes
            _field("header", pa.binary()),
            _field("format", pa.string()),  # that the file was read as
            _field("width", pa.int64()),  # how many cells its rows have, where no header says it
            _needed(columns.RECEIVED, MOMENT),
        ]
    ),
    (columns.BATCH, columns.RECEIVED),
)

CHECKS: Final = Layout(
    "checks",
    pa.schema(
        [
            _needed(columns.BATCH, pa.string()),  # of one run of `segue check`
            _needed(columns.RECEIVED, MOMENT),
            _field("version", pa.int64()),  # of the table that was checked
            _needed("table", pa.string()),
            _field("column", pa.string()),
            _needed("rule", pa.string()),
            _needed("severity", pa.string()),
            _needed("threshold", pa.float64()),
            _needed("said", pa.string()),  # JSON of the rule as it was declared
            _needed("checked", pa.int64()),
            _needed("broken", pa.int64()),
            _needed("share", pa.float64()),
            _needed("passed", pa.bool_()),
            _field("statistic", pa.float64()),
            _field("low", pa.float64()),
            _field("high", pa.float64()),
        ]
    ),
    (columns.BATCH, columns.RECEIVED),
)

TABLES: Final = (ITEM_IDS, PERSON_IDS, EVENTS, DECISIONS, ITEMS, USERS, QUARANTINE, CHECKS)
