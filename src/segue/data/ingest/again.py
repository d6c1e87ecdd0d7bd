"""Which files are to be read again, because rows that they brought were lost with a file of the lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from segue.data.lake.lake import Lake
from segue.data.lake.lost import is_unread
from segue.data.read.files import Location, parts


def unread(lake: Lake, locations: Mapping[str, Sequence[Location]]) -> Iterator[str]:
    """The names of those of the files (by the table that they are for) whose content counts as never read, since
    `segue.data.lake.lost.mend` found that rows of it are gone."""
    for table, paths in locations.items():
        for path in paths:
            if any(is_unread(lake.tables[table], part.digest()) for part in parts(path)):
                yield str(path)


__all__ = ["unread"]
