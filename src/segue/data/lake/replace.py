"""Replacing what files were read as before: the new rows are written aside, and come in as the old ones go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from segue.data.lake.files import discard
from segue.data.lake.ids import IdIndex
from segue.data.lake.returns import last_contents
from segue.data.lake.rows import content_of, file_batch, known_ids
from segue.data.lake.tables import REWRITTEN, Staged, Table, removals
from segue.domain import columns

MOMENT: Final = pl.Datetime("us", "UTC")

Place = Callable[[Mapping[str, pl.DataFrame], int], pl.DataFrame]


@dataclass(frozen=True)
class Replaced:
    """What a replacement did.

    dropped  by batch, how many of its rows did not come in, because another row has their id
    gone     by content (the first digits of a file's batch), how many rows of an earlier mapping went
    """

    dropped: Mapping[str, int]
    gone: Mapping[str, int]


class Replacement:
    """Batches of files that take the place of what the same contents were read as before, all in one commit.

    A process that dies before the commit leaves the old rows, after it the new ones, never both. `place` makes rows as
    the table has them, given how many came before. Ids are looked for at the end, when it is known which rows go.

    A content was received when it first came: read anew, its rows keep that moment, so that the past stays readable.
    """

    def __init__(self, table: Table, quarantine: Table, place: Place) -> None:
        self._table, self._quarantine, self._place = table, quarantine, place
        self._arrived: dict[str, datetime | None] = {}
        self._groups: list[list[Staged]] = []
        self._batches: list[str] = []
        self._rows = 0

    def add(self, batches: Mapping[str, pl.DataFrame]) -> dict[str, int]:
        """Write the rows aside; by batch, how many there are with an id of their own."""
        if not batches:
            return {}
        rows = self._place({batch: self._as_received(batch, batches[batch]) for batch in batches}, self._rows)
        self._rows += rows.height
        self._batches += batches
        self._groups.append(self._table.stage(rows, next(iter(batches))))
        return dict(rows.group_by(columns.BATCH).len().iter_rows())

    def discard(self) -> None:
        """Take back what was written aside: the lake stays as it is."""
        discard([file.path for group in self._groups for file in group])
        self._groups.clear()

    def commit(self, paths: Mapping[str, str]) -> Replaced:
        """Bring in what was written and take out every earlier row of the same contents; `paths` as `Lake.take` has."""
        named = [found for found in map(file_batch, self._batches) if found is not None]
        contents = dict(named)
        dropped = self._each_id_once(list(contents)) if self._table.layout.by_day else Counter()
        old, gone = self._old(list(contents))
        transactions = {batch: (self._table.committed(batch) or 0) + 1 for batch in self._batches}
        staged = [file for group in self._groups for file in group]
        rewritten = {REWRITTEN: (self._table.committed(REWRITTEN) or 0) + 1}
        if not self._table.layout.by_day:
            rewritten |= last_contents(paths)
        self._table.commit(staged, transactions | contents | rewritten, removals(old))
        return Replaced(dropped, gone)

    def _as_received(self, batch: str, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with the moment at which their content first came, where that is known."""
        content, _ = file_batch(batch) or ("", 0)
        if content not in self._arrived:
            moments = (_first_received(table, content) for table in (self._table, self._quarantine))
            self._arrived[content] = min((moment for moment in moments if moment is not None), default=None)
        arrived = self._arrived[content]
        if arrived is None or columns.RECEIVED not in frame.columns:
            return frame
        return frame.with_columns(pl.min_horizontal(columns.RECEIVED, pl.lit(arrived, MOMENT)).alias(columns.RECEIVED))

    def _each_id_once(self, contents: Sequence[str]) -> Counter[str]:
        """Leave out rows whose id the lake has in rows that stay, or a group before; by batch, how many."""
        dropped: Counter[str] = Counter()
        path, lake, before = self._table.path, self._staying(contents), list[str]()
        staged_ids = IdIndex(None)
        for number, group in enumerate(self._groups):
            if not group:
                continue
            rows = pl.read_parquet(
                [file.path for file in group], columns=[columns.ID, columns.BATCH], hive_partitioning=False
            )
            there = self._table.ids.files_with(rows[columns.ID], path, lake)
            aside = staged_ids.files_with(rows[columns.ID], path, before)
            known = [
                known_ids(rows, [path / file for file in files], gone)
                for files, gone in ((there, contents), (aside, ()))
            ]
            met = pl.concat(known).unique()
            if met.height:
                lost = rows.join(met, on=columns.ID, how="semi").group_by(columns.BATCH).len()
                dropped.update(dict(lost.iter_rows()))
                self._groups[number] = self._without(group, met)
            before += [file.action.path for file in self._groups[number]]
        return dropped

    def _staying(self, contents: Sequence[str]) -> list[str]:
        """The files that hold a row that stays, as far as statistics say."""
        files = self._table.files()
        if files.is_empty():
            return []
        low, high = content_of(pl.col("min.batch")), content_of(pl.col("max.batch"))
        return files.filter(~((low == high) & low.is_in(list(contents))))["path"].to_list()

    def _without(self, group: Sequence[Staged], ids: pl.DataFrame) -> list[Staged]:
        """The files of a group written again without some ids."""
        rows = [self._table.read(file.action.path).join(ids, on=columns.ID, how="anti") for file in group]
        again = self._table.stage(pl.concat(rows), group[0].path.name[:24])
        discard([file.path for file in group])
        return again

    def _old(self, contents: Sequence[str]) -> tuple[pl.DataFrame, Counter[str]]:
        """The files that hold earlier rows of these contents, and how many; their other rows are written aside."""
        gone: Counter[str] = Counter()
        files = self._table.files()
        if files.is_empty():
            return files, gone
        wanted = pl.DataFrame({"low": contents, "high": [f"{content}~" for content in contents]})
        met = files.join_where(wanted, pl.col("min.batch") <= pl.col("high"), pl.col("max.batch") >= pl.col("low"))
        held = []
        for path in met["path"].unique(maintain_order=True):
            of_file = pl.read_parquet(self._table.path / path, columns=[columns.BATCH], hive_partitioning=False)
            here = of_file.select(content_of(pl.col(columns.BATCH)).alias("content")).filter(
                pl.col("content").is_in(contents)
            )
            if here.is_empty():
                continue
            held.append(path)
            gone.update(dict(here.group_by("content").len().iter_rows()))
            if here.height < of_file.height:
                stays = ~content_of(pl.col(columns.BATCH)).is_in(contents)
                rows = self._table.read(path).filter(stays)
                self._groups.append(self._table.stage(rows, Path(path).name[:24]))
        return files.filter(pl.col("path").is_in(held)), gone


def _first_received(table: Table, content: str) -> datetime | None:
    """When the first row of a content came into a table, None where it has none."""
    files = table.files()
    if not content or files.is_empty():
        return None
    held = files.filter((pl.col("min.batch") <= f"{content}~") & (pl.col("max.batch") >= content))
    if held.is_empty():
        return None
    rows = pl.scan_parquet([table.path / path for path in held["path"]], hive_partitioning=False)
    first = rows.filter(content_of(pl.col(columns.BATCH)) == content).select(pl.col(columns.RECEIVED).min())
    found: datetime | None = first.collect().item()
    return found


__all__ = ["Replaced", "Replacement"]
