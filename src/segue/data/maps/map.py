"""What an import map is: it recognises one well-known shape of data and turns what it holds into Segue's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from segue.data.read.files import Part
from segue.data.read.rows import Rows
from segue.data.settings import EventSource, ItemSource

Record = dict[str, Any]
Mapped = EventSource | ItemSource
REST = "*"  # as a column: all that no other column takes


class LeftOut(NamedTuple):
    """A record that is nothing that Segue keeps, such as a page view: counted in the report of ingestion, by reason."""

    reason: str


class Unfit(NamedTuple):
    """A record, or a part of one, that is not as the specification says: it goes to quarantine."""

    reason: str
    column: str | None = None


@dataclass(frozen=True)
class Glimpse:
    """What of a file a map is recognised by.

    name     of the file, or of the member of an archive
    text     its beginning, as UTF-8 as far as it is that
    records  the first objects of a JSON file, or rows of a Parquet file; none where it is neither
    """

    name: str
    text: str = ""
    records: list[Record] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The first whole lines that hold something."""
        lines = self.text.splitlines()
        whole = lines if self.text.endswith("\n") else lines[:-1] or lines
        return [line for line in whole if line.strip()]

    def share(self, *keys: str) -> float:
        """The share of the records that have all of these keys."""
        return sum(all(key in record for key in keys) for record in self.records) / max(len(self.records), 1)


class TableMap(Protocol):
    """One table of a map: events or items.

    source   what is so wherever the declaration does not say otherwise: columns, time format, types and their weights
    """

    @property
    def source(self) -> Mapped: ...

    def recognise(self, glimpse: Glimpse) -> str | None:
        """Why a file is surely of this shape, in words; None where it is not, or could be something else."""

    def wants(self, name: str) -> bool:
        """Whether the file of this name holds rows of this table; an archive may hold others."""

    def read(self, part: Part, source: Mapped) -> Iterator[Rows]:
        """The rows of one part, with the columns that `source` names. Whatever stands in it, each row is kept, broken
        with a reason, or counted as left out. Where a line may give several rows, each has its place."""


@dataclass(frozen=True)
class ImportMap:
    """A well-known shape of data: the name that the declaration calls it by, and where it is specified."""

    name: str
    specification: str
    events: TableMap | None = None
    items: TableMap | None = None
