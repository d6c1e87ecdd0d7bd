"""How models are trained, judged and asked: train, evaluate, recommend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from segue.declaration import FILE
from segue.domain.errors import DeclarationError, SegueError, UnknownName, unknown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from segue.data.lake.lake import Snapshot
    from segue.data.split.split import Split
    from segue.decide.ask import Ask
    from segue.domain.catalog import Item
    from segue.domain.recommender import Recommender
    from segue.engines.engine import Dataset
    from segue.find.sources import Sources
    from segue.measure.leaderboard import Leaderboard
    from segue.measure.settings import EvaluationSettings
    from segue.operate.train import TrainedModel
    from segue.recommendations import Recommendations
    from segue.results import Fitted, Listed

from segue.project.given import id_of, ids_of, list_length, one_of, text_of, texts_of
from segue.project.workspace import Advance, Workspace, silent

SPLITS = ("time", "last", "random", "files")


class Learning(Workspace):
    """The part of a `Project` that learns and recommends."""

    def train(
        self,
        models: Sequence[str] = (),
        *,
        as_of: datetime | None = None,
        resume: bool = False,
        progress: Advance = silent,
    ) -> list[TrainedModel]:
        """Train the declared models, or those named, on all that is in the lake, or on what was received by `as_of`.

        To `resume` is to leave alone what was trained with the same parameters on the same data and catalog: after a
        training that was stopped only the rest is trained. What is damaged is trained again.
        """
        from segue.operate.train import naming, train, unchanged

        names = self._names(models)
        learners = {name: self.learner(name) for name in names}
        snapshot = self.snapshot(as_of)
        dataset = self.dataset(snapshot)
        trained = []
        for number, name in enumerate(names):
            progress(name, number / len(names))
            catalog = snapshot.version("items")
            held = unchanged(self.folder / "models", name, learners[name], dataset, as_of, catalog) if resume else None
            if held is not None:
                trained.append(held)
                continue
            with naming(name, learners[name].name, [each.model for each in trained]):
                made = train(
                    name,
                    learners[name],
                    self.engine,
                    dataset,
                    self.folder / "models",
                    now=datetime.now(UTC),
                    as_of=as_of,
                    fingerprint=snapshot.fingerprint,
                    catalog=catalog,
                )
            trained.append(made)
        return trained

    def split(self, method: str | None = None, as_of: datetime | None = None) -> Split:
        """The training part and the people held against it, as [evaluation] says, or by another method.

        Where `as_of` is given, of what was received by then.
        """
        from segue.data.split import split as splits
        from segue.engines.engine import Key

        said = self.declaration.evaluation
        method = said.split if method is None else one_of("split", method, SPLITS)
        if method == "files":
            return self._split_by_files(self.snapshot(as_of))
        prepared = self.engine.prepare(self.dataset(self.snapshot(as_of)), Key.USER)
        counting = _counting(prepared, said)
        match method:
            case "time":
                return splits.split_by_time(prepared, said.test_days, said.test_fraction, counting=counting)
            case "last":
                return splits.split_last(prepared, said.last, counting=counting)
            case _:
                return splits.split_random(prepared, said.test_fraction, said.seed, counting=counting)

    def fit(self, models: Sequence[str], split: Split, *, progress: Advance = silent) -> Fitted:
        """Train models on the training part of a split, without saving them; seconds by name beside."""
        from segue.operate.train import naming
        from segue.results import Fitted

        fitted, seconds = {}, {}
        for number, name in enumerate(models):
            progress(f"training {name}", number / len(models))
            began = perf_counter()
            learner = self.learner(name)
            with naming(name, learner.name):
                fitted[name] = learner.fit(self.engine, split.train)
            seconds[name] = perf_counter() - began
        return Fitted(fitted, seconds)

    def evaluate(
        self,
        models: Sequence[str] = (),
        *,
        split: str | None = None,
        slices: Sequence[str] = (),
        as_of: datetime | None = None,
        progress: Advance = silent,
    ) -> Leaderboard:
        """Train on the past part of the log, rank all items, and hold the lists against what people did next.

        Where `as_of` is given, on what was received by then. `slices` are told beside those of [evaluation].

        The baseline of [evaluation] takes part whether it is named or not, so that every model is compared with it.
        """
        from segue.measure.familiarity import familiarity
        from segue.measure.leaderboard import leaderboard
        from segue.measure.offline import evaluate

        said = self.declaration.evaluation
        said = msgspec.structs.replace(
            said,
            split=said.split if split is None else one_of("split", split, SPLITS),
            slices=self._slices([*said.slices, *texts_of("slices", slices)]),
        )
        names = self._with_baseline(models)
        parts = self.split(split, as_of)
        fitted = self.fit(names, parts, progress=progress)
        evaluation = evaluate(
            fitted.models,
            parts.test,
            parts.train.items,
            said,
            split=parts,
            familiarity=familiarity(parts.train),
            content=parts.train.content,
            users=self._columns_of_users(self.snapshot(as_of), parts) if said.slices else None,
            fit_seconds=fitted.seconds,
            progress=progress,
        )
        return leaderboard(evaluation)

    def affinity(
        self, models: Sequence[str] = (), *, attribute: str = "categories", progress: Advance = silent
    ) -> list[dict[str, Any]]:
        """The share of each person's top 10 in the person's own labels (genres, tags), beside popularity's."""
        from segue.measure.affinity import affinity

        names = self._with_baseline(models)
        labels = {item.id: _labels(item, attribute) for item in self.snapshot().catalog().values()}
        parts = self.split()
        fitted = self.fit(names, parts, progress=progress)
        told = affinity(
            fitted.models, parts.test, parts.train.items, labels, self.declaration.evaluation, progress=progress
        )
        return [each.row() for each in told]

    def recommend(
        self,
        user: str | None = None,
        *,
        history: Sequence[str] | None = None,
        k: int = 20,
        model: str | None = None,
    ) -> Recommendations:
        """What to show one person next, and why: the trained model's best, without what the person has.

        `user` is a person of the log, `history` item ids, oldest first, of anybody; ids that are numbers may be given
        as numbers. A person that nobody knows gets a sensible list, and `fallback` says so. Here as in all methods a
        wrong value is a `SegueError`.
        """
        if (user is None) == (history is None):
            raise SegueError("a list is for one `user` or for one `history`", mend="give one of the two")
        k, user = list_length(k), None if user is None else id_of("user", user)
        history = None if history is None else ids_of("history", history)
        name = self._model(model)
        sources = self._sources_of(name)
        title = f"for {user}" if user is not None else "for this history"
        ask = self._ask(user, None, datetime.now(UTC), history or ())
        [listed] = self._lists(sources, [ask], k, title)
        if strangers := [item for item in history or () if item not in sources.items]:
            title += f" (nobody knows {', '.join(strangers[:3])}{', …' if len(strangers) > 3 else ''})"
        return replace(listed, title=f"{title}, by {listed.by or name}")

    def recommend_all(
        self, out: str | Path | None, *, k: int = 20, model: str | None = None, progress: Advance = silent
    ) -> Listed:
        """Everybody's list, users and visitors, into a .csv, .jsonl or .parquet file; the same as one by one.

        All are of the moment at which this begins. People are taken some hundreds at a time, so memory does not grow
        with their number. The file is there whole or not at all. Scores of models of factors (`als`, `cold_start`,
        `spectral`, and blends of them) may differ from those of one by one by rounding.
        """
        from segue.decide.decide import people_at_once
        from segue.recommendations import EVERYBODY, writer
        from segue.results import Listed

        if out is None:
            raise SegueError("lists for everybody need a file to go to", mend="add --out lists.parquet")
        k, out = list_length(k), Path(out)
        sources, now = self._sources_of(self._model(model)), datetime.now(UTC)
        people = [key for key in self.snapshot().person_ids.ids if key[:2] in ("u:", "v:")]  # not who was forgotten
        with writer(out, EVERYBODY) as write:
            for start, some in _some(people, people_at_once(sources)):
                progress(f"for {some[0][2:]}", start / len(people))
                lists = self._lists(sources, (self._ask(*_named(key), now) for key in some), k)
                write(row for key, listed in zip(some, lists, strict=True) for row in _rows(key, listed))
        return Listed(out, len(people))

    def _ask(self, user: str | None, visitor: str | None, now: datetime, history: Sequence[str] = ()) -> Ask:
        from segue.data.identity.normalise import normalised
        from segue.decide.ask import Ask
        from segue.domain.events import person_key

        said = self.declaration.identity.normalise
        user, visitor = (normalised(name, said.users) if name else name for name in (user, visitor))
        key = person_key(user, visitor)
        return Ask(
            surface="recommend",
            request_id=uuid4().hex,
            now=now,
            user=user,
            visitor=visitor,
            past=self.state.history(key) if key else (),
            history=[normalised(item, said.items) for item in history],
        )

    def _lists(self, sources: Sources, asks: Iterable[Ask], k: int, title: str = "") -> Iterator[Recommendations]:
        from segue.decide.decide import decide_all
        from segue.decide.surface import Surface
        from segue.recommendations import Recommendations

        surface = Surface(sources=tuple(sources.models), k=k)
        return (Recommendations(each, sources.catalog, title) for each in decide_all(surface, sources, asks))

    def _columns_of_users(self, snapshot: Snapshot, split: Split) -> dict[str, list[Any]]:
        """What the users' table says of each person who is judged; nothing of visitors."""
        rows = snapshot.users().select("id", "attributes").collect().rows()
        users = {f"u:{name}": msgspec.json.decode(said or "{}") for name, said in rows}
        names = {name for said in users.values() for name in said}
        people = [users.get(key, {}) for key in snapshot.person_ids.take(split.test.people)]
        return {name: [_plain(person.get(name)) for person in people] for name in sorted(names)}

    def _split_by_files(self, snapshot: Snapshot) -> Split:
        from segue.data.ingest.ingest import batches_of
        from segue.data.interactions import interactions
        from segue.data.split.split import split_files
        from segue.engines.engine import Key

        said = self.declaration
        if not said.evaluation.test_files:
            raise DeclarationError(
                "a split by files needs to know which are the test",
                where=f"{FILE} [evaluation]",
                mend='name them: test_files = ["test.csv"]',
            )
        held = batches_of(self._paths(said.evaluation.test_files), said.events, snapshot)
        learned = batches_of(self._paths(said.events.files), said.events, snapshot)
        cache, people = self.folder / "cache", self.people(snapshot)
        parts = [
            self.engine.prepare(interactions(snapshot, said.events, cache, batches, people), Key.USER)
            for batches in (set(learned) - set(held), held)
        ]
        return split_files(parts[0], parts[1], counting=_counting(parts[0], said.evaluation))

    def _slices(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Each once; the catalog's column that holds the categories is known by its own name as well."""
        column = self.declaration.items.columns.categories
        return tuple(dict.fromkeys("categories" if name == column else name for name in asked))

    def _with_baseline(self, models: Sequence[str]) -> list[str]:
        baseline = self.declaration.evaluation.baseline
        known = [baseline] if baseline in self.declaration.models else []
        return list(dict.fromkeys([*known, *self._names(models)]))

    def _model(self, model: str | None) -> str:
        """The model that was named; the first of the first surface, or of all, that is trained where none was."""
        from segue.operate.train import trained_names

        trained = trained_names(self.folder / "models")
        surfaces = [name for surface in self.declaration.surfaces.values() for name in surface.sources]
        for name in [*surfaces, *self.declaration.models] if model is None else [model]:
            if name in trained:
                return name
        if model is not None and trained:
            raise unknown("trained model", text_of("model", model), trained, where=str(self.folder / "models"))
        raise UnknownName("no model is trained", where=str(self.folder / "models"), mend="run `segue train` first")

    def _load(self, model: str) -> Recommender:
        from segue.learn.learner import load_model
        from segue.operate.train import trained_model

        models = self.folder / "models"
        return load_model(models / model / trained_model(models, model).run)

    def _sources_of(self, model: str) -> Sources:
        """The model and, where one is trained, the baseline to fall back on."""
        from segue.find.sources import Sources
        from segue.operate.train import trained_names

        baseline = self.declaration.evaluation.baseline
        trained = trained_names(self.folder / "models")
        names = [model, *([baseline] if baseline in trained and baseline != model else [])]
        return Sources({name: self._load(name) for name in names}, self.snapshot().catalog())


def _some(people: Sequence[str], count: int) -> Iterator[tuple[int, Sequence[str]]]:
    """So many people at a time, each time with how many came before."""
    for start in range(0, len(people), count):
        yield start, people[start : start + count]


def _named(key: str) -> tuple[str | None, str | None]:
    """The user and the visitor, of whom one is None, that a `person_key` names."""
    return (key[2:], None) if key[:2] == "u:" else (None, key[2:])


def _rows(key: str, listed: Recommendations) -> Iterator[dict[str, Any]]:
    """The rows of one person's list, with whose it is."""
    who = {"person": key[2:], "kind": "user" if key[:2] == "u:" else "visitor"}
    return (who | row for row in listed.rows())


def _labels(item: Item, attribute: str) -> tuple[str, ...]:
    """An item's categories, or the values of one of its attributes."""
    if attribute == "categories":
        return item.categories
    value = item.attributes.get(attribute)
    return () if value is None else tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _counting(prepared: Dataset, said: EvaluationSettings) -> npt.NDArray[np.bool_] | None:
    """The items that count though nobody had them in the training part, where they are to."""
    from segue.engines.content import described

    if said.new_items == "left_out":
        return None
    if prepared.content is None:
        raise DeclarationError(
            'new items count (new_items = "counted") where the catalog describes them, and there is no catalog',
            where=f"{FILE} [evaluation]",
            mend="name its files under [items], or leave new_items out",
        )
    return described(prepared.content)


def _plain(value: object) -> str | float | None:
    """A value to slice by: a number where it is one, lists by their members, all else as text."""
    if value is None or value == "":
        return None
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if isfinite(number) else text
