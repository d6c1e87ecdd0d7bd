"""Rows that wait to be committed: many small parts go into the lake together, a big one in several steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import polars as pl

from segue.data.ingest.report import Tally
from segue.data.lake.lake import Appended, Lake, Read
from segue.data.lake.replace import Replacement
from segue.data.lake.rows import CONTENT_DIGITS
from segue.data.read.places import PLACES, Place
from segue.data.read.rows import BROKEN, Broken
from segue.domain import columns

STEP = 500_000  # rows that are committed at a time
PARTS = 10_000  # and parts

Take = Callable[[Mapping[str, pl.DataFrame]], dict[str, Appended]]
Append = Callable[[Mapping[str, pl.DataFrame], Take], dict[str, Appended]]


@dataclass
class Step:
    """Rows of one part that go in together. The last step of a part carries the batch's own name: then all is in."""

    batch: str
    tally: Tally
    frames: list[pl.DataFrame] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    rows: int = 0
    places: list[Place] = field(default_factory=list)  # of the broken rows in their file
    table: str = "events"

    def add(self, frame: pl.DataFrame, broken: Sequence[Broken]) -> None:
        """Take in what became of some rows."""
        self.hold(held(frame), broken)

    def hold(self, frame: pl.DataFrame, broken: Sequence[Broken]) -> None:
        """Take in what became of some rows, without the columns that hold nothing in them."""
        self.frames.append(frame)
        self.broken += broken
        self.rows += frame.height + len(broken)

    def frame(self) -> pl.DataFrame:
        """The rows that are kept, with the columns that hold something in one of them."""
        if len(self.frames) == 1 and self.frames[0].height:
            return self.frames[0]
        none = pl.DataFrame(schema={columns.ID: pl.String})
        return pl.concat(self.frames if self.rows > len(self.broken) else [none, *self.frames], how="diagonal")

    def quarantined(self) -> pl.DataFrame:
        """The rows that are not, as quarantine has them."""
        frame = pl.DataFrame(self.broken, schema=BROKEN, orient="row")
        frame = frame.hstack(pl.DataFrame(self.places, schema=PLACES, orient="row")) if self.places else frame
        named = {columns.BATCH: self.batch, "file": self.tally.path, "table": self.table}
        return frame.with_columns(pl.lit(value).alias(name) for name, value in named.items())


