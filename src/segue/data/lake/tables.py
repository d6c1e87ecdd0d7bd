"""The Delta tables of the lake: their columns, and appending to one of them so that what is committed is on disk."""

from __future__ import annotations

import json
import logging
import math
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import deltalake
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, PostCommitHookProperties, RemoveAction

from segue.data.lake.files import checkpoint_of, discard, mended, mended_checkpoint, refused_write, sync
from segue.data.lake.ids import IdIndex
from segue.data.lake.pieces import Layout, Piece, pieces
from segue.data.lake.transactions import Transactions
from segue.domain import columns
from segue.domain.errors import ReadError

CHECKPOINT_EVERY = 50  # commits; a checkpoint only saves time when the table is opened
SMALL_BYTES = 8 << 20  # a file of a drain that is smaller is merged with others of its day,
SMALL_FILES = 64  # once there are so many,
MERGED_BYTES = 32 << 20  # into files of about this size
LOG = "_delta_log"
KEPT_HOURS = 24 * 7  # that a file which was merged stays on disk
REWRITTEN = "rewritten"  # under this, a table counts how often rows that it had were changed or taken out
WRITERS = 8  # threads that write and sync files: they wait for the disk, not for a core

_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_log = logging.getLogger("segue.lake")


class Table:
    """One Delta table in a folder of the lake. It comes into being with its first commit.

    Who calls `append` holds the lake's writer lease. Reading needs no lease.
    """

    def __init__(self, root: Path, layout: Layout) -> None:
        self.layout = layout
        self.path = root / layout.name
        self.ids = IdIndex(root / ".ids" / layout.name)
        self._writing: DeltaTable | None = None
        self._alone = False  # the lease is held,
        self._seen = False  # and the handle was brought up to date since
        self._checked = ""  # the checkpoint that was read whole
        self._transactions = Transactions(self.path / LOG)

    def open(self, version: int | None = None) -> DeltaTable | None:
        """The table as it is now, or as it was at `version`; None where nothing was ever written to it."""
        if not (self.path / "_delta_log").is_dir():
            return None
        try:
            return DeltaTable(self.path, version=version)
        except deltalake.exceptions.TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise ReadError(
                f"the table cannot be opened: {str(error).splitlines()[0]}",
                where=str(self.path),
                mend="what a crash cut off is mended by the next writer (`segue lake compact`); else restore a backup",
            ) from error

    def scan(self, version: DeltaTable | None) -> pl.LazyFrame:
        """The rows of an opened table, in no promised order."""
        return self.layout.empty.lazy() if version is None else pl.scan_delta(version)

    def current(self) -> DeltaTable | None:
        """The writer's own handle, brought up to date; while the lease is held nobody else changes the table."""
        if self._writing is None:
            self._writing = self.open()
        elif not (self._alone and self._seen):
            try:
                self._writing.update_incremental()
            except (DeltaError, OSError):  # `open` says in words what is wrong
                self._writing = self.open()
        self._seen = True
        return self._writing

    def committed(self, app: str) -> int | None:
        """The last version that was committed under an application's id, or None."""
        table = self.current()
        if table is None:
            return None
        try:
            return self._transactions.of(app, table.version())
        except (OSError, ValueError):  # of a log that another program wrote otherwise
            return table.transaction_version(app)

    def append(self, frame: pl.DataFrame | Sequence[Piece], transactions: Mapping[str, int]) -> list[Staged]:
        """Commit the rows (possibly none) and, by application id, versions; returns their files when all is on disk.

        The data files are synced before the log names them, the log entry and the folders before this returns.
        Either all rows are in the table afterwards or, where an error is raised, none.
        """
        staged = self.stage(frame, next(iter(transactions)))
        self.commit(staged, transactions)
        return staged

    def stage(self, frame: pl.DataFrame | Sequence[Piece], name: str) -> list[Staged]:
        """Write rows into files, synced, that are in the table once they are committed. `name` begins their names."""
        _ = self.current() or self._created()
        return self._write(pieces(frame, self.layout) if isinstance(frame, pl.DataFrame) else frame, name)

    def commit(
        self, staged: Sequence[Staged], transactions: Mapping[str, int], removed: Sequence[RemoveAction] = ()
    ) -> None:
        """Bring staged files in and take others out, in one step; files that could not come in are deleted."""
        table = self.current() or self._created()
        properties = CommitProperties(app_transactions=[Transaction(*entry) for entry in transactions.items()])
        try:
            table.create_write_transaction(
                [*(file.action for file in staged), *removed],
                "append",
                self.layout.schema,
                [columns.DAY] if self.layout.by_day else None,
                commit_properties=properties,
                post_commithook_properties=_NO_HOOKS,
            )
        except Exception as error:  # whatever was raised, the files must be taken back or kept as the log says
            landed = self._landed(*next(iter(transactions.items())))
            if landed is False:
                discard([file.path for file in staged])
            if not landed:
                raise refused_write(error, self.path) from error
        table.update_incremental()
        self._sync_log(table.version())
        if table.version() % CHECKPOINT_EVERY == 0:
            self._checkpoint(table)

    def files(self) -> pl.DataFrame:
        """The files of the table and their statistics, as Delta's flattened add actions."""
        table = self.current()
        return pl.DataFrame() if table is None else pl.DataFrame(table.get_add_actions(flatten=True))

    def read(self, path: str) -> pl.DataFrame:
        """The rows of one file, as the log names it, with the day that its folder says."""
        rows = pl.read_parquet(self.path / path, hive_partitioning=False)
        if not self.layout.by_day:
            return rows
        day = path.split("/", maxsplit=1)[0].removeprefix(f"{columns.DAY}=")
        return rows.with_columns(pl.lit(day).str.to_date().alias(columns.DAY))

    def expire(self, keep_hours: float) -> list[str]:
        """Delete files that no version of the last hours needs, and entries of the log that an older checkpoint has.

        Names of what went, relative to the table. The log of a table that is read from a checkpoint says the same
        without the entries before it.
        """
        table = self.current()
        if table is None:
            return []
        stale = self.stale(keep_hours)
        gone = [name for name in stale if not name.startswith(LOG)]
        if self._checkpointed(table.version(), keep_hours):
            stale = self.stale(keep_hours)
        for name in [*gone, *(name for name in stale if name.startswith(LOG))]:
            (self.path / name).unlink(missing_ok=True)
        folders = {(self.path / name).parent for name in stale}
        for folder in folders:
            if folder not in (self.path, self.path / LOG) and not any(folder.iterdir()):
                folder.rmdir()
        sync([*(folder for folder in folders if folder.is_dir()), self.path])
        return stale

    def stale(self, keep_hours: float) -> list[str]:
        """What `expire` would delete, as far as it can be told before; nothing is changed."""
        table = self.current()
        if table is None:
            return []
        unneeded = table.vacuum(math.ceil(keep_hours), dry_run=True, enforce_retention_duration=False, full=True)
        files = [name for name in unneeded if not name.startswith(LOG) and (self.path / name).is_file()]
        before = time.time() - keep_hours * 3600
        log = self.path / LOG
        old = [path for path in log.iterdir() if path.stat().st_mtime <= before]
        covered = max((path.name for path in old if path.name.endswith(".checkpoint.parquet")), default="")
        entries = [path for path in old if path.name[0].isdigit() and path.name[:20] < covered[:20]]
        torn = [path for path in old if path.name.endswith(".torn")]
        return sorted([*files, *{f"{LOG}/{path.name}" for path in [*entries, *torn]}])

    def _checkpointed(self, version: int, keep_hours: float) -> bool:
        """Write a checkpoint, where nothing is to be kept or many entries came since the last; whether one is new."""
        last = checkpoint_of(self.path / LOG)
        since = version - (int(last.name[:20]) if last else 0)
        if since == 0 or (keep_hours > 0 and since < CHECKPOINT_EVERY):
            return False
        assert self._writing is not None
        self._checkpoint(self._writing)
        return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """The table while the caller holds the lake's lease: mended, and looked at anew once."""
        self._mend()
        self._alone, self._seen = True, False
        try:
            yield
        finally:
            self._alone = False

    def _mend(self) -> None:
        """Set aside what a power cut left cut off: a last log entry, whose commit was never acknowledged, and a
        checkpoint, which says nothing that the entries do not say."""
        log = self.path / "_delta_log"
        if (aside := mended(log)) is not None:
            _log.warning("%s: the last commit was cut off by a crash; set aside as %s", self.path, aside.name)
            self._writing = None
            self._transactions.forget()
        checkpoint = checkpoint_of(log)
        if checkpoint is not None and checkpoint.name == self._checked and (log / "_last_checkpoint").exists():
            return
        if (aside := mended_checkpoint(log)) is not None:
            _log.warning("%s: a checkpoint was cut off by a crash; set aside as %s", self.path, aside.name)
            self._writing = None
        self._checked = checkpoint.name if checkpoint is not None else ""

    def _created(self) -> DeltaTable:
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            table = DeltaTable.create(
                self.path,
                self.layout.schema,
                mode="ignore",
                partition_by=[columns.DAY] if self.layout.by_day else None,
                configuration={"delta.dataSkippingStatsColumns": ",".join(self.layout.statistics)},
            )
        except (DeltaError, OSError) as error:
            raise refused_write(error, self.path) from error
        self._sync_log(0)
        sync([self.path, self.path.parent, self.path.parent.parent])
        self._writing = table
        return table

    def _write(self, parts: Sequence[Piece], app: str) -> list[Staged]:
        prefix = "".join(letter if letter.isalnum() else "-" for letter in app[:24])
        jobs = [(piece, f"{prefix}-{number:05d}-{uuid.uuid4().hex[:12]}.parquet") for number, piece in enumerate(parts)]
        folders = {self.path / _folder(piece.day) for piece, _ in jobs}
        paths = [self.path / _folder(piece.day) / name for piece, name in jobs]
        try:
            for folder in folders:
                folder.mkdir(exist_ok=True)
            with ThreadPoolExecutor(WRITERS) as pool:
                written = list(pool.map(lambda job: self._write_file(*job), jobs))
            sync([*folders, self.path])
        except Exception as error:  # of polars, Arrow or the system: no file of this batch is left either way
            discard(paths)
            raise refused_write(error, self.path) from error
        return written

    def _write_file(self, piece: Piece, name: str) -> Staged:
        day, path = piece.day, self.path / _folder(piece.day) / name
        with path.open("wb") as file:
            with pq.ParquetWriter(
                file,
                piece.schema,
                compression="zstd",
                write_statistics=list(self.layout.statistics),
                **_encoded(piece.schema, self.layout.encodings),
            ) as writer:
                for group in piece.groups():
                    writer.write_table(group)
            file.flush()
            os.fsync(file.fileno())
        action = AddAction(
            path=f"{_folder(day)}/{name}" if day else name,
            size=path.stat().st_size,
            partition_values={columns.DAY: day.isoformat()} if day else {},
            modification_time=int(time.time() * 1000),
            data_change=True,
            stats=json.dumps(piece.statistics(), ensure_ascii=False),  # escaped pairs are misread
        )
        return Staged(path, action)

    def _landed(self, app: str, version: int) -> bool | None:
        """Whether a commit that raised is in the table all the same; None where that cannot be told."""
        self._writing = None
        self._transactions.forget()
        try:
            found = self.committed(app)
        except ReadError:
            return None
        return found is not None and found >= version

    def _sync_log(self, version: int) -> None:
        log = self.path / "_delta_log"
        sync([log / f"{version:020d}.json", log])

    def _checkpoint(self, table: DeltaTable) -> None:
        log = self.path / "_delta_log"
        try:
            table.create_checkpoint()
            sync([*log.glob(f"{table.version():020d}.checkpoint*"), log / "_last_checkpoint", log])
        except (DeltaError, OSError) as error:  # the table is whole without it
            _log.warning("%s: no checkpoint could be written: %s", self.path, error)


@dataclass(frozen=True)
class Staged:
    """One Parquet file, written and synced, and the action that would bring it in."""

    path: Path
    action: AddAction


def removals(files: pl.DataFrame, *, data_change: bool = True) -> list[RemoveAction]:
    """What takes files (flattened add actions) out of a table; `data_change` is false where their rows stay."""
    now = int(time.time() * 1000)
    days = files["partition.day"].to_list() if "partition.day" in files.columns else [None] * files.height
    return [
        RemoveAction(
            path,
            data_change=data_change,
            deletion_timestamp=now,
            size=size,
            partition_values={columns.DAY: day.isoformat()} if day else {},
        )
        for path, size, day in zip(files["path"], files["size_bytes"], days, strict=True)
    ]


def _folder(day: date | None) -> str:
    return f"{columns.DAY}={day.isoformat()}" if day else ""


def _encoded(schema: pa.Schema, encodings: Mapping[str, str]) -> dict[str, Any]:
    """How columns are written, where a table says so of one: the others by dictionary, and no Arrow schema beside that
    of Parquet, so that a text is a text however it came."""
    if not encodings:
        return {}
    others = [name for name in schema.names if name not in encodings]
    return {"use_dictionary": others, "column_encoding": dict(encodings), "store_schema": False}
