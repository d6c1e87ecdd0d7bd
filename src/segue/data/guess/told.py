"""What the person who knows the files says of them: it overrules every guess, and is held against the files."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from segue.data.convert.times import moments
from segue.data.guess.cells import filled, quoted
from segue.data.settings import EventColumns
from segue.domain.errors import DataError, unknown

NAMING = "--column user=COLUMN --column item=COLUMN"


@dataclass(frozen=True)
class Told:
    """What was said of files of events; None where nothing was.

    columns  the file's column of a role; "" where no column has it
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    time_format: str | None = None
    order: str | None = None

    def __post_init__(self) -> None:
        for role in self.columns:
            if role not in EventColumns.__struct_fields__:
                raise unknown("column of events", role, EventColumns.__struct_fields__, where="--column")
        if self.order not in (None, "none", "file"):
            raise DataError(
                f"no order is called '{self.order}'", where="--order", mend='say "file" or "none" (docs/data.md)'
            )

    def held_against(self, names: Sequence[str], where: str) -> None:
        """Refuse a column that the file does not have, with the nearest that it has."""
        for role, column in self.columns.items():
            if column and column not in names:
                near = difflib.get_close_matches(column, names, n=1, cutoff=0.4)
                guess = f"did you mean '{near[0]}'? " if near else ""
                raise DataError(
                    f"no column is called '{column}', which was said to be the {role}",
                    where=where,
                    mend=f"{guess}the columns are {quoted(list(names)[:20])}",
                )

    def times_read(self, cells: pl.Series, where: str) -> float:
        """The share of the cells that the format reads; a format that reads none of them is refused."""
        text = filled(cells)
        if text.is_empty() or self.time_format is None:
            return 1.0
        read = 1 - moments(text, self.time_format, "UTC").null_count() / len(text)
        if not read:
            raise DataError(
                f"the time format {self.time_format} reads no time of the column '{cells.name}', such as '{text[0]}'",
                where=where,
                mend="correct --time-format, or leave it out and let it be guessed",
            )
        return read


__all__ = ["NAMING", "Told"]
