"""The lake at one moment: versions of its tables that belong together, read as often as one likes."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl
from deltalake import DeltaTable

from segue.data.lake.changes import changes, latest, met
from segue.data.lake.codes import dictionary, vocabulary
from segue.data.lake.rows import Trusted, file_batch, unknown_rows, untrusted
from segue.data.lake.tables import Table
from segue.domain import columns
from segue.domain.catalog import Item
from segue.domain.items import Items


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of the events, and what its statistics say."""

    path: Path
    rows: int
    batch: str | None  # the one batch that its rows are of, or None where there are several
    timed: bool  # every row has a time
    ordered: bool  # every row has a time or an order
    first: datetime | None = None  # when the first of its rows was received,
    last: datetime | None = None  # and the last


class Snapshot:
    """Events, catalog, people and decisions as they were when the snapshot was taken.

    Where `as_of` is given, only rows that were received by then: what came late does not rewrite the past.
    """

    def __init__(self, tables: Mapping[str, Table], as_of: datetime | None = None) -> None:
        self.as_of = as_of
        self._tables = tables
        # Events and decisions first: the dictionaries that are read after them hold all of their codes.
        names = ("events", "decisions", "users", "items", "quarantine", "item_ids", "person_ids")
        self._versions: dict[str, DeltaTable | None] = {name: tables[name].open() for name in names}

    @cached_property
    def fingerprint(self) -> str:
        """A name of the events' content: equal fingerprints mean equal rows and equal codes."""
        names = sorted(str(file.path.name) for file in self.files)
        codes = self.people_count, self._count("item_ids")
        return hashlib.blake2b(repr((names, codes, self.as_of)).encode(), digest_size=16).hexdigest()

    @cached_property
    def files(self) -> list[DataFile]:
        """The files of the events, in the order of day, batch and place in the batch."""
        table = self._versions["events"]
        if table is None:
            return []
        actions = pl.DataFrame(table.get_add_actions(flatten=True)).sort("path")
        return [self._data_file(row) for row in actions.iter_rows(named=True)]

    def version(self, name: str) -> int | None:
        """The version of a table that this snapshot reads; None where nothing was ever written to it."""
        table = self._versions[name]
        return None if table is None else table.version()

    def transaction(self, app: str, name: Literal["events", "decisions"] = "events") -> int:
        """The last version that was committed to a table under an application's id; 0 where there is none."""
        table = self._versions[name]
        return 0 if table is None else table.transaction_version(app) or 0

    def parquet_files(self, name: Literal["events", "decisions"]) -> list[str]:
        """The files that hold the rows of a table, no more and no fewer, for an engine that reads Parquet by itself.

        None where there are no rows, or where another writer marked rows as deleted beside the files.
        """
        table = self._versions[name]
        if table is None or "deletionVectors" in (table.protocol().reader_features or ()):
            return []
        return sorted(table.file_uris())

    def only(self, files: Sequence[DataFile]) -> Snapshot:
        """The same moment with these of its `files` alone, for who reads events file by file."""
        part = copy.copy(self)
        part.__dict__.pop("fingerprint", None)
        part.__dict__["files"] = list(files)
        return part

    @property
    def events_count(self) -> int:
        """How many events there are."""
        if self.as_of is None:
            return sum(file.rows for file in self.files)
        return int(self.coded_events().select(pl.len()).collect().item())

    @property
    def has_times(self) -> bool:
        """Whether every event has a time."""
        return bool(self.files) and all(file.timed for file in self.files)

    @property
    def has_order(self) -> bool:
        """Whether every event has a time or an order."""
        return bool(self.files) and all(file.ordered for file in self.files)

    @cached_property
    def item_ids(self) -> Items:
        """Item ids in the order of their codes."""
        return vocabulary(self.dictionary("item_ids"))

    @cached_property
    def person_ids(self) -> Items:
        """People as `person_key` names them, in the order of their codes."""
        return vocabulary(self.dictionary("person_ids"))

    def dictionary(self, name: Literal["item_ids", "person_ids"]) -> pl.DataFrame:
        """Ids and codes, in the order of codes."""
        return dictionary(self._tables[name], self._versions[name])

    @property
    def people_count(self) -> int:
        """How many person codes there are."""
        return self._count("person_ids")

    def coded_events(self) -> pl.LazyFrame:
        """The events as they are kept: people and items are codes."""
        return self._scan("events")

    def events(self) -> pl.LazyFrame:
        """The events with the ids of people and items in place of codes, in no promised order."""
        return self.decoded(self._scan("events"))

    def decoded(self, coded: pl.LazyFrame) -> pl.LazyFrame:
        """Coded events, or some of them, with the ids of people and items in place of codes."""
        return self._decoded(self._with_people(coded), columns.ITEM, self._scan("item_ids"))

    def decisions(self) -> pl.LazyFrame:
        """The decisions that were drained, with the ids of people."""
        return self._with_people(self._scan("decisions"))

    def items(self) -> pl.LazyFrame:
        """The current row of each item of the catalog."""
        return latest(self._scan("items"), columns.ID)

    def item_changes(self) -> pl.LazyFrame:
        """What each item's catalog row said, from `valid_from` until just before `valid_to` (null: still)."""
        return changes(self._scan("items"), columns.ID)

    def user_changes(self) -> pl.LazyFrame:
        """What was said of each user by `id`, from `valid_from` until just before `valid_to` (null: still)."""
        changed = changes(self._scan("users"), columns.USER)
        return self._decoded(changed, columns.USER, self._people()).rename({columns.USER: columns.ID})

    def events_with_items(self) -> pl.LazyFrame:
        """The events, and in `item_...` what the catalog said of the item when the event was received; sorted by that.

        Nothing that came into the catalog later is in it: learning from it is learning from what could be known.
        """
        return met(self.events(), self.item_changes())

    def users(self) -> pl.LazyFrame:
        """The current attributes of each user, by `id`."""
        current = latest(self._scan("users"), columns.USER)
        return self._decoded(current, columns.USER, self._people()).rename({columns.USER: columns.ID})

    def quarantine(self) -> pl.LazyFrame:
        """The rows that could not be taken, with file, line and reason, as each content was read last.

        What was refused of a file under a mapping that was changed since is not among them.
        """
        rows = self._scan("quarantine")
        batches = rows.select(pl.col(columns.BATCH).unique()).collect()[columns.BATCH]
        replaced = [batch for batch in batches if self._was_replaced(batch)]
        return rows.filter(~pl.col(columns.BATCH).is_in(replaced)) if replaced else rows

    def catalog(self) -> dict[str, Item]:
        """The current catalog by item id."""
        rows = self.items().collect().iter_rows(named=True)
        return {row[columns.ID]: _item(row) for row in rows}

    def unknown(self, rows: pl.DataFrame, trusted: Trusted | None = None) -> pl.DataFrame:
        """The rows of a frame whose event id is not here; what is trusted is known to hold none."""
        table, version = self._tables["events"], self._versions["events"]
        if version is None or rows.is_empty():
            return rows
        files = untrusted(pl.DataFrame(version.get_add_actions(flatten=True)), trusted)
        return unknown_rows(rows, [table.path / file for file in table.ids.look(rows[columns.ID], files)])

    def _was_replaced(self, batch: str) -> bool:
        """Whether the content of a file's batch stands in the tables as another mapping reads it."""
        found = file_batch(batch)
        if found is None:
            return False
        tables = (self._versions[name] for name in ("events", "items", "users"))
        stands = {table.transaction_version(found[0]) for table in tables if table is not None} - {None}
        return bool(stands) and found[1] not in stands

    def _count(self, name: str) -> int:
        table = self._versions[name]
        return 0 if table is None else table.count()

    def _scan(self, name: str) -> pl.LazyFrame:
        rows = self._tables[name].scan(self._versions[name])
        moment = columns.RECEIVED if columns.RECEIVED in self._tables[name].layout.schema.names else None
        if name == "decisions":
            moment = columns.TIME
        return rows if self.as_of is None or moment is None else rows.filter(pl.col(moment) <= self.as_of)

    def _people(self) -> pl.LazyFrame:
        return self._scan("person_ids").with_columns(pl.col(columns.ID).str.slice(2))

    def _with_people(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        people = self._people()
        return self._decoded(self._decoded(rows, columns.USER, people), columns.VISITOR, people)

    def _decoded(self, rows: pl.LazyFrame, column: str, ids: pl.LazyFrame) -> pl.LazyFrame:
        names = rows.collect_schema().names()
        named = ids.select(pl.col(columns.CODE).alias(column), pl.col(columns.ID).alias("decoded"))
        joined = rows.join(named, on=column, how="left").with_columns(pl.col("decoded").alias(column))
        return joined.select(names)

    def _data_file(self, row: dict[str, Any]) -> DataFile:
        timed = row["null_count.time"] == 0
        return DataFile(
            path=self._tables["events"].path / row["path"],
            rows=row["num_records"],
            batch=row["min.batch"] if row["min.batch"] == row["max.batch"] else None,
            timed=timed,
            ordered=timed or row["null_count.order"] == 0,
            first=row["min.received"],
            last=row["max.received"],
        )


def _item(row: dict[str, Any]) -> Item:
    fields = {name: row[name] for name in Item.__struct_fields__ if row[name] is not None}
    fields[columns.CATEGORIES] = tuple(row[columns.CATEGORIES] or ())
    fields[columns.ATTRIBUTES] = msgspec.json.decode(row[columns.ATTRIBUTES] or "{}")
    return Item(**fields)
