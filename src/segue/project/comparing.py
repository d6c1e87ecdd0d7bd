"""How models are held beside each other: lists, leaderboards, learning curves, and what is similar to an item."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from segue.domain.errors import DataError, ModelError, UnknownName
from segue.project.given import id_of, ids_of, list_length, one_of, texts_of, whole
from segue.project.learning import Learning
from segue.project.workspace import Advance, silent

if TYPE_CHECKING:
    from segue.comparison import Comparison
    from segue.measure.leaderboard import Leaderboard
    from segue.operate.curve import Along, LearningCurve
    from segue.report.section import Report

EXAMPLES = 3  # of the items of a model, told who asks for one that it does not know
COMPARED = 10_000  # ids, a tenth of a second; of more, those that begin as the one that was asked for
LATELY = 8  # of what a person did that a comparison shows


class Comparing(Learning):
    """The part of a `Project` that holds models beside each other."""

    def compare(self, models: Sequence[str] = (), users: Sequence[str] = (), *, k: int = 10) -> Comparison:
        """The lists of trained models side by side, with reasons; of all trained ones that are declared where none is
        named, and of the three most active people where nobody is."""
        from segue.comparison import Comparison

        k = list_length(k)
        names = [self._model(name) for name in texts_of("models", models)] or self._trained_and_declared()
        people = ids_of("users", users) or self._most_active(3)
        if not people:
            raise DataError("the log names no users whose lists could be compared", mend="name people: users=[...]")
        lists = {user: {name: self.recommend(user, model=name, k=k) for name in names} for user in people}
        return Comparison(tuple(names), lists, {user: self._lately(user) for user in people})

    def similar(self, item: str, k: int = 10, *, model: str | None = None) -> list[dict[str, Any]]:
        """What is like an item, or goes with it, as a trained model has it: one row an item, likest first.

        Raises `UnknownName` for an item that the model does not know, `ModelError` for a model that cannot say, such as
        what everybody gets.
        """
        item, k, name = id_of("item", item), list_length(k), self._model(model)
        loaded: Any = self._load(name)
        place = loaded.items.position(item)
        if place < 0:
            described = self.snapshot().version("items") is not None
            asked = "id, title FROM items" if described else "DISTINCT item FROM events"
            raise _unknown_item(item, loaded.items.ids, name, f'`segue sql "SELECT {asked}"` lists all')
        if not hasattr(loaded, "similar") or not loaded.personal:  # what everybody gets is like nothing
            raise ModelError(f"model {name} does not say what is similar", mend="name another with --model")
        found, likeness = loaded.similar(np.array([place], np.int32), k)
        catalog = self.snapshot().catalog()
        told = [loaded.items[position] for position in found[0].tolist() if position >= 0]
        titles = [catalog[each].title if each in catalog else "" for each in told]
        return [
            {"item": each, "title": title or each, "likeness": score}
            for each, title, score in zip(told, titles, likeness[0].tolist(), strict=False)
        ]

    def learning_curve(
        self,
        models: Sequence[str] = (),
        *,
        along: Along = "people",
        points: int = 5,
        metric: str | None = None,
        as_of: datetime | None = None,
        progress: Advance = silent,
    ) -> LearningCurve:
        """How good each model is when it learns from a sixteenth, an eighth, ... all of the people, or of the days.

        The curve shows itself as a table of one metric, "ndcg@10" where none is named; each of its points has them all.
        """
        from segue.measure.settings import Metric
        from segue.operate.curve import LearningCurve, learning_curve, metric_of

        one_of("along", along, ("people", "days"))
        points, said = whole("points", points, 2, 12), self.declaration.evaluation
        if metric is not None:  # before the first model learns
            one_of("metric", metric, [f"{name}@{k}" for name in get_args(Metric) for k in said.k])
        learners = {name: self.learner(name) for name in self._names(models)}
        split = self.split(as_of=as_of)
        found = learning_curve(learners, self.engine, split, said, along, points, progress)
        return LearningCurve(tuple(found), metric_of(said, metric, found), along)

    def curve_report(self, curve: LearningCurve) -> Report:
        """Learning curves as a report; `segue.report.page` makes a page of it."""
        from segue.report.board import curve_board

        return curve_board(curve.rows(), curve.by, curve.along, self.declaration.workspace.name, datetime.now(UTC))

    def board(self, told: Leaderboard) -> Report:
        """A leaderboard as a report, with the settings of its models; `segue.report.page` makes a page of it."""
        import msgspec

        from segue.report.board import board

        names = [model.model for model in told.models()]
        learners = {name: self.learner(name) for name in names if name in self.declaration.models}
        parameters = {
            name: {"learner": learner.name, **msgspec.to_builtins(msgspec.structs.asdict(learner))}
            for name, learner in learners.items()
        }
        return board(told, parameters, self.declaration.workspace.name, datetime.now(UTC))

    def _trained_and_declared(self) -> list[str]:
        from segue.operate.train import trained_names

        trained = trained_names(self.folder / "models")
        return [name for name in self.declaration.models if name in trained] or [self._model(None)]

    def _most_active(self, count: int) -> list[str]:
        import polars as pl

        users = self.snapshot().events().select("user").drop_nulls().group_by("user").len()
        return (
            users.sort("len", "user", descending=[True, False])
            .head(count)
            .select(pl.col("user"))
            .collect()["user"]
            .to_list()
        )

    def _lately(self, user: str) -> list[str]:
        from segue.domain.events import person_key

        key, catalog = person_key(user, None), self.snapshot().catalog()
        events = self.state.history(key) if key else ()
        items = [event.item for event in events if event.item]
        newest = list(dict.fromkeys(reversed(items)))[:LATELY]
        return [catalog[item].title or item if item in catalog else item for item in newest]


def _unknown_item(item: str, known: Sequence[str], model: str, every: str) -> UnknownName:
    """An `UnknownName` that offers the nearest id, some as examples, and where all of them are."""
    alike = [each for each in known if each[:2] == item[:2]]
    for length in range(3, len(item)):
        if len(alike) > COMPARED:
            alike = [each for each in alike if each[:length] == item[:length]] or alike[:COMPARED]
    near = get_close_matches(item, alike[:COMPARED], n=1, cutoff=0.5)
    guess = f"did you mean '{near[0]}'? " if near else ""
    examples = f"for example: {', '.join(known[:EXAMPLES])}; " if known else ""
    return UnknownName(f"no item is called '{item}'", where=f"model {model}", mend=f"{guess}{examples}{every}")