def held(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows as they wait: a column that holds nothing in them takes no memory."""
    return frame.select(column.name for column in frame if column.null_count() < frame.height)


class Gathering:
    """Steps that wait. They are committed once they are `STEP` rows or `PARTS` parts, each known by its own name.

    A process that dies loses what waits, and nothing else: the next ingestion reads those parts again. From the first
    part on that the lake has with another mapping, everything comes in at the end, in one commit with what goes.
    """

    def __init__(self, lake: Lake, name: Read, append: Append, now: datetime) -> None:
        self._lake, self._name, self._append, self._now = lake, name, append, now
        self._steps: dict[str, Step] = {}
        self._rows = 0  # in them
        self._replacement: Replacement | None = None
        self._anew: set[str] = set()  # batches whose content the lake has with another mapping
        self._aside: dict[str, Tally] = {}  # whose rows are written aside, by batch
        self._copies: dict[str, str] = {}  # batches by the paths of files that came as copies of others
        self._returning: list[Tally] = []  # whose rows are current again once all is in

    def holds(self, batch: str) -> bool:
        """Whether the batch is in the lake, or waits for it."""
        return batch in self._steps or self._lake.has_batch(batch)

    def skip(self, tally: Tally) -> None:
        """Leave out a part that is in, unless its file had another content since: then its rows are current again."""
        if tally.batch in self._steps and self._name != "events":
            self.flush()  # so that it is known whether another content came in between
        if tally.batch in self._steps or not self._lake.returns(self._name, tally.batch, tally.path):
            tally.skipped = True
            if self._name != "events":
                self._copies[tally.path] = tally.batch
            return
        tally.returned = True
        self._returning.append(tally)
        if self._replacement is None:  # else behind what is written aside
            self.flush()
            self._bring_back()

    def expect(self, tally: Tally) -> None:
        """Get ready for the steps of a part, which the lake may have with another mapping."""
        if self._lake.has_other_mapping(self._name, tally.batch):
            tally.replaced = 0
            self._lake.forget_refusals(tally.batch)  # of when it was read so before, perhaps in other steps
            self._anew.add(tally.batch)
            if self._replacement is None:
                self.flush()
                self._replacement = self._lake.replacement(self._name)
            if self._lake.returns(self._name, tally.batch, tally.path):
                self._returning.append(tally)

    def add(self, step: Step) -> None:
        """Take in a step, and commit what waits where it is enough."""
        if self._rows + step.rows > STEP:
            self.flush()
        self._steps[step.batch] = step
        self._rows += step.rows
        if self._rows >= STEP or len(self._steps) >= PARTS:
            self.flush()

    def flush(self) -> None:
        """Commit what waits: quarantine first, so that a batch that is in is in with all that was wrong in it."""
        steps, self._steps, self._rows = self._steps, {}, 0
        self._quarantine([step for step in steps.values() if step.broken])
        frames = {}
        for name, step in steps.items():
            step.tally.quarantined.update(row.reason for row in step.broken)
            if name != step.tally.batch and self._lake.has_batch(name):
                step.tally.kept += step.rows - len(step.broken)  # an ingestion that was broken off had come this far
            else:
                frames[name] = step.frame()
                step.frames.clear()
        for name, appended in self._append(frames, self._take(steps)).items():
            steps[name].tally.kept += appended.rows
            steps[name].tally.duplicates += appended.duplicates
            self._aside[name] = steps[name].tally

    def finish(self) -> None:
        """Commit all that waits, and what was written aside."""
        self.flush()
        if self._copies:
            self._lake.note(self._name, self._copies)
        if self._replacement is None:
            return
        replaced = self._replacement.commit(
            {
                name: tally.path
                for name, tally in self._aside.items()
                if name == tally.batch and tally not in self._returning
            }
        )
        for name, count in replaced.dropped.items():
            self._aside[name].kept -= count
            self._aside[name].duplicates += count
        for tally in self._aside.values():
            if tally.replaced is not None:
                tally.replaced = replaced.gone.get(tally.batch[:CONTENT_DIGITS], 0)
        self._bring_back()

    def before(self) -> str:
        """What a person should know of the files before one that cannot be read."""
        if self._replacement is not None:
            return "; nothing was changed, for rows were to be replaced: the same command reads all files again"
        return "; the files before it are in, and are not read twice: once it is mended, run the same command again"

    def abandon(self) -> None:
        """Where a part cannot be read: commit the parts before it, but replace nothing unless all is there."""
        if self._replacement is None:
            self.flush()
        else:
            self._replacement.discard()

    def _take(self, steps: Mapping[str, Step]) -> Take:
        """Where rows go; of a catalog it is noted which content a file has last."""
        if self._replacement is not None:
            return self._write_aside
        if self._name == "events":
            return partial(self._lake.take, self._name)
        return partial(self._lake.take, self._name, paths=_whole(steps))

    def _bring_back(self) -> None:
        """Make the rows of files that are as they were before current again."""
        for tally in self._returning:
            rows = self._lake.bring_back(self._name, tally.batch, tally.path, self._now)
            tally.kept += rows if tally.returned else 0
        self._returning.clear()

    def _quarantine(self, steps: Sequence[Step]) -> None:
        """What is refused once more comes in, though these batches were in quarantine before and have no rows now."""
        anew = {step.batch: step.quarantined() for step in steps if step.tally.batch in self._anew}
        self._lake.quarantine_anew(anew)
        self._lake.take("quarantine", {step.batch: step.quarantined() for step in steps if step.batch not in anew})

    def _write_aside(self, frames: Mapping[str, pl.DataFrame]) -> dict[str, Appended]:
        assert self._replacement is not None
        rows = self._replacement.add(frames)
        return {name: Appended(rows.get(name, 0), frame.height - rows.get(name, 0)) for name, frame in frames.items()}


def _whole(steps: Mapping[str, Step]) -> dict[str, str]:
    """By batch, the paths of the parts that end with one of these steps."""
    return {name: step.tally.path for name, step in steps.items() if name == step.tally.batch}


__all__ = ["Gathering", "Step", "held"]
