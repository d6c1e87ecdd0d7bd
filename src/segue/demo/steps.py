"""The steps that the demo takes on any workspace, each with what it means."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segue.demo.telling import Teller
from segue.domain.errors import BusyError

if TYPE_CHECKING:
    from segue.project import Project
    from segue.results import Ingested

Row = dict[str, Any]

LISTED = 5  # items of each list that is printed
DRAIN_S = 20.0  # how long another drain may take


def ingested(project: Project, teller: Teller, quarantined: Callable[[Ingested], list[Row]]) -> None:
    """Read the declared files; `quarantined` makes the rows of the table below."""
    with teller.step("Ingest", "Files become tables. A row that cannot be read goes to quarantine, with its reason."):
        reports = project.ingest(())
        teller.say(reports.sentence())
        teller.table(quarantined(reports))


def checked(project: Project, teller: Teller) -> None:
    """Hold the tables against the declared rules."""
    with teller.step("Check", "The tables are held against rules; an error would stop a nightly run."):
        teller.table(project.check().shown())


def trained(project: Project, teller: Teller, models: Sequence[str] = ()) -> None:
    """Train the declared models, or those named."""
    with teller.step("Train", "Each model learns from all interactions. No model holds a person."):
        teller.table([each.row() for each in project.train(models)])


def evaluated(project: Project, teller: Teller) -> None:
    """The leaderboard by the declared split."""
    with teller.step("Evaluate", "Learn from the past, rank all items, and see what people really did next."):
        board = project.evaluate(())
        teller.table(board.brief_rows(), title=board.title)
        teller.say(board.sentence())


def released(project: Project, teller: Teller) -> None:
    """Release what was trained."""
    with teller.step("Release", "Models, surfaces and catalog become one unit; the switch to it is atomic."):
        told(project.release(()), teller)


def told(release: Row, teller: Teller) -> None:
    """What a release holds, in a line."""
    teller.say(f"release [bold]{release['release']}[/]: {release['models']}; {release['items']:,} items")


def drained(project: Project) -> None:
    """Move the journal into the lake; the service does it too, so its own drain may have to end first."""
    deadline = time.monotonic() + DRAIN_S
    while True:
        try:
            project.drain()
            return
        except BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def lists(project: Project, teller: Teller, people: Mapping[str, str]) -> None:
    """The lists of a few people, with reasons; `people` maps their ids to what is said of them."""
    with teller.step("Lists", "What these people see, and why: each reason is a part of the score, not a slogan."):
        for person, words in people.items():
            listed = project.recommend(user=person, k=LISTED)
            teller.table([_line(row) for row in listed.rows()], title=words)
            if listed.fallback:
                teller.say(listed.fallback)


def _line(row: Row) -> Row:
    return {"item": row["title"], "why": row["reason"], "score": row["score"]}


def quarantine_rows(project: Project) -> list[Row]:
    """How many rows are in quarantine for each reason, with an example each."""
    import polars as pl

    quarantine = project.snapshot().quarantine()
    by_reason = quarantine.group_by("reason").agg(
        pl.len().alias("rows"), pl.col("file").first(), pl.col("line").first(), pl.col("raw").first().str.slice(0, 60)
    )
    return [
        {
            "reason": row["reason"],
            "rows": row["rows"],
            "for example": f"{row['file']}:{row['line']}",
            "it said": row["raw"],
        }
        for row in by_reason.sort("rows", "reason", descending=[True, False]).collect().to_dicts()
    ]
