"""What a kind of rule is, and which there are; the built-in ones come in by the same door as anybody's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol

import polars as pl

from segue.domain.errors import unknown

if TYPE_CHECKING:
    from segue.data.quality.table import CheckedTable
    from segue.data.settings import Rule

GROUP = "segue.rules"
EXAMPLES = 5  # cells that are shown of those that break a rule


@dataclass(frozen=True)
class Finding:
    """What a rule found of what it looks at: rows, days, or the column as a whole (`checked` is 1 then).

    checked, broken  how many were looked at, how many of them break the rule
    examples         some that do, in words
    statistic        the number that the rule is about, where there is one (a null rate, a median, an index of drift)
    low, high        the ends of its 95 % interval; None where it is no estimate
    """

    checked: int
    broken: int
    examples: tuple[str, ...] = ()
    statistic: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RowRule:
    """A rule on each row by itself. Both expressions are elementwise, and see ids as text.

    applies  bool: the rows that the rule looks at
    breaks   bool: the rows that break it
    shown    the column whose cells are shown as examples
    """

    applies: pl.Expr
    breaks: pl.Expr
    shown: str | None


class Fold(Protocol):
    """A rule on many rows together: it is shown every batch once, in any order, and then says what it found.

    Batches have the columns in `columns`; those in `CheckedTable.coded` hold codes, which `CheckedTable.texts` reads.
    """

    columns: Sequence[str]

    def update(self, batch: pl.DataFrame) -> None:
        """Take in some rows."""

    def finding(self) -> Finding:
        """What all rows together say."""


Kind = Callable[["Rule", "CheckedTable"], "RowRule | Fold"]


@cache
def offered() -> dict[str, EntryPoint]:
    """The entry points of all kinds by name, nothing loaded yet."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def kind(name: str) -> Kind:
    """The kind of rule of this name, or an `UnknownName` that offers the nearest.

    >>> kind("null").__name__
    'null'
    """
    if name not in offered():
        raise unknown("kind of rule", name, offered(), where="[[rules]] rule")
    found: Kind = offered()[name].load()
    return found


__all__ = ["Finding", "Fold", "Kind", "RowRule", "kind", "offered"]
