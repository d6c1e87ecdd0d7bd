"""What the catalog says of the items of a dataset: one row an item, in the order of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from segue.domain import columns
from segue.domain.catalog import Item

CONTENT = pa.schema(
    [
        pa.field(columns.TITLE, pa.string(), nullable=False),
        pa.field(columns.TEXT, pa.string(), nullable=False),
        pa.field(columns.CATEGORIES, pa.list_(pa.string()), nullable=False),
        pa.field(columns.ATTRIBUTES, pa.list_(pa.string()), nullable=False),  # "name=value", one for each value
        pa.field(columns.GROUP, pa.string()),
        pa.field(columns.RELEASED, pa.int64()),  # microseconds since 1970 UTC
    ]
)
"""Row `i` is item code `i`. Of an item that is not in the catalog texts and lists are empty."""


def content_of(items: Iterable[Item | None]) -> pa.Table:
    """The table of these items, one row each; None is an item of which the catalog says nothing.

    >>> content_of([Item("a", title="Lamp", attributes={"colour": ["red", "blue"]}), None])["attributes"].to_pylist()
    [['colour=red', 'colour=blue'], []]
    """
    return pa.Table.from_pylist([_row(item or Item("")) for item in items], schema=CONTENT)


def described(content: pa.Table) -> npt.NDArray[np.bool_]:
    """bool[items]: of which items the catalog says something: a title, a text, a category or an attribute.

    >>> described(content_of([Item("a", title="Lamp"), Item("b", categories=("lamps",)), None])).tolist()
    [True, True, False]
    """
    said = [pc.utf8_length(content[name]) for name in (columns.TITLE, columns.TEXT)]
    said += [pc.list_value_length(content[name]) for name in (columns.CATEGORIES, columns.ATTRIBUTES)]
    return np.asarray(sum(part.to_numpy() for part in said) > 0)


def _row(item: Item) -> dict[str, object]:
    return {
        columns.TITLE: item.title,
        columns.TEXT: item.text,
        columns.CATEGORIES: list(item.categories),
        columns.ATTRIBUTES: [f"{name}={value}" for name, values in item.attributes.items() for value in _each(values)],
        columns.GROUP: item.group,
        columns.RELEASED: None if item.released is None else _microseconds(item.released),
    }


def _each(values: object) -> list[object]:
    return values if isinstance(values, list) else [] if values is None else [values]


def _microseconds(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
