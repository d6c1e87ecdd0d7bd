"""Opens the objects in a sample: what lies inside becomes columns of its own, called "actor.id"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from segue.data.guess.cells import holds_objects, quoted
from segue.data.read.json_lines import decoded, texts

MOST = 100  # fields of one column; an object with more is a table of its own, by something's id


@dataclass
class Opened:
    """A sample without objects.

    frame    the columns of the sample, with those of the objects in place of these
    roots    for each field of an object, the column that the object is in
    closed   columns of objects that have too many fields to be looked into
    """

    frame: pl.DataFrame
    roots: dict[str, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)

    def doubts(self) -> list[str]:
        """What is said of the objects."""
        said = []
        if self.roots:
            objects = quoted(list(dict.fromkeys(self.roots.values()))[:12])
            fields = quoted(list(self.roots)[:12])
            said.append(f"{objects} hold objects, which were looked into; their fields are named with dots: {fields}")
        if self.closed:
            said.append(f"the objects in {quoted(self.closed)} have over {MOST} fields: they were not looked into")
        return said


def opened(sample: pl.DataFrame) -> Opened:
    """A sample with its objects (JSON texts, or structs of Parquet) opened, at any depth."""
    found = Opened(sample)
    columns: dict[str, pl.Series] = {}
    for name in sample.columns:
        cells = sample[name]
        inside = _inside(cells)
        if len(inside) > MOST:
            found.closed.append(name)
            inside = {}
        fields = {leaf: values for leaf, values in inside.items() if leaf not in sample.columns}
        found.roots |= dict.fromkeys(fields, name)
        rest = _without_objects(cells) if inside else cells
        if not inside or rest.null_count() < len(rest):
            columns[name] = rest
        columns |= fields
    found.frame = pl.DataFrame(columns) if found.roots else sample
    return found


def _inside(cells: pl.Series) -> dict[str, pl.Series]:
    if isinstance(cells.dtype, pl.Struct):
        return dict(_struct_fields(cells))
    if cells.dtype != pl.String or not holds_objects(cells.drop_nulls()):
        return {}
    leaves: dict[str, list[Any]] = {}
    for row, cell in enumerate(cells):
        for path, value in _leaves(cells.name, decoded(cell) if cell and cell[0] == "{" else None):
            leaves.setdefault(path, [None] * len(cells))[row] = value
        if len(leaves) > MOST:
            break
    return {path: texts(path, values) for path, values in leaves.items()}


def _struct_fields(cells: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    for name in cells.struct.fields:
        inner = cells.struct.field(name).alias(f"{cells.name}.{name}")
        if isinstance(inner.dtype, pl.Struct):
            yield from _struct_fields(inner)
        else:
            yield inner.name, inner


def _leaves(path: str, value: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    for key, inner in (value or {}).items():
        if isinstance(inner, dict) and inner:
            yield from _leaves(f"{path}.{key}", inner)
        else:
            yield f"{path}.{key}", inner


def _without_objects(cells: pl.Series) -> pl.Series:
    if cells.dtype != pl.String:
        return pl.Series(cells.name, [None], dtype=pl.String).new_from_index(0, len(cells))
    return cells.set(cells.str.starts_with("{"), None)


__all__ = ["Opened", "opened"]
