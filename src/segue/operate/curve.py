"""Learning curves: how good models are when they learn from less, of fewer people or of fewer days."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal, TypeAlias, overload

import msgspec
import numpy as np
import numpy.typing as npt

from segue.data.split.split import Split
from segue.data.split.view import Rows, View
from segue.domain.errors import DataError, MissingColumn, unknown
from segue.domain.tables import as_html, as_text
from segue.engines.engine import Engine
from segue.learn.learner import Learner
from segue.measure.bootstrap import Estimate
from segue.measure.familiarity import familiarity
from segue.measure.offline import evaluate
from segue.measure.settings import EvaluationSettings
from segue.operate.train import naming

Along: TypeAlias = Literal["people", "days"]
Advance = Callable[[str, float], None]
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class CurvePoint:
    """What one model reached when it learned from this much: days, people and events of the training part."""

    model: str
    share: float
    days: float | None
    people: int
    events: int
    fit_seconds: float
    metrics: Mapping[str, Estimate]

    def row(self, by: str) -> dict[str, Any]:
        """For a table: what was learned from, the metric and its interval."""
        estimate = self.metrics[by]
        told = {"model": self.model, "share": self.share, "days": self.days, "people": self.people}
        told |= {"events": self.events, by: estimate.value, "low": estimate.low, "high": estimate.high}
        return told | {"fit_seconds": round(self.fit_seconds, 3)}


@dataclass(frozen=True, repr=False)
class LearningCurve(Sequence[CurvePoint]):
    """The points of all models, those that learned from least first, by one metric."""

    points: tuple[CurvePoint, ...]
    by: str
    along: Along

    @property
    def title(self) -> str:
        """For the head of the table."""
        return f"{self.by} by share of {self.along}"

    def rows(self) -> list[dict[str, Any]]:
        """One row a point."""
        return [point.row(self.by) for point in self.points]

    def __repr__(self) -> str:
        """The points as a table."""
        return as_text(self.rows(), self.title)

    def _repr_html_(self) -> str:
        """The same as a notebook shows it."""
        return as_html(self.rows(), self.title)

    def __len__(self) -> int:
        return len(self.points)

    @overload
    def __getitem__(self, place: int) -> CurvePoint: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[CurvePoint, ...]: ...

    def __getitem__(self, place: int | slice) -> CurvePoint | tuple[CurvePoint, ...]:
        return self.points[place]


def learning_curve(
    learners: Mapping[str, Learner],
    engine: Engine,
    split: Split,
    settings: EvaluationSettings,
    along: Along = "people",
    points: int = 5,
    progress: Advance | None = None,
) -> list[CurvePoint]:
    """Fit each model on a part of the training data that doubles from point to point, judged by the same people.

    Along "people" a part has all events of some of them, drawn by a hash of the code, each part within the next.
    Along "days" it has everybody's newest days. Everybody is judged with their whole history: what is told is what
    more to learn from would bring. Raises MissingColumn for "days" without times, and what a learner raises that cannot
    learn from all there is either (a column that it needs, memory).
    """
    rows = Rows.of(split.train)
    known = familiarity(split.train)
    settings = msgspec.structs.replace(settings, slices=())  # a curve is of everybody
    found = []
    for number in range(points):
        share = 2.0 ** (number + 1 - points)
        train, days = _part(split, rows, along, share)
        for place, (name, learner) in enumerate(learners.items()):
            if progress is not None:
                progress(f"{name}, {share:.3g} of {along}", (number + place / len(learners)) / points)
            began = perf_counter()
            try:
                with naming(name, learner.name):
                    model = learner.fit(engine, train)
            except DataError as error:
                if isinstance(error, MissingColumn) or share == 1:
                    raise
                continue  # there is nothing to learn from so little: the curve of this model begins later
            seconds = perf_counter() - began
            told = evaluate(
                {name: model}, split.test, split.train.items, settings, familiarity=known, content=split.train.content
            )
            people = int(np.count_nonzero(np.bincount(_users(train), minlength=1)))
            found.append(CurvePoint(name, share, days, people, train.rows, seconds, told.models[0].metrics))
    return found


def _part(split: Split, rows: Rows, along: Along, share: float) -> tuple[View, float | None]:
    """The training part without what is not learned from, and how many days it spans."""
    if along == "days":
        if not rows.timed:
            raise MissingColumn(
                "a curve along days needs the time of every event", where="time", mend='draw it along "people"'
            )
        first, last = int(rows.time.min()), int(rows.time.max())
        away = rows.time < last - (last - first) * share
    else:
        away = _places(rows)[rows.user] >= share
    days = float(rows.time[~away].max() - rows.time[~away].min()) / DAY_US if rows.timed and not away.all() else None
    return View(split.train, rows.offsets, away, f"{along} {share}"), days


def _places(rows: Rows) -> npt.NDArray[np.float64]:
    """float64[users] from 0 to 1: the same for a person whatever the share, so that parts lie within each other."""
    return np.random.default_rng(0).random(len(rows.offsets) - 1)


def _users(train: View) -> npt.NDArray[np.int64]:
    batches = [batch["user"].to_numpy() for part in train.partitions(1, ("user",)) for batch in part]
    return np.concatenate(batches).astype(np.int64) if batches else np.zeros(0, np.int64)


def metric_of(settings: EvaluationSettings, by: str | None, points: Sequence[CurvePoint]) -> str:
    """The metric that a curve is drawn by: the one that was named, or NDCG at 10, or the first there is."""
    known = list(points[0].metrics) if points else []
    wanted = by or ("ndcg@10" if 10 in settings.k else f"ndcg@{max(settings.k)}")
    if known and wanted not in known:
        raise unknown("metric", wanted, known)
    return wanted
