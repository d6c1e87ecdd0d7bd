"""Interactions: the part of the log that learners see, streamed from the files of the lake."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segue.data.identity.people import LEFT_OUT, People
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import EventSource
from segue.domain import columns
from segue.domain.errors import DataError
from segue.domain.items import UNKNOWN, Items
from segue.domain.requests import NO_TIME
from segue.engines.content import content_of
from segue.engines.engine import INTERACTIONS, Key

NO_ORDER = -1  # the order of an event that has none
BATCH_ROWS = 65_536
MOST_TYPES = 127  # event types that weigh something: their code is an int8


def interactions(
    snapshot: Snapshot,
    source: EventSource,
    cache: Path | None = None,
    batches: Collection[str] | None = None,
    people: People | None = None,
) -> Interactions:
    """The events that weigh something for learning, as a dataset over `INTERACTIONS`; nothing is held in memory.

    A person is the user, or the visitor where no user is known. Left out are events without a person or an item, and
    those whose weight is not a finite number above 0. `batches` keeps only events of these batches (files). `cache`
    is where the number of rows and the types are remembered, by fingerprint. `people` says whom each person counts for,
    and who is left out; where it is not given, everybody counts, as themselves.
    """
    chosen = None if batches is None else frozenset(batches)
    return Interactions(snapshot, source, cache, chosen, None if people is None or people.changes_nothing else people)


def weigh(
    source: EventSource, types: Sequence[str], codes: npt.NDArray[np.integer], amounts: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float32]:
    """float32 weights of events: what their type weighs, times their amount (`value` or `quantity`) where one counts.

    Code -1 is a type that weighs nothing. A weight that is not finite and above 0 comes out as 0.
    """
    each = np.array([*(source.type_weight(name) for name in types), 0.0], np.float64)  # the last is that of code -1
    weights = each[codes]
    if amounts is not None:
        weights = weights * amounts
    with np.errstate(over="ignore"):
        narrow = weights.astype(np.float32)
    return np.where(np.isfinite(narrow) & (narrow > 0), narrow, np.float32(0))


class Interactions:
    """A dataset that reads the Parquet files of a snapshot's events batch by batch, and weighs them on the way.

    Rows come in the order of day, batch and place in the batch. Events without a time have `NO_TIME`, without an
    order `NO_ORDER`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        source: EventSource,
        cache: Path | None,
        batches: frozenset[str] | None,
        people: People | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._source = source
        self._cache = cache
        self._batches = batches
        self._people = people
        self.items: Items = snapshot.item_ids
        self.users: int = snapshot.people_count
        self._places: npt.NDArray[np.int32] | None = None  # by code, the position in `items` where that is another
        if snapshot.as_of is not None:
            self.items, self._places, self.users = _met(snapshot)

    @property
    def schema(self) -> pa.Schema:
        return INTERACTIONS

    @property
    def key(self) -> Key | None:
        return None

    @cached_property
    def fingerprint(self) -> str:
        """A name of the content: the snapshot's, and what decides the weights."""
        weights = (self._source.weight, sorted(self._source.types.items()))
        chosen = None if self._batches is None else sorted(self._batches)
        said = (self._snapshot.fingerprint, weights, chosen, *([self._people.fingerprint] if self._people else ()))
        return hashlib.blake2b(repr(said).encode(), digest_size=16).hexdigest()

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that weigh something, sorted."""
        return self._summary[0] if self._cache is not None else self._types

    @property
    def rows(self) -> int:
        return self._summary[1]

    @cached_property
    def content(self) -> pa.Table | None:
        """What the catalog of the snapshot says of the items; None where it is empty."""
        catalog = self._snapshot.catalog()
        return content_of(map(catalog.get, self.items.ids)) if catalog else None

    def partitions(self, count: int, columns: Sequence[str] | None = None) -> list[Iterator[pa.RecordBatch]]:
        """The row groups of the files in at most `count` contiguous parts of about equally many rows."""
        groups = self._groups
        ends = np.cumsum([group.rows for group in groups])
        cuts = np.searchsorted(ends, np.linspace(0, ends[-1] if len(ends) else 0, count + 1)[1:-1], side="right")
        bounds = [0, *cuts.tolist(), len(groups)]
        names = list(INTERACTIONS.names if columns is None else columns)
        return [
            self._batches_of(groups[start:stop], names, self.types)
            for start, stop in itertools.pairwise(bounds)
            if start < stop
        ]

    @cached_property
    def _groups(self) -> list[_RowGroup]:
        """Every row group of every file that may hold rows of the wanted batches."""
        groups = []
        for file in self._snapshot.files:
            if self._batches is not None and file.batch is not None and file.batch not in self._batches:
                continue
            meta = pq.read_metadata(file.path)
            groups += [
                _RowGroup(file.path, number, meta.row_group(number).num_rows) for number in range(meta.num_row_groups)
            ]
        return groups

    @cached_property
    def _summary(self) -> tuple[tuple[str, ...], int]:
        """Types and number of rows: one pass, remembered in the cache."""
        path = None if self._cache is None else self._cache / f"interactions-{self.fingerprint}.json"
        if path is not None and path.is_file():
            types, rows = json.loads(path.read_text())
            return tuple(types), rows
        types = self._types
        everything = self._batches_of(self._groups, [columns.TYPE], types)
        rows = sum(batch.num_rows for batch in everything)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.write_text(json.dumps([types, rows]))
            draft.replace(path)
        return types, rows

    @cached_property
    def _types(self) -> tuple[str, ...]:
        paths = list(dict.fromkeys(group.path for group in self._groups))
        if not paths:
            return ()
        met = pl.scan_parquet(paths, hive_partitioning=False).select(pl.col(columns.TYPE).unique()).collect()
        types = sorted(name for name in met[columns.TYPE] if self._source.type_weight(name) > 0)
        if len(types) > MOST_TYPES:
            raise DataError(
                f"{len(types)} event types weigh something, at most {MOST_TYPES} can",
                where=f"types {types[0]}, {types[1]}, ...",
                mend="set the weight of those that say little to 0 under [events.types]; is `type` the right column?",
            )
        return tuple(types)

    def _batches_of(
        self, groups: Sequence[_RowGroup], names: list[str], types: tuple[str, ...]
    ) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([INTERACTIONS.field(name) for name in names])
        needed = self._needed(names)
        for path, of_file in itertools.groupby(groups, key=lambda group: group.path):
            with pq.ParquetFile(path, read_dictionary=[columns.TYPE], pre_buffer=False) as file:
                numbers = [group.number for group in of_file]
                for batch in file.iter_batches(BATCH_ROWS, row_groups=numbers, columns=needed):
                    if (chosen := self._weighed(batch, schema, types)).num_rows:
                        yield chosen

    def _needed(self, names: list[str]) -> list[str]:
        """The columns of the file that the wanted ones, and the choice of rows, are made from."""
        needed = [columns.USER, columns.VISITOR, columns.ITEM, columns.TYPE]
        needed += [name for name in (columns.TIME, columns.ORDER) if name in names]
        if columns.TIME not in names and self._people is not None and self._people.turns is not None:
            needed.append(columns.TIME)
        if self._source.weight != "type":
            needed.append(self._source.weight)
        if self._snapshot.as_of is not None:
            needed.append(columns.RECEIVED)
        if self._batches is not None:
            needed.append(columns.BATCH)
        return needed

    def _weighed(self, batch: pa.RecordBatch, schema: pa.Schema, types: tuple[str, ...]) -> pa.RecordBatch:
        """The rows of a batch of events that weigh something, as interactions."""
        codes = _type_codes(batch.column(columns.TYPE), types)
        amounts = None if self._source.weight == "type" else _floats(batch.column(self._source.weight))
        weights = weigh(self._source, types, codes, amounts)
        person = pc.coalesce(batch.column(columns.USER), batch.column(columns.VISITOR))
        if self._people is not None:
            person = _counting(person, batch, self._people)
        keep = pc.and_(pa.array(weights > 0), pc.and_(person.is_valid(), batch.column(columns.ITEM).is_valid()))
        if self._snapshot.as_of is not None:
            until = pa.scalar(self._snapshot.as_of, pa.timestamp("us", "UTC"))
            keep = pc.and_(keep, pc.less_equal(batch.column(columns.RECEIVED), until))
        if self._batches is not None:
            keep = pc.and_(keep, pc.is_in(batch.column(columns.BATCH), pa.array(sorted(self._batches), pa.string())))
        makers: dict[str, Callable[[], Any]] = {
            columns.USER: lambda: person,
            columns.ITEM: lambda: _placed(batch.column(columns.ITEM), self._places),
            columns.TYPE: lambda: pa.array(codes, pa.int8()),
            columns.WEIGHT: lambda: pa.array(weights),
            columns.TIME: lambda: _moments(batch),
            columns.ORDER: lambda: batch.column(columns.ORDER).fill_null(NO_ORDER),
        }
        return pa.record_batch([makers[name]() for name in schema.names], schema=schema).filter(keep)


@dataclass(frozen=True)
class _RowGroup:
    path: Path
    number: int
    rows: int


def _met(snapshot: Snapshot) -> tuple[Items, npt.NDArray[np.int32], int]:
    """What was met by the snapshot's moment: its items, by code their positions (-1: met later), how many people."""
    coded = snapshot.coded_events()
    acted_on = coded.select(pl.col(columns.ITEM).drop_nulls().unique()).collect()[columns.ITEM].to_numpy()
    people = coded.select(pl.max_horizontal(pl.col(columns.USER).max(), pl.col(columns.VISITOR).max())).collect().item()
    known = snapshot.item_ids
    listed = known.positions(snapshot.items().select(columns.ID).collect()[columns.ID])
    codes = np.union1d(acted_on, listed[listed != UNKNOWN])
    places = np.full(len(known), UNKNOWN, np.int32)
    places[codes] = np.arange(len(codes), dtype=np.int32)
    return Items(known.take(codes)), places, 0 if people is None else int(people) + 1


