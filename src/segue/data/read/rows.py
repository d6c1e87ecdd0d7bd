"""What reading gives: rows as the file has them, with the lines they stand on, and those that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

BROKEN = pl.Schema({"line": pl.Int64, "reason": pl.String, "column": pl.String, "raw": pl.String})


class Broken(NamedTuple):
    """A row that goes to quarantine: its line (or row, from 1, of a Parquet file), why, which column, and its text."""

    line: int
    reason: str
    column: str | None
    raw: str


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of one part.

    frame      a column for each of the file's; text where the file is text, the file's own types where it is Parquet
    lines      int64[rows]: the line that each row starts on, from 1; the row's number, from 1, in Parquet
    raw        the text of the rows at these positions, as quarantine keeps it
    broken     the rows between them that could not be read
    fragments  columns whose cells are JSON texts rather than plain text
    left_out   how many records of an import map are nothing that Segue keeps, by reason
    places     int64[rows]: where a line may hold several rows, which of them each is, from 0, broken ones counted
    """

    frame: pl.DataFrame
    lines: npt.NDArray[np.int64]
    raw: Callable[[npt.NDArray[np.int64]], list[str]]
    broken: list[Broken] = field(default_factory=list)
    fragments: frozenset[str] = frozenset()
    left_out: Mapping[str, int] = field(default_factory=dict)
    places: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.lines)
