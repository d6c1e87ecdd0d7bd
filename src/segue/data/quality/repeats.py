"""Rules on rows that repeat others: found by 64-bit hashes of all rows, then told apart by what they hold."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.quality.kinds import EXAMPLES, Finding
from segue.data.quality.table import CheckedTable, refused
from segue.data.settings import Rule

Hashed = npt.NDArray[np.uint64]

IN_MEMORY = 1 << 25  # hashes that are held in memory (256 MB); more are parted into files by their first bits
PARTS = 256


class Hashes:
    """Hashes of any number of rows; says which come more than once. Memory is bounded by `IN_MEMORY` and one part."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._limit, self._held = in_memory, 0
        self._waiting = np.empty(0, np.uint64)  # of which the first `_held` are taken
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, hashes: Hashed) -> None:
        """Take in some."""
        if self._held + len(hashes) > max(self._limit, len(self._waiting)):
            self._part()
        if len(self._waiting) < self._held + len(hashes):  # what is reserved and not written to takes no memory
            self._waiting = np.empty(max(self._limit, len(hashes)), np.uint64)
        self._waiting[self._held : self._held + len(hashes)] = hashes
        self._held += len(hashes)

    def repeated(self) -> Hashed:
        """Those that come more than once, each once, sorted."""
        if self._folder is None:
            return _repeated(self._waiting[: self._held])
        self._part()
        with self._folder as folder:
            parts = sorted(Path(folder).iterdir())
            return np.concatenate([_repeated(np.fromfile(path, np.uint64)) for path in parts])

    def _part(self) -> None:
        """Write what waits to one file for each value of its first bits."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="segue-check-")
        hashes = self._waiting[: self._held]
        hashes.sort()
        ends = np.searchsorted(hashes >> np.uint64(56), np.arange(PARTS, dtype=np.uint64), side="right")
        for number, part in enumerate(np.split(hashes, ends[:-1])):
            with (Path(self._folder.name) / f"{number:03d}").open("ab") as file:
                part.tofile(file)
        self._held = 0


class Repeats:
    """Rows that are equal in some columns, nothing missing in any of them.

    `first_counts` is 1 where all rows of a group break the rule, 0 where the first of them does not.
    """

    def __init__(self, table: CheckedTable, columns: Sequence[str], first_counts: int) -> None:
        self.columns = tuple(columns)
        self._table, self._first = table, first_counts
        self._hashes, self._checked = Hashes(), 0

    def update(self, batch: pl.DataFrame) -> None:
        """Hash the rows that have a cell in each column."""
        rows = batch.select(self.columns)
        rows = rows.drop_nulls() if any(column.null_count() for column in rows) else rows
        self._checked += rows.height
        self._hashes.add(_hash(rows).to_numpy())

    def finding(self) -> Finding:
        """How many rows repeat another; those with the same hash are read again to be told apart by their cells."""
        suspects = self._hashes.repeated()
        if not len(suspects):
            return Finding(self._checked, 0)
        groups = self._groups(suspects)
        rows, examples = int(groups["len"].sum()), groups.sort(self.columns).head(EXAMPLES)
        broken = rows if self._first else rows - groups.height
        cells = examples.select(self._table.text(name).alias(name) for name in self.columns)
        shown = (" | ".join(map(str, row)) for row in cells.rows())
        if self._first:  # as many of each as there are
            shown = (text for text, count in zip(shown, examples["len"], strict=True) for _ in range(count))
        return Finding(self._checked, broken, tuple(list(shown)[:EXAMPLES]))

    def _groups(self, suspects: Hashed) -> pl.DataFrame:
        """The cells that come more than once, and in how many rows (`len`)."""
        wanted = pl.Series(suspects)
        met = []
        for batch in self._table.batches(self.columns):
            rows = batch.select(self.columns).drop_nulls()
            met.append(rows.filter(_hash(rows).is_in(wanted.implode())))
        return pl.concat(met).group_by(self.columns).len().filter(pl.col("len") > 1)


def unique(rule: Rule, table: CheckedTable) -> Repeats:
    """Cells that another row has too: all of their rows break the rule."""
    return Repeats(table, [table.column(rule)], first_counts=1)


def duplicates(rule: Rule, table: CheckedTable) -> Repeats:
    """Rows that are equal to an earlier one in all of `columns`: what would go if each were kept once."""
    names = rule.columns or ((rule.column,) if rule.column else ())
    if not names:
        example = 'columns = ["user", "item", "type", "time"]'
        raise refused(rule, "a rule of the kind 'duplicates' says its columns", f"add a line such as: {example}")
    return Repeats(table, [table.column(rule, name) for name in names], first_counts=0)


def _hash(rows: pl.DataFrame) -> pl.Series:
    """uint64: equal rows have equal hashes within a process."""
    return rows.to_series().hash() if rows.width == 1 else rows.hash_rows()


def _repeated(hashes: Hashed) -> Hashed:
    hashes.sort()  # where they lie: they are ours, and many
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
