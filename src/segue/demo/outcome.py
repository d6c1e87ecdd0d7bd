"""What the demo can say because it knows the truth: what was broken, what a test should find, what was learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from segue.simulate.truth import true_effect

if TYPE_CHECKING:
    from segue.domain.experiment import Experiment
    from segue.measure.readout import Readout
    from segue.project import Project
    from segue.results import Ingested
    from segue.simulate.files import Truth
    from segue.simulate.naming import Style
    from segue.simulate.visit import Visited

Row = dict[str, Any]
DAY_S = 86_400.0


def broken_rows(project: Project, ingested: Ingested, truth: Truth) -> list[Row]:
    """One row for each kind of damage: how many rows were damaged so, how many of them were caught, and as what."""
    found = {
        (PurePath(row["file"]).name, row["line"]): str(row["reason"])
        for row in project.snapshot().quarantine().select("file", "line", "reason").collect().to_dicts()
    }
    rows = []
    for kind, count in truth.kinds().items():
        if kind == "duplicate":
            rows.append(_caught(kind, count, sum(report.duplicates for report in ingested.files), "taken once"))
            continue
        reasons = Counter(found.get((row.file, row.line), "") for row in truth.broken if row.kind == kind)
        missed = reasons.pop("", 0)
        rows.append(_caught(kind, count, count - missed, _commonest(reasons)))
    surplus = len(found) - sum(row["caught"] for row in rows if row["broken on purpose"] != "duplicate")
    return rows + ([_caught("nothing", 0, surplus, "quarantined though whole")] if surplus else [])


def _caught(kind: str, rows: int, caught: int, reason: str) -> Row:
    return {"broken on purpose": kind, "rows": rows, "caught": caught, "as": reason}


def _commonest(reasons: Counter[str]) -> str:
    return reasons.most_common(1)[0][0] if reasons else ""


def against_truth(
    readout: Readout, experiment: Experiment, style: Style, control: Visited, treatment: Visited
) -> list[Row]:
    """One row a metric: what the test measured, its interval, and the true difference from the replays."""
    rows = []
    for metric in readout.metrics:
        effect = true_effect(experiment.metrics[metric.name], style, control, treatment)
        measured = metric.comparisons[0].difference
        rows.append(
            {
                "metric": metric.name,
                **{arm.variant: arm.value for arm in metric.arms},
                "difference": measured.value if measured else None,
                "95 % interval": f"{measured.low:+.3f} to {measured.high:+.3f}" if measured else "",
                "truth: all A": effect.control,
                "all B": effect.treatment,
                "true difference": effect.difference,
                "truth inside": measured.low <= effect.difference <= measured.high if measured else None,
            }
        )
    return rows


@dataclass(frozen=True)
class LastVisits:
    """Visits that no model has learned from: they lie between two moments."""

    since: datetime
    until: datetime


def old_and_new(
    project: Project, surface: str, releases: Mapping[str, str], visits: LastVisits
) -> tuple[str, list[Row]]:
    """Two releases held against what people opened on the last visits: the sentence that sums it up, and its table.

    `releases` maps what each is called here to its id, the first is the baseline. A release is judged by the first
    source of the surface. Popularity is not beside it: people can only open what they were shown, and half of them
    were shown what is popular.
    """
    from segue.data.split.split import split_by_time
    from segue.engines.engine import Key
    from segue.measure.leaderboard import leaderboard
    from segue.measure.offline import evaluate

    prepared = project.engine.prepare(project.dataset(), Key.USER)
    split = split_by_time(prepared, test_days=(visits.until - visits.since).total_seconds() / DAY_S)
    loaded = {name: project.registry.load(release) for name, release in releases.items()}
    models = {name: release.models[release.surfaces[surface].sources[0]] for name, release in loaded.items()}
    said = msgspec.structs.replace(project.declaration.evaluation, baseline=next(iter(models)))
    board = leaderboard(evaluate(models, split.test, split.train.items, said))
    return board.sentence(), board.brief_rows()


def rows_from_visits(project: Project) -> str:
    """How many of the rows that models learn from came from the visits, and how many decisions they answer."""
    import polars as pl

    snapshot = project.snapshot()
    counts = snapshot.events().select(
        pl.len().alias("all"), pl.col("decision").is_not_null().sum().alias("visits")
    ).collect().row(0, named=True)  # fmt: skip
    decisions = snapshot.decisions().select(pl.len()).collect().item()
    return (
        f"{counts['visits']:,} of {counts['all']:,} rows of events in the lake came from the visits; "
        f"they answer {decisions:,} decisions"
    )
