"""Which import maps there are; the built-in ones come in by the same door as anybody's: entry points of a package."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, TypeVar

import msgspec

from segue.data.settings import EventSource, FileSource, ItemSource
from segue.domain.errors import DeclarationError, unknown

if TYPE_CHECKING:
    from segue.data.maps.map import ImportMap, TableMap

GROUP = "segue.maps"
_OWN = ("files", "map")  # what a map never says

Source = TypeVar("Source", bound=FileSource)


def maps() -> dict[str, ImportMap]:
    """Every map that an installed package offers under the entry point group `segue.maps`, by name.

    >>> maps()["segment"].specification
    'https://segment.com/docs/connections/spec/ecommerce/v2/'
    """
    return {name: import_map(name) for name in offered()}


@cache
def offered() -> dict[str, EntryPoint]:
    """The entry points of the maps by name, nothing loaded yet."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def import_map(name: str) -> ImportMap:
    """The map of this name, or an `UnknownName` that offers the nearest."""
    if name not in offered():
        raise unknown("map", name, offered(), where="map")
    found: ImportMap = offered()[name].load()
    return found


def table_map(source: FileSource) -> TableMap | None:
    """What reads the files of a source: the table of its map, None where it names no map."""
    if not isinstance(source, EventSource | ItemSource) or source.map is None:
        return None
    table = "events" if isinstance(source, EventSource) else "items"
    found: TableMap | None = getattr(import_map(source.map), table)
    if found is None:
        others = [name for name, each in maps().items() if getattr(each, table) is not None]
        raise DeclarationError(
            f"the map '{source.map}' reads no {table}", where=f"[{table}] map", mend=f"these do: {', '.join(others)}"
        )
    return found


def resolved(source: Source) -> Source:
    """The source with what its map says wherever the source itself says nothing; twice is the same as once."""
    found = table_map(source)
    if found is None or not isinstance(source, EventSource | ItemSource):
        return source
    said = {name: getattr(found.source, name) for name in source.__struct_fields__ if name not in _OWN}
    unsaid = type(source)()
    changes = {name: value for name, value in said.items() if getattr(source, name) == getattr(unsaid, name)}
    changes["columns"] = _columns(source, found)
    if isinstance(source, EventSource):
        changes["types"] = said["types"] | source.types
    return msgspec.structs.replace(source, **changes)


def _columns(source: EventSource | ItemSource, found: TableMap) -> msgspec.Struct:
    columns, unsaid = source.columns, type(source)().columns
    names = [name for name in columns.__struct_fields__ if getattr(columns, name) == getattr(unsaid, name)]
    merged: msgspec.Struct = msgspec.structs.replace(
        columns, **{name: getattr(found.source.columns, name) for name in names}
    )
    return merged
