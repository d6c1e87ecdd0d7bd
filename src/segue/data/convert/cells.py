"""Reads single cells: ids, numbers, and what counts as empty. Notes which rows cannot be kept, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.identity.normalise import normalised_all
from segue.data.identity.settings import Mend
from segue.data.read.rows import Broken, Rows

EMPTY: Final = ("", "NULL", "null", "None", "\\N")  # what programs write where a cell has nothing
NOT_A_NUMBER: Final = (*EMPTY, "NA")  # where a number belongs, these say that there is none
NOBODY: Final = (*EMPTY, "nan", "NaN", "undefined")  # an id that is one of these is a missing one
LONGEST_ID = 256  # characters, as in `domain.events.Name`


class Faults:
    """The first thing that is wrong with each row."""

    def __init__(self, rows: int) -> None:
        self._first = np.full(rows, -1, np.int32)
        self._kinds: list[tuple[str, str | None]] = []

    @property
    def rows(self) -> npt.NDArray[np.bool_]:
        """bool[rows]: which have something wrong."""
        wrong: npt.NDArray[np.bool_] = self._first >= 0
        return wrong

    def add(self, wrong: pl.Series, reason: str, column: str | None) -> None:
        """These rows (bool, null means no) are wrong for this reason, unless they were wrong already."""
        if not wrong.any():
            return
        mask = wrong.fill_null(value=False).to_numpy() & ~self.rows
        self._first[mask] = len(self._kinds)
        self._kinds.append((reason, column))

    def broken(self, rows: Rows) -> list[Broken]:
        """The broken rows with their text: those of reading and those of here, by line."""
        wrong = np.flatnonzero(self.rows)
        kinds: Sequence[tuple[str, str | None]] = [self._kinds[kind] for kind in self._first[wrong]]
        lines = rows.lines[wrong].tolist()
        found = [Broken(line, *kind, raw) for line, kind, raw in zip(lines, kinds, rows.raw(wrong), strict=True)]
        return sorted([*rows.broken, *found], key=lambda row: row.line)


def missing(cells: pl.Series, empty: Sequence[str] = EMPTY) -> pl.Series:
    """bool[rows]: the cells that hold nothing."""
    if cells.dtype == pl.String:
        return cells.is_null() | cells.is_in(list(empty))
    return cells.is_null()


def identifiers(
    cells: pl.Series,
    ids: Literal["exact", "integer"],
    name: str,
    column: str | None,
    faults: Faults,
    mends: Sequence[Mend] = (),
) -> pl.Series:
    """Ids as text, exactly as written, or with the ".0" of whole numbers taken off where `ids` is "integer".

    `mends` is the normalisation that is declared for ids of their kind.
    """
    text = cells if cells.dtype == pl.String else _text(cells)
    absent = missing(text, NOBODY)
    if absent.any():
        text = text.zip_with(~absent, pl.Series([None], dtype=pl.String))
    if ids == "integer":
        text = text.str.replace(r"^(-?\d+)\.0+$", "$1")
    text = normalised_all(text, mends)
    faults.add(text.str.len_chars() > LONGEST_ID, f"the {name} is longer than {LONGEST_ID} characters", column)
    return text


def numbers(cells: pl.Series, decimal: Literal[".", ","], name: str, column: str | None, faults: Faults) -> pl.Series:
    """Finite numbers, null where a cell is empty; what is no number, or not finite, is a fault."""
    cells = cells.str.strip_chars() if cells.dtype == pl.String else cells
    absent = missing(cells, NOT_A_NUMBER)
    values = (comma_numbers(cells) if decimal == "," else cells).cast(pl.Float64, strict=False)
    faults.add(values.is_null() & ~absent, f"the {name} is no number", column)
    faults.add(~values.is_finite(), f"the {name} is not finite", column)
    return values


def comma_numbers(cells: pl.Series) -> pl.Series:
    """1.234,50 as 1234.50; null where a cell is no number of that kind, such as 1.50, which would be another number."""
    if cells.dtype != pl.String:
        return cells
    plain = cells.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return plain.set(~cells.str.contains(r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$"), None)


def _text(cells: pl.Series) -> pl.Series:
    if isinstance(cells.dtype, pl.Categorical | pl.Enum):
        return cells.cast(pl.String)
    if cells.dtype == pl.Binary:
        return cells.cast(pl.String, strict=False)
    if cells.dtype.is_nested():
        return pl.Series(cells.name, [None if cell is None else str(cell) for cell in cells.to_list()], dtype=pl.String)
    return cells.cast(pl.String)
