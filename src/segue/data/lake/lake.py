"""The lake: Delta tables of events, decisions, catalog, people and quarantine, appended to by one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Literal

import polars as pl

from segue.data.lake import layouts, tables
from segue.data.lake.codes import Codes
from segue.data.lake.compact import merge
from segue.data.lake.files import sync
from segue.data.lake.lease import lease
from segue.data.lake.lines import id_of, is_by_line, line_pieces, spelled
from segue.data.lake.refusals import exchange
from segue.data.lake.replace import Replacement
from segue.data.lake.returns import bring_back, came_back, is_last, last_contents, note
from segue.data.lake.rows import (
    BATCH_DIGITS,
    WAYS,
    Trusted,
    as_laid_out,
    by_line,
    decision_rows,
    file_batch,
    person_keys,
    unknown_rows,
    untrusted,
    with_day,
    without_steps,
)
from segue.data.lake.snapshot import Snapshot
from segue.data.lake.tables import Table
from segue.domain import columns
from segue.domain.decisions import Decision
from segue.domain.errors import DataError

Taken = Literal["events", "items", "users", "quarantine"]
Read = Literal["events", "items", "users"]

BATCH_VERSION = 1  # what a batch of a file commits under its id; a drain counts up instead


@dataclass(frozen=True)
class Appended:
    """How many rows came into a table, and how many were left out because their id was there already."""

    rows: int
    duplicates: int


class Lake:
    """The tables in one folder. Every append is one commit under the batch's id: the same batch twice changes nothing.

    Appends take the writer lease for themselves; `writer()` holds it over several of them.

    >>> import tempfile
    >>> lake = Lake(Path(tempfile.mkdtemp()) / "lake")
    >>> frame = pl.DataFrame({"id": ["a", "b"], "user": ["ann", "bob"], "item": ["x", "x"], "type": ["view", "view"]})
    >>> lake.append_events(frame, "first")
    Appended(rows=2, duplicates=0)
    >>> lake.append_events(frame, "second")
    Appended(rows=0, duplicates=2)
    >>> lake.snapshot().events().select("user", "item").sort("user").collect().rows()
    [('ann', 'x'), ('bob', 'x')]
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.tables = {layout.name: Table(self.root, layout) for layout in layouts.TABLES}
        self.items_coded = Codes(self.tables["item_ids"])
        self.people_coded = Codes(self.tables["person_ids"])
        self._lock = threading.RLock()
        self._held = 0

    @contextmanager
    def writer(self, wait_s: float = 0.0) -> Iterator[Lake]:
        """Be the one writer while the block runs; `BusyError` if another process is still it after `wait_s` seconds."""
        with self._lock:
            if self._held:
                self._held += 1
                try:
                    yield self
                finally:
                    self._held -= 1
                return
            with lease(self.root / ".writer", "writing to the lake", wait_s), ExitStack() as stack:
                for table in self.tables.values():
                    stack.enter_context(table.held())
                self._held = 1
                try:
                    yield self
                finally:
                    self._held = 0

    def has_batch(self, batch: str) -> bool:
        """Whether the rows of this batch are in: events, items or users, which come after its quarantine.

        A batch of a file is not any more where the same content was read with another mapping since.
        """
        names = ("events", "items", "users")
        with self._lock:
            return any(self._stands(self.tables[name], batch) for name in names)

    def has_other_mapping(self, name: Read, batch: str) -> bool:
        """Whether a table has the content of this batch of a file as another mapping reads it."""
        with self._lock:
            found = file_batch(batch)
            return found is not None and self.tables[name].committed(found[0]) not in (None, found[1])

    def returns(self, name: Read, batch: str, path: str) -> bool:
        """Whether a file of the catalog goes back to the content of a batch, having had another since."""
        with self._lock:
            table = self.tables[name]
            replaced = self.has_other_mapping(name, batch) and came_back(table, batch)  # what came back goes
            return name != "events" and (replaced or not is_last(table, path, batch))

    def note(self, name: Read, copies: Mapping[str, str]) -> None:
        """Keep in mind which batch's content each of these files has, though it came with another file."""
        with self.writer():
            note(self.tables[name], copies)

    def bring_back(self, name: Read, batch: str, path: str, now: datetime) -> int:
        """Make the rows of a batch that is in the current ones again, as of now; how many there are."""
        with self.writer():
            return bring_back(self.tables[name], path, batch, now)

    def replacement(self, name: Read) -> Replacement:
        """Batches to come into a table at once, in place of what their contents were read as before."""

        def place(batches: Mapping[str, pl.DataFrame], before: int) -> pl.DataFrame:
            if name == "events":
                return self._coded_events(self._laid_events(batches))
            return self._laid(name, batches, before)

        return Replacement(self.tables[name], self.tables["quarantine"], place)

    def append_events(self, frame: pl.DataFrame, batch: str) -> Appended:
        """Events with string ids, columns as in `domain.columns`; missing columns are null, `received` is now.

        Events whose id the lake has already are left out and counted. Times are timestamps, `context` is JSON text.
        """
        return self.take("events", {batch: frame})[batch]

    def commit_events(
        self, frame: pl.DataFrame, batch: str, app: str, version: int, trusted: Trusted | None = None
    ) -> Appended:
        """As `append_events`, committed under `app` -> `version` unless that or a later version is in.

        `trusted` says which earlier rows are known to hold none of these ids, so that they are not looked at.
        """
        with self.writer():
            if (self.tables["events"].committed(app) or 0) >= version:
                return Appended(0, frame.height)
            return self._events({batch: frame}, {app: version}, trusted)[batch]

    def take(
        self, name: Taken, batches: Mapping[str, pl.DataFrame], paths: Mapping[str, str] | None = None
    ) -> dict[str, Appended]:
        """Several batches in one commit: all of them are in afterwards or none, each known by its own name.

        The frames are as the method for one batch takes them; a batch that is in already is left out. `paths` says of
        batches whose content they end what file has it, so that it is known which content that had last.
        """
        with self.writer():
            table = self.tables[name]
            new = {batch: frame for batch, frame in batches.items() if not self._stands(table, batch)}
            known = {batch: Appended(0, batches[batch].height) for batch in batches.keys() - new.keys()}
            if not new:
                return known
            transactions = dict.fromkeys(new, BATCH_VERSION)
            if name != "quarantine":
                transactions |= dict(found for found in map(file_batch, new) if found is not None)
            if name in ("items", "users") and paths:
                transactions |= last_contents({batch: path for batch, path in paths.items() if batch in new})
            if name == "events":
                return known | self._events(new, transactions)
            table.append(self._laid(name, new, 0), transactions)
            return known | {batch: Appended(frame.height, 0) for batch, frame in new.items()}

    def append_decisions(self, decisions: Sequence[Decision], batch: str) -> Appended:
        """Decisions, whole. Those whose id the lake has already are left out and counted."""
        return self.commit_decisions(decisions, batch, batch, BATCH_VERSION)

    def commit_decisions(
        self, decisions: Sequence[Decision], batch: str, app: str, version: int, trusted: Trusted | None = None
    ) -> Appended:
        """As `append_decisions`, committed under `app` -> `version` unless that or a later version is in."""
        with self.writer():
            table = self.tables["decisions"]
            if (table.committed(app) or 0) >= version:
                return Appended(0, len(decisions))
            rows = as_laid_out(with_day(decision_rows(decisions, batch)), table.layout, layouts.PEOPLE_AND_ITEM)
            rows = _unknown(table, _first_of_each(rows), trusted)
            table.append(self._coded(rows), {app: version})
            return Appended(rows.height, len(decisions) - rows.height)

    def put_items(self, frame: pl.DataFrame, batch: str) -> Appended:
        """A catalog, or a part of it; the latest row of an id is current. `attributes` is JSON text."""
        return self.take("items", {batch: frame})[batch]

    def put_users(self, frame: pl.DataFrame, batch: str) -> Appended:
        """People's attributes by user `id`; the latest row of an id is current. `attributes` is JSON text."""
        return self.take("users", {batch: frame})[batch]

    def quarantine(self, frame: pl.DataFrame, batch: str) -> Appended:
        """Rows that could not be taken, with the file, the line and the reason."""
        return self.take("quarantine", {batch: frame})[batch]

    def quarantine_anew(self, batches: Mapping[str, pl.DataFrame]) -> None:
        """Rows of batches whose content is read again, however often they came before and were let go since."""
        with self.writer():
            table = self.tables["quarantine"]
            if batches:
                again = {batch: (table.committed(batch) or 0) + 1 for batch in batches}
                table.append(self._laid("quarantine", batches, 0), again)

    def forget_refusals(self, batch: str) -> int:
        """Let go of what was refused of a file's batch when it was read so before; how many rows.

        Call it where its content stands in the lake with another mapping: no snapshot has these rows then.
        """
        with self.writer():
            return exchange(self.tables["quarantine"], batch, pl.lit(value=True), pl.DataFrame.clear)

    def compact(self, name: Literal["events", "decisions"], journal: str) -> int:
        """Merge the many small files that drains of a journal left; how many files went.

        Files that were merged stay on disk a week, for who still reads them.
        """
        with self.writer():
            table = self.tables[name]
            gone = merge(table, tables.SMALL_FILES, journal).before
            if gone:
                table.expire(tables.KEPT_HOURS)
                table.ids.drop(set(table.files()["path"]))
            return gone

    def drained(self, name: Literal["events", "decisions"], journal: str) -> int:
        """The last place of a journal that a table has; 0 where it has none."""
        with self._lock:
            return self.tables[name].committed(journal) or 0

    def sync(self) -> None:
        """Nothing is left to sync after an append; this makes the lake's own folder durable."""
        if self.root.is_dir():
            sync([self.root, self.root.parent])

    def snapshot(self, as_of: datetime | None = None) -> Snapshot:
        """The lake as it is now, or what it knew at a moment: rows that were received by then."""
        if as_of is not None and as_of.tzinfo is None:
            raise DataError("as_of has no time zone", where=str(as_of), mend="give one, such as 2026-01-31T00:00:00Z")
        return Snapshot(self.tables, as_of)

    def _events(
        self, batches: Mapping[str, pl.DataFrame], transactions: Mapping[str, int], trusted: Trusted | None = None
    ) -> dict[str, Appended]:
        """Commit what is new of the events of these batches; an id that several have is of the first."""
        table = self.tables["events"]
        if (lines := _alone_by_line(batches, trusted)) is not None and _holds_no_line(table, *lines):
            return self._lines(*lines, transactions)
        coded = self._coded_events(_unknown(table, self._laid_events(batches), trusted))
        staged = table.append(coded, transactions)
        if coded.height and by_line(coded) is not None:
            table.ids.told([file.action.path for file in staged], coded[columns.ID].head(1))
        kept = dict(coded.group_by(columns.BATCH).len().iter_rows())
        return {
            batch: Appended(kept.get(batch, 0), frame.height - kept.get(batch, 0)) for batch, frame in batches.items()
        }

    def _lines(self, batch: str, events: pl.DataFrame, transactions: Mapping[str, int]) -> dict[str, Appended]:
        """Commit the events of one batch by line, all of them new."""
        table = self.tables["events"]
        staged = table.append(line_pieces(events, batch, table.layout), transactions)
        if staged:
            table.ids.told([file.action.path for file in staged], pl.Series([id_of(0, batch)]))
        return {batch: Appended(events.height, 0)}

    def _stands(self, table: Table, batch: str) -> bool:
        """Whether a batch was committed to a table, and its content was not read with another mapping since."""
        if table.committed(batch) is None:
            return False
        found = file_batch(batch)
        return found is None or table.committed(found[0]) in (None, found[1])

    def _laid_events(self, batches: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """The events of these batches, coded where they came so; an id that several have is of the first."""
        layout = self.tables["events"].layout
        text = () if any(map(layouts.is_coded, batches.values())) else layouts.PEOPLE_AND_ITEM
        named = (
            spelled(_of(frame, batch), batch).rename(layouts.OF_CODES, strict=False) for batch, frame in batches.items()
        )
        return _first_of_each(pl.concat(as_laid_out(with_day(frame), layout, text) for frame in _alike(named)))

    def _coded_events(self, rows: pl.DataFrame) -> pl.DataFrame:
        if rows.schema[columns.ITEM] == pl.Int32:
            return rows
        return self._coded(rows).with_columns(self.items_coded.encode(rows[columns.ITEM]))

    def _laid(self, name: Taken, batches: Mapping[str, pl.DataFrame], before: int) -> pl.DataFrame:
        """The rows of these batches, as any table but those of events and decisions has them."""
        frames = batches if name == "quarantine" else self._numbered(name, batches, before)
        layout = self.tables[name].layout
        return pl.concat(as_laid_out(_of(frame, batch), layout) for batch, frame in frames.items())

    def _numbered(self, name: Taken, batches: Mapping[str, pl.DataFrame], before: int) -> dict[str, pl.DataFrame]:
        """The frames of a catalog with the order of their rows behind those of the table and `before` more; users by
        their codes."""
        files = self.tables[name].files()
        first = before + (int(files.select(pl.col("max.order").max()).item()) + 1 if files.height else 0)
        numbered = {}
        for batch, frame in batches.items():
            order = pl.int_range(first, first + frame.height, dtype=pl.Int64).alias(columns.ORDER)
            if name == "items":  # what nobody did anything with yet has a place in every model's vocabulary as well
                self.items_coded.encode(frame[columns.ID].cast(pl.String))
            coded = self._by_code(frame) if name == "users" else frame
            numbered[batch] = coded if columns.ORDER in coded.columns else coded.with_columns(order)
            first += frame.height
        return numbered

    def _by_code(self, users: pl.DataFrame) -> pl.DataFrame:
        keys = person_keys(users[columns.ID].cast(pl.String), "u")
        return users.drop(columns.ID).with_columns(self.people_coded.encode(keys).alias(columns.USER))

    def _coded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with codes in place of people's ids, given out for users and visitors at once."""
        keys = [person_keys(rows[columns.USER], "u"), person_keys(rows[columns.VISITOR], "v")]
        named = [column for column in keys if column.null_count() < len(column)]
        coded = {column.name: pl.lit(None, pl.Int32).alias(column.name) for column in keys}
        if named:
            codes = self.people_coded.encode(pl.concat(named))
            for place, column in enumerate(named):
                coded[column.name] = pl.lit(codes.slice(place * len(column), len(column)).alias(column.name))
        return rows.with_columns(coded.values())


def _unknown(table: Table, rows: pl.DataFrame, trusted: Trusted | None) -> pl.DataFrame:
    """The rows whose id the table does not have; who writes asks, so that the index of ids learns on the way."""
    if rows.is_empty():
        return rows
    files, batch = table.files(), by_line(rows) if columns.BATCH in rows.columns else None
    if batch is not None and _read_in_one_way(table, batch):
        files = without_steps(files, batch.split(".")[0])  # each line of a file is in one of its steps
    suspects = table.ids.files_with(rows[columns.ID], table.path, untrusted(files, trusted))
    return unknown_rows(rows, [table.path / file for file in suspects])


def _alone_by_line(batches: Mapping[str, pl.DataFrame], trusted: Trusted | None) -> tuple[str, pl.DataFrame] | None:
    """The one batch that there is, where its events come by line: no other row that comes with it may have its ids."""
    batch, events = next(iter(batches.items()))
    alone = len(batches) == 1 and trusted is None and len(batch) >= BATCH_DIGITS
    return (batch, events) if alone and is_by_line(events) else None


def _holds_no_line(table: Table, batch: str, events: pl.DataFrame) -> bool:
    """Whether a table surely has none of these events; where it may, their ids are looked for one by one."""
    timed = columns.TIME not in events.columns or not events[columns.TIME].null_count()
    files = table.files()
    if _read_in_one_way(table, batch):
        files = without_steps(files, batch.split(".", maxsplit=1)[0])
    paths = files["path"].to_list() if files.height else []
    beginning = pl.Series([id_of(0, batch)])
    return timed and not table.ids.files_with(beginning, table.path, paths) and not table.ids.runs


def _read_in_one_way(table: Table, batch: str) -> bool:
    """Whether a batch is a step of a file of which no step was read in another way: they would end at other lines.

    What comes back from quarantine is no step: a line of it may have come back before.
    """
    content, _, step = batch.partition(".")
    own = step.rstrip("0123456789")
    begun = {way for way in WAYS if table.committed(f"{content}.{way}0") is not None}
    return bool(step) and own in WAYS and begun <= {own}


def _first_of_each(rows: pl.DataFrame) -> pl.DataFrame:
    ids = rows[columns.ID]
    if (ids > ids.shift(1)).all():  # as ids by line are
        return rows
    first = ids.is_first_distinct()
    return rows if first.all() else rows.filter(first)


def _alike(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in the same order; frames of the same columns that follow one another as one."""
    for _, alike in groupby(frames, key=lambda frame: frame.schema):
        yield pl.concat(alike)


def _of(frame: pl.DataFrame, batch: str) -> pl.DataFrame:
    return frame.with_columns(pl.lit(batch).alias(columns.BATCH))


__all__ = ["Appended", "Lake", "Snapshot"]
