"""What became of the rows of one file, or one member of an archive: counted on the way, and told at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.data.convert.events import Converted


@dataclass(frozen=True)
class Taken:
    """What became of consecutive rows of a part: `rows` were read, the last that could be is on `last_line` (or 0)."""

    converted: Converted
    rows: int
    last_line: int
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FileReport:
    """What became of one file, or one member of an archive.

    rows         how many it has; `kept` + all of `quarantined` + `duplicates` + all of `left_out`
    quarantined  how many rows went to quarantine, by reason
    duplicates   rows whose id the lake has already, or for a catalog: earlier rows of an id within the file
    skipped      the same content was read before with the same mapping: nothing changed
    returned     the content was read before, but the file had another since: its rows, all `kept`, are current again
    replaced     how many rows went that the same content was read as before, with another mapping
    left_out     how many records of an import map are no events of an item, such as page views, by reason
    note         what a person should know: an empty file, rows that were replaced
    """

    path: str
    batch: str
    rows: int = 0
    kept: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    skipped: bool = False
    note: str = ""
    replaced: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    returned: bool = False


@dataclass
class Tally:
    """Counts what becomes of the rows of one part: `read` and `last_line` as it is read, the rest when committed."""

    path: str
    batch: str
    read: int = 0
    last_line: int = 0
    kept: int = 0
    duplicates: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    skipped: bool = False
    replaced: int | None = None  # None where nothing was to be replaced
    left_out: Counter[str] = field(default_factory=Counter)
    unwanted: bool = False  # by the import map
    returned: bool = False

    def report(self) -> FileReport:
        """The counts as they are now."""
        return FileReport(
            self.path,
            self.batch,
            self._rows(),
            self.kept,
            dict(self.quarantined.most_common()),
            self.duplicates,
            self.skipped,
            self._note(),
            self.replaced or 0,
            dict(self.left_out.most_common()),
            self.returned,
        )

    def _rows(self) -> int:
        return self.kept + self.duplicates + self.quarantined.total() + self.left_out.total()

    def _note(self) -> str:
        if self.skipped:
            return "these rows are in the lake already; nothing changed"
        if self.returned:
            return "the file is as it was before; these rows are current again"
        if self.unwanted:
            return "the map reads no such file; it was left out"
        if self.replaced is not None:
            return f"replaced {self.replaced:,} rows that it was read as before"
        if not self._rows():
            return "the file holds no rows"
        if self.duplicates and not self.kept:
            return "all of these ids are in the lake already"
        return ""


__all__ = ["FileReport", "Taken", "Tally"]
