"""The steps that the demo takes on any workspace, each with what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segue.demo.telling import Teller

if TYPE_CHECKING:
    from segue.project import Ingested, Project

LISTED = 5  # items of each list that is printed


def ingested(project: Project, teller: Teller) -> Ingested:
    """Read the declared files."""
    with teller.step("Ingest", "Files become tables. A row that cannot be read goes to quarantine, with its reason."):
        reports = project.ingest(())
        teller.say(reports.sentence())
    return reports


def checked(project: Project, teller: Teller) -> None:
    """Hold the tables against the declared rules."""
    with teller.step("Check", "The tables are held against rules; an error would stop a nightly run."):
        teller.table(project.check().rows())


def trained(project: Project, teller: Teller, models: Sequence[str] = ()) -> None:
    """Train the declared models, or those named."""
    with teller.step("Train", "Each model learns from all interactions. No model holds a person."):
        teller.table([each.row() for each in project.train(models)])


def evaluated(project: Project, teller: Teller) -> None:
    """The leaderboard by the declared split."""
    with teller.step("Evaluate", "Learn from the past, rank all items, and see what people really did next."):
        board = project.evaluate(())
        teller.table(board.rows(), title=board.title)
        teller.say(board.sentence())


def released(project: Project, teller: Teller) -> None:
    """Release what was trained."""
    with teller.step("Release", "Models, surfaces and catalog become one unit; the switch to it is atomic."):
        teller.table([project.release(())])


def lists(project: Project, teller: Teller, people: Sequence[str], names: dict[str, str] | None = None) -> None:
    """The lists of a few people, with reasons."""
    with teller.step("Lists", "What these people see, and why: each reason is a part of the score, not a slogan."):
        for person in people:
            listed = project.recommend(user=person, k=LISTED)
            name = (names or {}).get(person)
            teller.table([_line(row) for row in listed.rows()], title=f"{name} ({person})" if name else person)
            if listed.fallback:
                teller.say(listed.fallback)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {"item": row["title"], "why": row["reason"], "score": row["score"]}


def quarantine_rows(project: Project) -> list[dict[str, Any]]:
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
