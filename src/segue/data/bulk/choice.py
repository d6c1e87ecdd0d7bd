"""Which files take the fast lane: told without loading a compiler."""

from __future__ import annotations

from typing import Final

from segue.data.identity.settings import Normalise
from segue.data.read.fields import Dialect
from segue.data.read.files import Part
from segue.data.read.read import part_format
from segue.data.settings import EventSource

BIG = 64 << 20  # bytes of a file from which on the kernels, which take half a second to load, are worth it
BLOCK = 4 << 20  # bytes that are worked on at a time
EPOCHS: Final = {"epoch_s": (1_000_000, 1), "epoch_ms": (1_000, 1), "epoch_us": (1, 1), "epoch_ns": (1, 1_000)}
KNOWN: Final = ("user", "visitor", "item", "type", "time", "value", "quantity")


def is_fast(part: Part, source: EventSource) -> bool:
    """Whether a part is big, and of a kind that the kernels know."""
    dialect = Dialect.of(source.delimiter, source.quote)
    named = [name for name in source.columns.__struct_fields__ if getattr(source.columns, name) is not None]
    of_one_use = len({getattr(source.columns, name) for name in named}) == len(named)
    return (
        part.path.stat().st_size >= BIG
        and source.map is None
        and source.identity.normalise == Normalise()
        and not dialect.runs
        and len(dialect.delimiter) == 1
        and dialect.delimiter not in b"\r\n\"'"
        and of_one_use
        and set(named) <= set(KNOWN)
        and (source.decimal == "." or not {"value", "quantity"} & set(named))
        and (source.columns.time is None or source.time_format in ("iso", *EPOCHS))
        and part_format(part, source) == "csv"
    )


__all__ = ["BIG", "BLOCK", "is_fast"]