def _placed(codes: pa.Array, places: npt.NDArray[np.int32] | None) -> pa.Array:
    """The positions of items in the vocabulary; -1, on rows that are left out, where an item has none."""
    if places is None:
        return codes
    return pa.array(np.append(places, np.int32(-1))[codes.fill_null(-1).to_numpy(zero_copy_only=False)], pa.int32())


def _counting(codes: pa.Array, batch: pa.RecordBatch, people: People) -> pa.Array:
    """Whom people count for; null where they are left out."""
    times = None if people.turns is None else _moments(batch).to_numpy(zero_copy_only=False)
    who = people.counting(codes.fill_null(LEFT_OUT).to_numpy(zero_copy_only=False), times)
    return pa.array(who, pa.int32(), mask=who == LEFT_OUT)


def _moments(batch: pa.RecordBatch) -> pa.Array:
    """int64 microseconds since 1970 UTC, `NO_TIME` where there is none."""
    return batch.column(columns.TIME).cast(pa.int64()).fill_null(int(NO_TIME))


def _type_codes(column: pa.DictionaryArray, types: tuple[str, ...]) -> npt.NDArray[np.int8]:
    """int8 positions in `types`, -1 for a type that weighs nothing."""
    place = {name: position for position, name in enumerate(types)}
    of_entry = np.array([place.get(name, -1) for name in column.dictionary.to_pylist()], np.int8)
    indices: npt.NDArray[np.int32] = column.indices.to_numpy(zero_copy_only=False)
    return of_entry[indices]


def _floats(column: pa.Array) -> npt.NDArray[np.float64]:
    """float64 values, NaN where there is none."""
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


__all__ = ["NO_ORDER", "Interactions", "interactions", "weigh"]
