"""Turns rows as a file has them into events as the lake keeps them; each row either whole or with what is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.convert.attributes import attributes
from segue.data.convert.cells import Faults, identifiers, missing, numbers
from segue.data.convert.times import MOMENT, moments
from segue.data.read.json_lines import decoded
from segue.data.read.read import gathered
from segue.data.read.rows import Broken, Rows
from segue.data.settings import EventSource
from segue.domain import columns

# What people do to no item in particular: an event of these types needs none.
ITEMLESS: Final = frozenset(
    """search query session session_start session_end visit identify login logout signup sign_up register open_app
    app_open unsubscribe subscribe homepage home page_view checkout_start begin_checkout""".split()  # noqa: SIM905
)
LATEST = timedelta(days=1)  # how far ahead of now a clock may be
LONGEST_POSITION = 100_000
PREFIX: Final = 16  # characters of a batch's name that ids of its events begin with


@dataclass(frozen=True)
class Converted:
    """What became of some rows: those that are kept, with the columns of `domain.columns`, and the broken ones."""

    frame: pl.DataFrame
    broken: list[Broken]


class Numbered(Protocol):
    """What the events on lines are called that carry no id, and where they stand in the order of all lines."""

    def ids(self, lines: npt.NDArray[np.int64]) -> pl.Series: ...

    def order(self, lines: npt.NDArray[np.int64]) -> pl.Series: ...


@dataclass(frozen=True)
class OneFile:
    """The lines of one batch. `before` is the order of the line before the first."""

    batch: str
    before: int

    def ids(self, lines: npt.NDArray[np.int64]) -> pl.Series:
        """The beginning of the batch, and the line."""
        return f"{self.batch[:PREFIX]}-" + ten_digits(lines)

    def order(self, lines: npt.NDArray[np.int64]) -> pl.Series:
        """Lines, behind those before them."""
        return pl.Series(lines) + self.before


def ten_digits(lines: npt.NDArray[np.int64]) -> pl.Series:
    """Lines as ids end with them: they sort as lines do, so that the lake need not look for them in its other files."""
    return pl.Series(lines).cast(pl.String).str.zfill(10)


def convert_events(rows: Rows, source: EventSource, batch: str, order: int, now: datetime) -> Converted:
    """Events of rows. `order` is that of the line before this part's first."""
    return convert_numbered(rows, source, OneFile(batch, order), now)


def convert_numbered(rows: Rows, source: EventSource, numbered: Numbered, now: datetime) -> Converted:
    """Events of rows, perhaps of several files, as `numbered` calls them."""
    faults = Faults(len(rows))
    cells = _Cells(rows, source, faults)
    user, visitor = cells.identifier("user"), cells.identifier("visitor")
    faults.add(user.is_null() & visitor.is_null(), _no_person(source), source.columns.user or source.columns.visitor)
    kind = cells.kinds()
    item = cells.identifier("item")
    needs_item = ~kind.is_in(list(ITEMLESS))
    faults.add(item.is_null() & needs_item, "no item", source.columns.item)
    time = _times(cells, source, now, faults)
    value, quantity = cells.number("value"), cells.number("quantity")
    kind = _negatives(kind, value, quantity, source, faults)
    frame = pl.DataFrame(
        {
            columns.ID: _ids(cells, numbered),
            columns.USER: user,
            columns.VISITOR: visitor,
            columns.ITEM: item,
            columns.TYPE: kind,
            columns.TIME: time,
            columns.VALUE: value,
            columns.QUANTITY: quantity,
            columns.ORDER: _order(cells, numbered),
            columns.SESSION: cells.identifier("session"),
            columns.DECISION: cells.identifier("decision"),
            columns.POSITION: cells.position(),
            columns.CONTEXT: cells.context(),
        }
    ).with_columns(pl.lit(now, dtype=MOMENT).alias(columns.RECEIVED))
    return Converted(frame.filter(pl.Series(~faults.rows)), faults.broken(rows))


def _no_person(source: EventSource) -> str:
    return "no user" if source.columns.visitor is None else "neither user nor visitor"


