"""Takes tiny files that are alike together: one text, one conversion, and yet each in or out by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from segue.data.convert.events import PREFIX, Converted, ten_digits
from segue.data.ingest.report import Tally
from segue.data.ingest.steps import Gathering, Step, held
from segue.data.lake.lake import Read
from segue.data.read.fields import Positions
from segue.data.read.joined import FILES, TEXT, Joined, Tiny, joined
from segue.data.read.places import Places
from segue.data.read.rows import Rows
from segue.data.settings import FileSource
from segue.domain.errors import MissingColumn, ReadError


@dataclass(frozen=True)
class Lines:
    """What the events of joined files are called, and their order: as those of each file by itself."""

    joined: Joined
    batches: list[str]
    before: Positions  # int64[files]: the order of the line before the first of each file

    def ids(self, lines: Positions) -> pl.Series:
        """The beginning of each file's batch, and the line in the file."""
        prefixes = pl.Series([f"{batch[:PREFIX]}-" for batch in self.batches], dtype=pl.String)
        return prefixes.gather(self.joined.file_of(lines)) + ten_digits(self.joined.own_lines(lines))

    def order(self, lines: Positions) -> pl.Series:
        """Lines in their files, behind those of the files before."""
        return pl.Series(self.joined.own_lines(lines) + self.before[self.joined.file_of(lines)])


Convert = Callable[[Rows, Joined, list[str], list[int]], Converted]  # rows, their files, batches and last lines


class Together:
    """Tiny files that wait to be read together. They are read as soon as a file comes that is not like them."""

    def __init__(
        self,
        source: FileSource,
        table: Read,
        gathering: Gathering,
        convert: Convert,
        alone: Callable[[Tiny, Tally], None],
        done: Callable[[int], None],
    ) -> None:
        """`alone` reads one file by itself; `done` is told the last line of each file that was read with others."""
        self._source, self._table, self._gathering = source, table, gathering
        self._convert, self._alone, self._done = convert, alone, done
        self._files: list[Tiny] = []
        self._tallies: dict[str, Tally] = {}
        self._bytes = 0

    def holds(self, batch: str) -> bool:
        """Whether a batch waits here."""
        return batch in self._tallies

    def add(self, file: Tiny, tally: Tally) -> None:
        """Have a file wait whose content the lake has in no way."""
        alike = not self._files or (file.kind, file.header) == (self._files[0].kind, self._files[0].header)
        size = len(file.header) + len(file.body)
        if not alike or self._bytes + size > TEXT or len(self._files) >= FILES:
            self.read()
        self._files.append(file)
        self._tallies[tally.batch] = tally
        self._bytes += size

    def read(self) -> None:
        """Read what waits."""
        files, tallies = self._files, list(self._tallies.values())
        self._files, self._tallies, self._bytes = [], {}, 0
        found = self._joined(files)
        if found is not None:
            self._take(found, tallies)
            return
        for file, tally in zip(files, tallies, strict=True):
            self._alone(file, tally)

    def _joined(self, files: list[Tiny]) -> Joined | None:
        """The files as one text; None where that is not worth it, or one of them cannot be read."""
        if len(files) < 2:
            return None
        try:
            return joined(files, self._source)
        except (ReadError, MissingColumn):
            return None

    def _take(self, found: Joined, tallies: list[Tally]) -> None:
        lines = found.rows.lines
        bounds = found.bounds(lines)
        own = found.own_lines(lines)
        last = [int(own[high - 1]) if high > low else 0 for low, high in pairwise(bounds.tolist())]
        unread = list(map(len, found.own(found.rows.broken)))
        converted = self._convert(found.rows, found, [tally.batch for tally in tallies], last)
        broken = found.own(converted.broken)
        kept = np.flatnonzero(~np.isin(lines, [row.line for row in converted.broken]))
        ends = np.searchsorted(kept, bounds)
        frame = held(converted.frame)
        for place, (file, tally) in enumerate(zip(found.files, tallies, strict=True)):
            rows = frame.slice(int(ends[place]), int(ends[place + 1] - ends[place]))
            tally.read = int(bounds[place + 1] - bounds[place]) + unread[place]
            tally.last_line = last[place]
            step = Step(tally.batch, tally, table=self._table)
            step.hold(rows, broken[place])
            if step.broken:
                step.places = Places(file.part, self._source).of(step.broken, at_end=True)
            self._gathering.add(step)
            self._done(last[place])


__all__ = ["Lines", "Together"]
