"""The upkeep of a lake: what is in it, small files merged, old rows and old files let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from segue.data.lake import tables
from segue.data.lake.compact import Kept, Merged, kept, merge
from segue.data.lake.lake import Lake
from segue.data.lake.lost import Lost, days_of, lost, mend
from segue.data.lake.rewrite import take_out
from segue.data.lake.tables import LOG, REWRITTEN, Table
from segue.data.settings import LakeSettings
from segue.domain import columns

RETAINED: Final = ("events", "decisions", "quarantine")


@dataclass(frozen=True)
class Status:
    """One table of the lake.

    rows, files, nbytes  of its current version
    small    files that a compaction would look at
    lost     files that its log names and the disk has no more
    version  how often it was committed to; `entries` of the log are there, `stale` files are needed by no version
    oldest, newest  the days of its rows (UTC), None where it has none
    """

    table: str
    rows: int
    files: int
    small: int
    nbytes: int
    version: int
    entries: int
    stale: int
    lost: int
    oldest: date | None
    newest: date | None

    def row(self) -> dict[str, Any]:
        """What a table of tables shows."""
        return {
            "table": self.table,
            "rows": self.rows,
            "files": self.files,
            "small": self.small,
            "megabytes": round(self.nbytes / 1e6, 2),
            "versions": self.version,
            "entries": self.entries,
            "stale": self.stale,
            "lost": self.lost,
            "oldest": None if self.oldest is None else self.oldest.isoformat(),
            "newest": None if self.newest is None else self.newest.isoformat(),
        }


@dataclass(frozen=True)
class Leaving:
    """What retention takes out of one table: rows from before the first day that stays."""

    table: str
    before: date
    rows: int
    files: int

    def row(self) -> dict[str, Any]:
        """What a table of them shows."""
        return {"table": self.table, "before": self.before.isoformat(), "rows": self.rows, "files": self.files}


class Upkeep:
    """What keeps a lake small and quick. Each step may be cut off anywhere: it is done or not, and can be done again.

    >>> import tempfile; from pathlib import Path
    >>> lake = Lake(Path(tempfile.mkdtemp()) / "lake")
    >>> rows = pl.DataFrame({"id": ["a"], "user": ["ann"], "item": ["x"], "type": ["view"]})
    >>> for number in range(3):
    ...     _ = lake.append_events(rows.with_columns(id=pl.lit(f"e{number}")), f"batch {number}")
    >>> Upkeep(lake).compact()["events"]
    Merged(before=3, after=1, duplicates=0)
    """

    def __init__(self, lake: Lake, settings: LakeSettings | None = None) -> None:
        self._lake = lake
        self._settings = settings or LakeSettings()

    def status(self) -> list[Status]:
        """Every table that there is; nothing is changed."""
        opened = [_status(table, self._settings.keep_files_days * 24) for table in self._lake.tables.values()]
        return [status for status in opened if status is not None]

    def lost(self) -> list[Lost]:
        """What each table has lost of its files, where it has; nothing is changed."""
        return [found for found in map(lost, self._lake.tables.values()) if found is not None]

    def mend(self) -> list[Lost]:
        """Have the lake go on without the files that it lost: the next ingest reads again what brought their rows."""
        return mend(self._lake)

    def compact(self) -> dict[str, Merged]:
        """Merge the small files of every table, by day where it has days; by table, what was merged."""
        with self._lake.writer():
            merged = {name: merge(table, least=2) for name, table in self._lake.tables.items()}
            for name in merged:
                files = self._lake.tables[name].files()
                self._lake.tables[name].ids.drop(set(files["path"]) if files.height else set())
        return {name: made for name, made in merged.items() if made.before}

    def kept(self) -> list[Kept]:
        """After a compaction: the tables that still have several files, and why."""
        return [found for found in map(kept, self._lake.tables.values()) if found is not None]

    def leaving(self, now: datetime | None = None) -> list[Leaving]:
        """What `retain` would take out at this moment; nothing is changed."""
        limits = self._limits(now or datetime.now(UTC))
        found = [_leaving(self._lake.tables[name], before) for name, before in limits.items()]
        return [each for each in found if each.rows]

    def retain(self, now: datetime | None = None) -> list[Leaving]:
        """Take out what is older than [lake] keeps: whole days, by the day that an event or a decision is of, by the
        day on which it came for quarantine.

        What went does not come back: its batches are known as before. The files go when they expire.
        """
        now = now or datetime.now(UTC)
        with self._lake.writer():
            leaving = self.leaving(now)
            for each in leaving:
                table = self._lake.tables[each.table]
                if table.layout.by_day:
                    _drop_days(table, each.before)
                else:
                    first = datetime(each.before.year, each.before.month, each.before.day, tzinfo=UTC)
                    take_out(table, pl.col(columns.RECEIVED) < first)
        return leaving

    def stale(self, keep: timedelta | None = None) -> dict[str, list[str]]:
        """By table, the files and log entries that `vacuum` would delete; nothing is changed."""
        hours = self._hours(keep)
        found = {name: table.stale(hours) for name, table in self._lake.tables.items()}
        return {name: files for name, files in found.items() if files}

    def vacuum(self, keep: timedelta | None = None) -> dict[str, list[str]]:
        """Delete files that no version of the last days ([lake] keep_files_days) needs, and the log from before a
        checkpoint of that age; by table, what went. With `keep` zero, all that the current version does not need.
        """
        hours = self._hours(keep)
        with self._lake.writer():
            gone = {name: table.expire(hours) for name, table in self._lake.tables.items()}
        return {name: files for name, files in gone.items() if files}

    def _hours(self, keep: timedelta | None) -> float:
        return self._settings.keep_files_days * 24 if keep is None else keep / timedelta(hours=1)

    def _limits(self, now: datetime) -> Mapping[str, date]:
        """By table, the first day that stays."""
        today = now.astimezone(UTC).date()
        days = {name: getattr(self._settings, f"keep_{name}_days") for name in RETAINED}
        return {name: today - timedelta(days=kept) for name, kept in days.items() if kept is not None}


def _status(table: Table, keep_hours: float) -> Status | None:
    opened = table.current()
    if opened is None:
        return None
    files, gone = table.files(), lost(table)
    oldest, newest = days_of(files, table.layout)
    return Status(
        table=table.layout.name,
        rows=int(files["num_records"].sum()) if files.height else 0,
        files=files.height,
        small=int((files["size_bytes"] < tables.SMALL_BYTES).sum()) if files.height else 0,
        nbytes=int(files["size_bytes"].sum()) if files.height else 0,
        version=opened.version(),
        entries=len(list((table.path / LOG).glob("[0-9]*.json"))),
        stale=sum(not name.startswith(LOG) for name in table.stale(keep_hours)),
        lost=0 if gone is None else len(gone.files),
        oldest=oldest,
        newest=newest,
    )


def _leaving(table: Table, before: date) -> Leaving:
    files = table.files()
    if files.is_empty():
        return Leaving(table.layout.name, before, 0, 0)
    if table.layout.by_day:
        old = files.filter(pl.col("partition.day").cast(pl.Date) < before)
        return Leaving(table.layout.name, before, int(old["num_records"].sum()), old.height)
    old = files.filter(pl.col("min.received").dt.date() < before)
    paths = [table.path / path for path in old["path"]]
    rows = pl.scan_parquet(paths, hive_partitioning=False).filter(pl.col(columns.RECEIVED).dt.date() < before)
    count = int(rows.select(pl.len()).collect().item()) if paths else 0
    return Leaving(table.layout.name, before, count, old.height)


def _drop_days(table: Table, before: date) -> None:
    """Take out whole files: a file is of one day."""
    files = table.files().filter(pl.col("partition.day").cast(pl.Date) < before)
    table.commit([], {REWRITTEN: (table.committed(REWRITTEN) or 0) + 1}, tables.removals(files))


__all__ = ["Leaving", "Merged", "Status", "Upkeep"]
