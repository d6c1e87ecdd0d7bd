"""The dictionaries of the lake: one code for each id, given out once, in the order in which ids are first met."""

from __future__ import annotations

import polars as pl
from deltalake import DeltaTable

from segue.data.lake.tables import Table
from segue.domain import columns
from segue.domain.errors import ReadError
from segue.domain.items import Items


class Codes:
    """An append-only dictionary with one writer: a code never changes meaning.

    The dictionary is committed before the rows that use it. A crash in between leaves codes that nothing uses yet,
    and the same ids get the same codes when the work is done again.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._frame = table.layout.empty
        self._version = -1

    def encode(self, ids: pl.Series) -> pl.Series:
        """int32 codes of the ids, null where an id is null. Ids that were never met are given the next codes first."""
        everybody = self._known()
        asked = ids.drop_nulls().unique(maintain_order=True).to_frame(columns.ID)
        known = everybody.join(asked, on=columns.ID, how="semi")  # the table to look up in is of those few alone
        new = asked.join(known, on=columns.ID, how="anti", maintain_order="left")
        if new.height:
            known = pl.concat([known, self._add(everybody, new).slice(everybody.height)])
        name = ids.name
        coded = ids.to_frame(columns.ID).join(known, on=columns.ID, how="left", maintain_order="left")
        return coded[columns.CODE].alias(name)

    @property
    def ids(self) -> pl.Series:
        """The ids that have codes, in the order of these."""
        return self._known()[columns.ID]

    def extend(self, ids: pl.Series, first: int) -> None:
        """Give the next codes, from `first` on, to ids that have none: who calls knows that, and has them apart."""
        known = self._known()
        if known.height != first:
            raise ReadError(
                f"the dictionary has {known.height:,} codes where {first:,} were expected",
                where=str(self.table.path),
                mend="does something else write to this lake? run the same command again",
            )
        self._add(known, ids.to_frame(columns.ID))

    def _known(self) -> pl.DataFrame:
        table = self.table.current()
        version = -1 if table is None else table.version()
        if version != self._version:
            self._frame, self._version = dictionary(self.table, table), version
        return self._frame

    def _add(self, known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        first = known.height
        rows = new.with_columns(pl.int_range(first, first + new.height, dtype=pl.Int32).alias(columns.CODE))
        self.table.append(rows, {"codes": first + new.height})
        table = self.table.current()
        assert table is not None
        self._frame, self._version = pl.concat([known, rows]), table.version()
        return self._frame


def dictionary(table: Table, version: DeltaTable | None) -> pl.DataFrame:
    """Ids in the order of their codes, which are 0, 1, 2, ... without a gap."""
    frame = table.scan(version).select(columns.ID, columns.CODE).sort(columns.CODE).collect()
    if frame.height and not (frame[columns.CODE] == pl.int_range(frame.height, dtype=pl.Int32, eager=True)).all():
        raise ReadError(
            "the dictionary is damaged: its codes are not 0, 1, 2, ... each once",
            where=str(table.path),
            mend="restore the lake from a backup; a code must never change its meaning",
        )
    return frame


def vocabulary(frame: pl.DataFrame) -> Items:
    """The ids as a vocabulary: the position of an id is its code."""
    return Items(frame[columns.ID].to_list())
