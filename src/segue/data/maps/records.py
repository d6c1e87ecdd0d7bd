"""From rows as a file has them to records, through a map's own function, to rows with the columns that are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.maps.map import REST, Glimpse, LeftOut, Mapped, Record, Unfit
from segue.data.read.files import Part
from segue.data.read.json_lines import Number, decoded, fragments, texts
from segue.data.read.json_lines import field as field_at
from segue.data.read.read import mapped, read_part
from segue.data.read.rows import Broken, Rows
from segue.data.settings import EventSource, FileSource

BATCH = 8_192  # records that are held as objects at a time
REASONS = 100  # different reasons that a part's records are left out for; the rest are counted together
OTHERS = "other records that hold no event of an item"

Shape = Callable[[Record], Iterable[Record | LeftOut | Unfit]]
Tree = dict[str, "Tree"]


@dataclass(frozen=True)
class Records:
    """Consecutive records of one part, with their lines, their text, and what could not be read between them."""

    values: list[Record]
    lines: npt.NDArray[np.int64]
    raw: Callable[[npt.NDArray[np.int64]], list[str]]
    broken: list[Broken] = field(default_factory=list)


def read_records(part: Part, source: Mapped) -> Iterator[Records]:
    """The records of a part of any format that Segue reads."""
    plain = FileSource(format=source.format, delimiter=source.delimiter, encoding=source.encoding, quote=source.quote)
    for rows in read_part(part, plain):
        yield from map(records_of, _few(rows))


def any_name(name: str) -> bool:
    """Whether a file is wanted, where all are."""
    del name
    return True


@dataclass(frozen=True)
class RecordMap:
    """A table of a map that goes record by record: `shape` says what becomes of one."""

    source: Mapped
    shape: Shape
    told: Callable[[Glimpse], str | None]
    records: Callable[[Part, Mapped], Iterator[Records]] = read_records
    wanted: Callable[[str], bool] = any_name

    def recognise(self, glimpse: Glimpse) -> str | None:
        """Why a file is surely of this shape."""
        return self.told(glimpse)

    def wants(self, name: str) -> bool:
        """Whether the file of this name holds rows of this table."""
        return self.wanted(name)

    def read(self, part: Part, source: Mapped) -> Iterator[Rows]:
        """The rows of one part."""
        for records in self.records(part, source):
            yield shaped(records, self.shape, source)


def _few(rows: Rows) -> Iterator[Rows]:
    """The same rows, some at a time: as objects they take many times what they take as columns."""
    for start in range(0, max(len(rows), 1), BATCH):
        yield Rows(
            rows.frame.slice(start, BATCH),
            rows.lines[start : start + BATCH],
            partial(_raw_from, rows, start),
            [] if start else rows.broken,
            rows.fragments,
        )


def _raw_from(rows: Rows, start: int, places: npt.NDArray[np.int64]) -> list[str]:
    return rows.raw(places + start)


def records_of(rows: Rows) -> Records:
    """Rows of a file as records; what a row has nothing of is absent from its record."""
    names = rows.frame.columns
    columns = [_decoded(rows.frame[name]) if name in rows.fragments else _values(rows.frame[name]) for name in names]
    if not columns:
        return Records([{} for _ in rows.lines], rows.lines, rows.raw, rows.broken)
    values = [
        {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None and cell != ""}
        for cells in zip(*columns, strict=True)
    ]
    return Records(values, rows.lines, rows.raw, rows.broken)


def shaped(records: Records, shape: Shape, source: Mapped) -> Rows:
    """What `shape` makes of the records, as rows with the columns that `source` names."""
    kept: list[Record] = []
    origin: list[int] = []
    places: list[int] = []
    left: Counter[str] = Counter()
    unfit: list[tuple[int, Unfit]] = []
    for place, record in enumerate(records.values):
        for which, made in enumerate(shape(record)):
            if isinstance(made, LeftOut):
                left[made.reason if made.reason in left or len(left) < REASONS else OTHERS] += 1
            elif isinstance(made, Unfit):
                unfit.append((place, made))
            else:
                kept.append(made)
                origin.append(place)
                places.append(which)
    at = np.array(origin, np.int64)
    frame, json = (_events if isinstance(source, EventSource) else _items)(kept, source)
    broken = [*records.broken, *_broken(records, unfit)]
    raw = partial(_raw_at, records, at)
    return Rows(frame, records.lines[at], raw, broken, json, dict(left), np.array(places, np.int64))


def _raw_at(records: Records, at: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> list[str]:
    return records.raw(at[rows])


def _broken(records: Records, unfit: list[tuple[int, Unfit]]) -> Iterator[Broken]:
    if unfit:
        places = np.array([place for place, _ in unfit], np.int64)
        for line, raw, (_, why) in zip(records.lines[places].tolist(), records.raw(places), unfit, strict=True):
            yield Broken(line, why.reason, why.column, raw)


def _events(kept: list[Record], source: Mapped) -> tuple[pl.DataFrame, frozenset[str]]:
    """The named columns, and, where a column is `REST`, what of each record these do not take."""
    paths = dict.fromkeys(path for path in mapped(source).values() if path != REST)
    cells = {path: texts(path, _at(kept, path)) for path in paths}
    if REST in mapped(source).values():
        taken = _tree(paths)
        cells[REST] = texts(REST, [_rest(record, taken) or None for record in kept])
    return pl.DataFrame(cells), frozenset()


def _items(kept: list[Record], source: Mapped) -> tuple[pl.DataFrame, frozenset[str]]:
    """The named columns as text, all others of the records as JSON texts."""
    paths = dict.fromkeys(mapped(source).values())
    others = dict.fromkeys(key for record in kept for key in record if key not in paths)
    cells = {path: texts(path, _at(kept, path)) for path in paths}
    cells |= {key: fragments(key, [record.get(key) for record in kept]) for key in others}
    return pl.DataFrame(cells), frozenset(others)


def _at(records: list[Record], path: str) -> list[Any]:
    """What the records have at a path; a name or a field of an object without the search that a longer path needs."""
    outer, _, name = path.partition(".")
    if not name:
        return [record.get(path) for record in records]
    if "." in name:
        return [field_at(record, path) for record in records]
    return [
        record[path] if path in record else inside.get(name) if isinstance(inside := record.get(outer), dict) else None
        for record in records
    ]


def _tree(paths: Iterable[str]) -> Tree:
    tree: Tree = {}
    for path in paths:
        branch = tree
        for name in path.split("."):
            branch = branch.setdefault(name, {})
    return tree


def _rest(record: Mapping[str, Any], taken: Tree) -> Record:
    """What of a record is not taken: `{"a": {"b": 1, "c": 2}}` without a.b is `{"a": {"c": 2}}`."""
    rest: Record = {}
    for key, value in record.items():
        inside = taken.get(key)
        if inside is not None and not inside:
            continue
        left = _rest(value, inside) if inside and isinstance(value, dict) else value
        if left is not None and left != {}:
            rest[key] = left
    return rest


def _values(cells: pl.Series) -> list[Any]:
    """The cells as values that JSON has; times and other types of Parquet as text."""
    values = cells.to_list()
    return values if cells.dtype == pl.String else msgspec.to_builtins(values, enc_hook=str)


def _decoded(cells: pl.Series) -> list[Any]:
    """What JSON texts hold."""
    there = cells.is_not_null()
    found = _ANY.decode_lines("\n".join(cells.filter(there).to_list())) if there.any() else []
    if len(found) == len(cells):
        return found
    values: list[Any] = [None] * len(cells)
    for place, value in zip(there.arg_true().to_list(), found, strict=True):
        values[place] = value
    return values


_ANY = msgspec.json.Decoder(Any, float_hook=Number)


# What a map asks of a value that may be anything.


def an_object(value: Any) -> Record:
    """An object as it is, or one that is written as JSON text; an empty one where there is none."""
    if isinstance(value, str) and value[:1] == "{":
        value = decoded(value)
    return value if isinstance(value, dict) else {}


def a_name(value: Any) -> str | None:
    """Text, or an integer as text; None for all else and for what is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def first_of(record: Mapping[str, Any], *keys: str) -> Any:
    """What the first of these keys has that has anything; keys may be paths."""
    for key in keys:
        if (value := field_at(record, key)) not in (None, ""):
            return value
    return None


def exploded(record: Record, products: list[Any], key: str, name: str) -> Iterator[Record | Unfit]:
    """One record for each product, each under `key`; the record's id, which `name` is the key of, gets its place."""
    own = a_name(record.get(name))
    for place, product in enumerate(products):
        if not isinstance(product, dict):
            yield Unfit(f"product {place + 1} is no object", key)
        else:
            yield record | {key: product, name: None if own is None else f"{own}-{place}"}
