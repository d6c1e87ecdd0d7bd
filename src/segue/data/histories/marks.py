"""How far an index of histories goes in what files brought, told so that a compaction changes nothing of it."""

from __future__ import annotations

from typing import NamedTuple

from segue.data.journal.journal import microseconds
from segue.data.lake.compact import JOURNAL
from segue.data.lake.snapshot import DataFile, Snapshot
from segue.data.lake.tables import REWRITTEN


class Mark(NamedTuple):
    """The rows of the files, the moment at which the last of them was received (microseconds since 1970), and how often
    rows that were there had been changed or taken out."""

    rows: int
    until: int
    rewritten: int


def foreign_mark(snapshot: Snapshot) -> Mark:
    """How far the lake goes in what did not come from a journal."""
    files = _foreign(snapshot)
    until = max((microseconds(file.last) for file in files if file.last is not None), default=0)
    return Mark(sum(file.rows for file in files), until, snapshot.transaction(REWRITTEN))


def files_since(mark: Mark, snapshot: Snapshot) -> list[DataFile] | None:
    """The files that came after a mark; None where the lake does not part there, for what was before has changed."""
    files = _foreign(snapshot)
    before = [file for file in files if file.last is not None and microseconds(file.last) <= mark.until]
    after = [file for file in files if file.first is not None and microseconds(file.first) > mark.until]
    same = snapshot.transaction(REWRITTEN) == mark.rewritten and sum(file.rows for file in before) == mark.rows
    return after if same and len(before) + len(after) == len(files) else None


def _foreign(snapshot: Snapshot) -> list[DataFile]:
    """The files that hold anything but what was drained from a journal."""
    return [file for file in snapshot.files if not (file.batch or "").startswith(JOURNAL)]


__all__ = ["Mark", "files_since", "foreign_mark"]