class _Cells:
    """The cells of rows by Segue's names; a column that is not mapped, or that a part lacks, is all null."""

    def __init__(self, rows: Rows, source: EventSource, faults: Faults) -> None:
        self.rows, self.source, self.faults = rows, source, faults

    def column(self, name: str) -> str | None:
        """The file's name of a column."""
        named: str | None = getattr(self.source.columns, name)
        return named

    def cells(self, name: str) -> pl.Series:
        """The cells as the file has them."""
        column = self.column(name)
        if column is None or column not in self.rows.frame.columns:
            return pl.Series([None], dtype=pl.String).new_from_index(0, len(self.rows))
        return self.rows.frame[column]

    def absent(self, name: str, dtype: pl.DataType) -> pl.Series | None:
        """Nothing but nulls, where there is no such column."""
        if self.column(name) in self.rows.frame.columns:
            return None
        return pl.Series([None], dtype=dtype).new_from_index(0, len(self.rows))

    def identifier(self, name: str) -> pl.Series:
        """Ids as text, null where there is none."""
        if (absent := self.absent(name, pl.String())) is not None:
            return absent
        said = self.source.identity.normalise
        mends = {"user": said.users, "visitor": said.users, "item": said.items}.get(name, ())
        return identifiers(self.cells(name), self.source.ids, name, self.column(name), self.faults, mends)

    def number(self, name: str) -> pl.Series:
        """Finite numbers, null where there is none."""
        if (absent := self.absent(name, pl.Float64())) is not None:
            return absent
        return numbers(self.cells(name), self.source.decimal, name, self.column(name), self.faults)

    def kinds(self) -> pl.Series:
        """The type of each event."""
        if self.column("type") is None:
            return pl.Series([self.source.type]).new_from_index(0, len(self.rows))
        kinds = self.identifier("type")
        self.faults.add(kinds.is_null(), "no type", self.column("type"))
        return kinds.fill_null("")

    def position(self) -> pl.Series:
        """Places in a list, from 0."""
        if (absent := self.absent("position", pl.Int32())) is not None:
            return absent
        places = self.number("position")
        wrong = (places < 0) | (places > LONGEST_POSITION) | (places != places.floor())
        self.faults.add(
            wrong, f"the position is no whole number from 0 to {LONGEST_POSITION:,}", self.column("position")
        )
        return places.zip_with(~wrong.fill_null(value=False), pl.Series([None], dtype=pl.Float64)).cast(pl.Int32)

    def context(self) -> pl.Series:
        """JSON objects as they are written, null where there is none."""
        if together := gathered(self.source, self.rows.frame.columns):
            objects = attributes(self.rows, [name for name in together if name in self.rows.frame.columns])
            return objects.set(objects == "{}", None)
        if (absent := self.absent("context", pl.String())) is not None:
            return absent
        cells = self.cells("context")
        text = cells.struct.json_encode() if isinstance(cells.dtype, pl.Struct) else cells.cast(pl.String)
        text = text.set(missing(text), None)
        wrong = pl.Series([cell is not None and decoded(cell) is None for cell in text], dtype=pl.Boolean)
        self.faults.add(wrong, "the context is no JSON object", self.column("context"))
        return text


def _ids(cells: _Cells, numbered: Numbered) -> pl.Series:
    """Ids of events; where there is none, one of the file's content and the line, the same at every reading.

    Where a line may hold several events (import maps), the place in it comes after its number, also where there is but
    one: so an event is called the same whichever others are read with it.
    """
    given = cells.identifier("id")
    if not given.has_nulls():
        return given
    names = numbered.ids(cells.rows.lines)
    if cells.rows.places is not None:
        names += "." + pl.Series(cells.rows.places).cast(pl.String).str.zfill(6)
    return given.zip_with(given.is_not_null(), names)


def _order(cells: _Cells, numbered: Numbered) -> pl.Series:
    if cells.source.order == "file":
        return numbered.order(cells.rows.lines)
    return pl.Series([None], dtype=pl.Int64).new_from_index(0, len(cells.rows))


def _times(cells: _Cells, source: EventSource, now: datetime, faults: Faults) -> pl.Series:
    column = source.columns.time
    if column is None:
        return pl.Series([None], dtype=MOMENT).new_from_index(0, len(cells.rows))
    written = cells.cells("time")
    time = moments(written, source.time_format, source.timezone)
    absent = missing(written)
    faults.add(absent, "no time", column)
    faults.add(time.is_null() & ~absent, f"no time of the format {source.time_format}", column)
    faults.add(time > now + LATEST, "the time is in the future", column)
    return time


def _negatives(
    kind: pl.Series, value: pl.Series, quantity: pl.Series, source: EventSource, faults: Faults
) -> pl.Series:
    """The types, with that of negative events changed where the declaration names one for them."""
    by_value, by_quantity = (value < 0).fill_null(value=False), (quantity < 0).fill_null(value=False)
    if source.negative_type is None:
        faults.add(by_quantity, "negative quantity", source.columns.quantity)
        faults.add(by_value, "negative value", source.columns.value)
        return kind
    changed = pl.Series([source.negative_type]).new_from_index(0, len(kind))
    return changed.zip_with(by_value | by_quantity, kind)


__all__ = ["ITEMLESS", "Converted", "Numbered", "OneFile", "convert_events", "convert_numbered", "ten_digits"]
