"""Rules on when rows came: how new the newest is, and whether they came in the order in which things happened."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from segue.data.quality.kinds import EXAMPLES, Finding
from segue.data.quality.table import CheckedTable, span
from segue.data.settings import Rule
from segue.domain import columns

IN_MEMORY = 1 << 21  # rows that are held and sorted in memory (110 bytes each); more are parted into files by arrival
PARTS = 64
SAMPLED = 1_000  # rows of a file that say when its rows were received
_OF, _RECEIVED, _PLACE, _TIME = "of", "received", "place", "time"
_ID_PREFIX = 16  # digits of the batch that the id of an event without one begins with; its line follows


class Freshness:
    """How old the newest row is, of those that are not later than now: a wrong clock does not make old data new."""

    def __init__(self, rule: Rule, table: CheckedTable) -> None:
        self._column, self._within, self._now = table.time_column(rule), span(rule, "1d"), table.now
        self.columns = (self._column,)
        self._newest: datetime | None = None
        self._last, self._later = self._now, 0

    def update(self, batch: pl.DataFrame) -> None:
        """Keep the newest moment up to now; of later ones how many there are, and the last."""
        time, now = pl.col(self._column), pl.lit(self._now)
        newest, last, later = batch.select(
            time.filter(time <= now).max(), time.max().alias("last"), (time > now).sum().alias("later")
        ).row(0)
        self._later += later
        self._last = max(self._last, last or self._last)
        if newest is not None and (self._newest is None or newest > self._newest):
            self._newest = newest

    def finding(self) -> Finding:
        """Broken where the newest row is older than `within`, or all are later than now; the statistic is its age in
        hours."""
        told = (f"{self._later:,} later than now, up to {self._last.isoformat()}",) if self._later else ()
        if self._newest is None:
            return Finding(len(told), len(told), told)
        age = self._now - self._newest
        return Finding(1, int(age > self._within), (self._newest.isoformat(), *told), age.total_seconds() / 3600)


class OutOfOrder:
    """Rows whose time is before that of the row which came just before them.

    Rows came one after the other within a batch (a file, or the drain of a journal) and a day of arrival: by when they
    were received, then by the place in the source. Where neither tells two rows apart, their times are in order.

    Rows are sorted in bounded runs, by arrival, and what one arrival brought by when it was received; only what was
    received at one and the same moment is sorted at once, however much it is.
    """

    def __init__(self, rule: Rule, table: CheckedTable) -> None:
        self._column, self._within = table.time_column(rule), span(rule, "0s")
        self.columns = (columns.BATCH, columns.RECEIVED, columns.ORDER, columns.ID, self._column)
        self._held: list[pl.DataFrame] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files = 0

    def update(self, batch: pl.DataFrame) -> None:
        """Keep where in its arrival each row was."""
        rows = batch.filter(pl.col(self._column).is_not_null())
        arrival = pl.struct(columns.BATCH, pl.col(columns.RECEIVED).dt.date()).hash().alias(_OF)
        place = _place(rows).alias(_PLACE)
        time = pl.col(self._column).alias("moment")
        self._held.append(rows.select(arrival, pl.col(columns.RECEIVED), place, time))
        if sum(each.height for each in self._held) > IN_MEMORY:
            self._part()

    def finding(self) -> Finding:
        """How many rows came late by more than `within`, of those that another came before."""
        checked = broken = 0
        examples: list[str] = []
        for rows in self._groups():
            ordered = rows.lazy().sort(_OF, columns.RECEIVED, _PLACE, "moment")
            follows = pl.col(_OF) == pl.col(_OF).shift(1)
            behind = (pl.col("moment").shift(1) - pl.col("moment")).alias("behind")
            found = ordered.select("moment", behind, follows=follows)
            late = pl.col("follows") & (pl.col("behind") > self._within)
            row = (
                found.select(
                    pl.col("follows").sum(),
                    late.sum().alias("late"),
                    pl.struct("moment", "behind").filter(late).head(5).implode(),
                )
                .collect()
                .row(0)
            )
            checked, broken = checked + int(row[0] or 0), broken + int(row[1] or 0)
            examples += [f"{each['moment']}, {each['behind']} behind" for each in row[2]]
        return Finding(checked, broken, tuple(sorted(examples)[:EXAMPLES]))

    def _groups(self) -> Iterator[pl.DataFrame]:
        """All rows, those of one arrival together, or in runs one after the other."""
        if self._folder is None:
            if self._held:
                yield pl.concat(self._held)
            return
        self._part()
        with self._folder as folder:
            for part in range(PARTS):
                yield from _runs(sorted(Path(folder).glob(f"{part:02d}-*.arrow")))

    def _part(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="segue-check-")
        rows = pl.concat(self._held) if self._held else pl.DataFrame()
        self._held, self._files = [], self._files + 1
        if rows.is_empty():
            return
        parts = rows.with_columns(part=pl.col(_OF) % PARTS).partition_by("part", as_dict=True, include_key=False)
        for (number,), part in parts.items():
            part.write_ipc(Path(self._folder.name) / f"{number:02d}-{self._files:06d}.arrow")


def _runs(paths: list[Path]) -> Iterator[pl.DataFrame]:
    """The rows of files together; where they are many, in runs by when they were received. A run begins with the last
    row that each of its arrivals had before."""
    held = [pl.read_ipc(path) for path in paths[: _fitting(paths)]]
    if len(held) == len(paths):
        if held:
            yield pl.concat(held)
        return
    del held
    last = None
    for run in _cut(paths):
        rows = pl.concat([pl.read_ipc(path) for path in run])
        rows = rows if last is None else pl.concat([last, rows])
        yield rows
        last = rows.sort(_OF, columns.RECEIVED, _PLACE, "moment").unique(_OF, keep="last")


def _fitting(paths: list[Path]) -> int:
    """How many of the files, from the first on, fit in memory together."""
    rows = np.cumsum([_height(path) for path in paths])
    return int((rows <= IN_MEMORY).sum())


def _height(path: Path) -> int:
    return int(pl.scan_ipc(path).select(pl.len()).collect().item())


def _cut(paths: list[Path]) -> Iterator[list[Path]]:
    """Files of the same rows by when they were received, those of a run together, the first received first."""
    rows = sum(map(_height, paths))
    met = pl.concat(
        pl.read_ipc(path)[columns.RECEIVED].gather_every(max(_height(path) // SAMPLED, 1)) for path in paths
    )
    met = met.sort()
    runs = -(-rows // IN_MEMORY)
    cuts = met.gather([len(met) * run // runs for run in range(1, runs)]).drop_nulls().unique().sort()
    made: list[list[Path]] = [[] for _ in range(len(cuts) + 1)]
    for path in paths:
        whole = pl.read_ipc(path)
        run = cuts.search_sorted(whole[columns.RECEIVED], "right").alias("run")
        for (number,), part in whole.with_columns(run).partition_by("run", as_dict=True, include_key=False).items():
            made[number].append(path.with_name(f"run-{number}-{path.name}"))
            part.write_ipc(made[number][-1])
        path.unlink()
    return iter(each for each in made if each)


def freshness(rule: Rule, table: CheckedTable) -> Freshness:
    """No row that is newer than `within` ("1d")."""
    return Freshness(rule, table)


def out_of_order(rule: Rule, table: CheckedTable) -> OutOfOrder:
    """Rows that happened before the row which came just before them, by more than `within` ("0s")."""
    return OutOfOrder(rule, table)


def _place(rows: pl.DataFrame) -> pl.Expr:
    """The place of each row in its source, 0 where it is not known: its order, or the line that its id is made of."""
    order = pl.col(columns.ORDER)
    if not rows[columns.ORDER].null_count():
        return order
    made = pl.col(columns.ID).str.starts_with(pl.col(columns.BATCH).str.slice(0, _ID_PREFIX) + "-")
    line = pl.col(columns.ID).str.slice(_ID_PREFIX + 1, 10).cast(pl.Int64, strict=False)
    return pl.coalesce(order, pl.when(made).then(line), pl.lit(0, pl.Int64))
