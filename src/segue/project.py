"""The one place that knows how the parts meet: a workspace folder, opened, with everything that can be done in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from segue.declaration import FILE, Declaration, Loaded, Origin, load
from segue.domain.decisions import CANDIDATES_KEPT
from segue.domain.errors import DataError, DeclarationError, SegueError, UnknownName, unknown

if TYPE_CHECKING:
    import polars as pl

    from segue.data.explore.person import Person
    from segue.data.explore.sql import Answer
    from segue.data.explore.table import LazyTable
    from segue.data.features.features import Clock
    from segue.data.histories.state import UserState
    from segue.data.identity.people import People
    from segue.data.identity.stitch import Links
    from segue.data.ingest.ingest import Progress
    from segue.data.journal.journal import SQLiteJournal
    from segue.data.lake.lake import Lake, Snapshot
    from segue.data.lake.upkeep import Upkeep
    from segue.data.profile.profile import Profile
    from segue.data.quality.history import Trend
    from segue.data.quality.propose import Proposal
    from segue.data.quality.replay import Replayed
    from segue.data.read.files import Location
    from segue.data.settings import TableSource
    from segue.data.split.split import Split
    from segue.domain.catalog import Item
    from segue.domain.recommender import Recommender
    from segue.engines.engine import Dataset
    from segue.engines.local import LocalEngine
    from segue.find.sources import Sources
    from segue.learn.learner import Learner
    from segue.measure.leaderboard import Leaderboard
    from segue.measure.readout import Readout
    from segue.operate.registry import Registry
    from segue.operate.train import TrainedModel
    from segue.recommendations import Recommendations
    from segue.report.section import Report
    from segue.results import Checked, Fitted, Ingested, Listed, Quarantined

Advance = Callable[[str, float], None]


def _silent(what: str, share: float) -> None:
    """Nobody watches."""


class Project:
    """A workspace: one tenant, one catalog, one folder with `segue.toml`.

    Open it with `Project.open(folder)`; every command of `segue` is a method here. A project holds no lock between
    calls and sees what others write to the workspace with the next call.
    """

    def __init__(self, folder: Path, loaded: Loaded) -> None:
        self.folder = folder
        self.declaration: Declaration = loaded.declaration
        self._loaded = loaded

    @classmethod
    def open(cls, folder: str | Path) -> Project:
        """Open the workspace in `folder`; a `DeclarationError` says what is wrong with its `segue.toml`, and where."""
        folder = Path(folder)
        return cls(folder, load(folder))

    def __repr__(self) -> str:
        return f"Project({str(self.folder)!r}: {self.declaration.workspace.name})"

    def origins(self) -> list[Origin]:
        """Every setting with its value and where it was said."""
        return self._loaded.origins()

    # The parts, each opened when it is first needed.

    @cached_property
    def lake(self) -> Lake:
        """The tables of the workspace."""
        from segue.data.lake.lake import Lake

        return Lake(self.folder / "lake")

    @property
    def upkeep(self) -> Upkeep:
        """What keeps the lake small and quick: status, compaction, retention, vacuum."""
        from segue.data.lake.upkeep import Upkeep

        return Upkeep(self.lake, self.declaration.lake)

    @cached_property
    def journal(self) -> SQLiteJournal:
        """What the service acknowledged and nobody drained yet."""
        from segue.data.journal.journal import SQLiteJournal

        return SQLiteJournal(self.folder / "journal")

    @cached_property
    def state(self) -> UserState:
        """What each person did, as the service reads it."""
        from segue.data.histories.state import UserState

        return UserState(self.folder, self.declaration.events, self.journal)

    @cached_property
    def engine(self) -> LocalEngine:
        """Where work runs."""
        from segue.engines.local import LocalEngine

        return LocalEngine(cache=self.folder / "cache")

    @cached_property
    def registry(self) -> Registry:
        """The releases of the workspace."""
        from segue.operate.registry import Registry

        return Registry(self.folder)

    def snapshot(self, as_of: datetime | None = None) -> Snapshot:
        """The lake as it is now, or as it was when everything received by `as_of` had come in."""
        return self.lake.snapshot(as_of)

    def dataset(self, snapshot: Snapshot | None = None) -> Dataset:
        """The interactions that learners see; a `DataError` where there are none."""
        from segue.data.interactions import interactions

        snapshot = snapshot or self.snapshot()
        if snapshot.events_count == 0:
            raise self._nothing(snapshot)
        return interactions(snapshot, self.declaration.events, self.folder / "cache", people=self.people(snapshot))

    def _nothing(self, snapshot: Snapshot) -> DataError:
        """What is said where there is nothing to learn from."""
        where, first = str(self.folder / "lake"), None
        if snapshot.as_of is not None:
            first = self.snapshot().coded_events().select("received").min().collect().item()
        if first is None:
            return DataError("the lake holds no events", where=where, mend="run `segue ingest` first")
        return DataError(
            f"nothing had arrived by {snapshot.as_of:%Y-%m-%d %H:%M}; the first events came {first:%Y-%m-%d %H:%M} UTC",
            where=where,
            mend="--as-of goes by arrival, not by when things happened; for a past of that kind, split by time",
        )

    def people(self, snapshot: Snapshot | None = None) -> People:
        """Whom each person counts for: visitors the users they became, robots nobody, as the declaration says."""
        from segue.data.identity.people import people

        said = self.declaration
        return people(snapshot or self.snapshot(), said.identity, said.robots, self.folder / "cache")

    def learner(self, name: str) -> Learner:
        """The declared learner of a model, with its parameters."""
        from segue.learn.learner import learner

        said = self.declaration.model(name)
        try:
            return learner(said.learner, said.parameters)
        except SegueError as error:
            error.where = f"{FILE} [models.{name}]"
            raise type(error)(error.problem, where=error.where, mend=error.mend) from error

    # The tables, to be looked at.

    @property
    def events(self) -> LazyTable:
        """What people did, with the ids of people and items."""
        return self._table("events")

    @property
    def items(self) -> LazyTable:
        """The catalog: one row an item."""
        return self._table("items")

    @property
    def users(self) -> LazyTable:
        """The user table: one row a person."""
        return self._table("users")

    @property
    def decisions(self) -> LazyTable:
        """What was decided, as far as it was drained."""
        return self._table("decisions")

    @property
    def quarantine(self) -> LazyTable:
        """The rows that could not be taken, with file, line and reason."""
        return self._table("quarantine")

    def sql(self, query: str) -> Answer:
        """Ask the lake in SQL: events, items, users, decisions and quarantine are tables. Needs `segue[duckdb]`."""
        from segue.data.explore.sql import sql

        return sql(self.snapshot(), query, self.folder / "cache" / "sql")

    def profile(self) -> Profile:
        """What the lake holds, as aggregates; each part is computed when it is first asked for."""
        from segue.data.profile.profile import Profile
        from segue.data.profile.visits import told_robots

        said, snapshot = self.declaration, self.snapshot()
        return Profile(
            snapshot,
            said.events.timezone,
            said.sessions.gap_minutes,
            lambda: told_robots(self.people(snapshot).robots, excluded=said.robots.exclude),
        )

    def report(self) -> Report:
        """What the lake holds, told in sentences and figures; `segue.report.page` makes a page of it."""
        from segue.report.report import report

        return report(self.profile(), self.declaration.workspace.name, datetime.now(UTC))

    def describe(self, user: str) -> Person:
        """All that is known of one person, a user or a visitor: history, sessions, categories, what models see."""
        from segue.data.explore.person import describe

        return describe(self.snapshot(), self.state, user, self.declaration.sessions.gap_minutes)

    def nearest(self, user: str) -> list[str]:
        """The known users and visitors whose ids are nearest to one that nobody has; none where it is known."""
        from segue.data.identity.nearest import nearest

        return nearest(self.snapshot(), user)

    def features(
        self, requests: pl.DataFrame, *, clock: Clock = "occurred", as_of: datetime | None = None
    ) -> pl.DataFrame:
        """The declared features of requests at their times; only events strictly before each count.

        Beside the columns of events, features may be of `category`: an item's first, as the catalog said when the event
        was received.
        """
        from segue.data.features.events import with_categories
        from segue.data.features.features import features

        wanted = self.declaration.features
        return features(with_categories(self.snapshot(as_of), wanted), requests, wanted, clock)

    def sessions(self) -> pl.LazyFrame:
        """One row a session: person, when it began and ended, how many events; robots included."""
        from segue.data.identity.sessions import sessions

        return sessions(self.snapshot().events(), self.declaration.sessions)

    def robots(self) -> list[dict[str, Any]]:
        """Who is taken for a robot, with the evidence."""
        from segue.data.identity.robots import rows

        snapshot = self.snapshot()
        found = self.people(snapshot).robots
        return rows(found, snapshot.person_ids.ids) if found else []

    def alike(self) -> list[dict[str, Any]]:
        """Ids that differ by case, blanks, Unicode form or leading zeros only, and what would join them."""
        from segue.data.identity.likeness import alike

        return [each.row() for each in alike(self.snapshot())]

    def links(self) -> Links:
        """Which visitors were seen with which users, whether they are stitched or not, in person codes."""
        from segue.data.identity.stitch import links

        return links(self.snapshot(), self.declaration.identity.shared)

    def robots_sentence(self, as_of: datetime | None = None) -> str:
        """How many robots there are and what becomes of them; nothing where there is none."""
        from segue.data.identity.robots import sentence

        found = self.people(self.snapshot(as_of)).robots
        verb = "are left out" if self.declaration.robots.exclude else "are counted like people"
        return sentence(found, verb) if found else ""

    # The main job, in the order in which people meet it.

    def ingest(
        self,
        files: Sequence[str | Path] = (),
        *,
        events: Any = None,
        items: Any = None,
        users: Any = None,
        progress: Advance = _silent,
    ) -> Ingested:
        """Read files into the lake: those named, as events; all that the declaration names where none are.

        Files may be paths or addresses ("s3://bucket/day.csv.gz"). `events`, `items` and `users` are frames that are
        taken instead of files: of polars, pandas, pyarrow, DuckDB or whatever has `__arrow_c_stream__`. They are known
        by what they hold, so taking one twice changes nothing.

        What was read before is not read twice. Raises `ReadError` where a file is damaged; rows that cannot be read go
        to quarantine with their reason.
        """
        from segue.data.ingest.ingest import ingest_events, ingest_items, ingest_users
        from segue.results import Ingested

        said, now = self.declaration, datetime.now(UTC)
        paths = self._given(files, {"events": events, "items": items, "users": users})
        told = _told(progress)
        with self.lake.writer():
            reports = [
                *ingest_items(self.lake, said.items, paths["items"], self.folder, now, told),
                *ingest_users(self.lake, said.users, paths["users"], self.folder, now, told),
                *ingest_events(self.lake, said.events, paths["events"], self.folder, now, told),
            ]
        snapshot = self.snapshot()
        if any(not report.skipped for report in reports) or self.state.is_behind(snapshot):
            progress("the people's histories", 0.99)
            self.state.update(snapshot)
        return Ingested(tuple(reports))

    def unread_files(self) -> list[str]:
        """The declared files that the next ingest reads again, as rows of theirs were lost with a file of the lake."""
        from segue.data.ingest.again import unread

        return list(unread(self.lake, self._given((), {})))

    def quarantined(self, reason: str | None = None, limit: int = 20, *, file: str | None = None) -> Quarantined:
        """The rows that could not be taken: how many for each reason, and the first `limit` of them."""
        from segue.data.quality.held import select
        from segue.results import Quarantined

        rows = select(self.snapshot(), reason, file)
        counts = rows["reason"].value_counts(sort=True)
        shown = rows.sort("file", "line").head(limit).select("file", "line", "reason", "column", "raw")
        return Quarantined(dict(counts.iter_rows()), list(shown.iter_rows(named=True)))

    def replay(
        self,
        reason: str | None = None,
        file: str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> Replayed:
        """Try refused rows again, as the declaration says now, or with other settings or columns of [events], [items]
        or [users]. Each comes back once, however often this is repeated; the others stay, with their reason now, or
        with the one they had where other settings were tried."""
        from segue.data.quality.held import held, select
        from segue.data.quality.mends import with_mends
        from segue.data.quality.replay import attempt, replay

        sources = with_mends(self._sources(), settings or {}, columns or {})
        again = attempt if settings or columns else replay
        with self.lake.writer(wait_s=5):
            files = held(select(self.snapshot(), reason, file), self.folder)
            done = again(self.lake, files, sources, datetime.now(UTC))
        return self._replayed(done)

    def export_quarantine(self, path: Path, reason: str | None = None, file: str | None = None) -> int:
        """Write refused rows to a file to be edited, each with its line; how many.

        Where no row has such a reason or file, a `DataError` says which there are, and nothing is written.
        """
        from segue.data.quality.held import export, held, matching

        return export(path, held(matching(self.snapshot(), reason, file), self.folder), self._sources())

    def take_mended(self, path: Path) -> Replayed:
        """Take the rows of a file that `export_quarantine` wrote and somebody edited; those that are good come back."""
        from segue.data.quality.held import held, mended, select
        from segue.data.quality.replay import replay

        with self.lake.writer(wait_s=5):
            files = mended(path, held(select(self.snapshot()), self.folder), self._sources())
            done = replay(self.lake, files, self._sources(), datetime.now(UTC))
        return self._replayed(done)

    def _replayed(self, done: Replayed) -> Replayed:
        snapshot = self.snapshot()
        if done.returned or self.state.is_behind(snapshot):  # a replay that was killed may have left it so
            self.state.update(snapshot)
        return done

    def check(self) -> Checked:
        """Hold the lake against the declared rules; against a sensible set where none are declared.

        The results are kept in the table `checks` of the lake.
        """
        from segue.data.quality.check import check
        from segue.data.quality.defaults import default_rules
        from segue.data.quality.history import keep
        from segue.results import Checked

        snapshot, now = self.snapshot(), datetime.now(UTC)
        rules = self.declaration.rules or default_rules(snapshot)
        results = tuple(check(snapshot, rules, now))
        try:
            keep(self.lake, snapshot, results, now)
        except SegueError as error:  # another process writes, the disk is full: the results stand all the same
            return Checked(results, f"the results were not kept: {error.problem}")
        return Checked(results)

    def propose_rules(self, *, write: bool = False) -> list[Proposal]:
        """A first set of rules, from the data, with the evidence for each bound; `write` adds them to segue.toml."""
        from segue.data.quality import propose

        now = datetime.now(UTC)
        proposals = propose.propose(self.snapshot(), now)
        if write:
            propose.write(self.folder / FILE, proposals, now)
        return proposals

    def check_history(self) -> pl.DataFrame:
        """The result of every rule in every check so far, oldest first."""
        from segue.data.quality.history import history

        return history(self.lake)

    def check_trends(self) -> list[Trend]:
        """How each rule of the last check fared over all checks."""
        from segue.data.quality.history import trends

        return trends(self.check_history())

    def train(
        self, models: Sequence[str] = (), *, as_of: datetime | None = None, progress: Advance = _silent
    ) -> list[TrainedModel]:
        """Train the declared models, or those named, on all that is in the lake, or on what was received by `as_of`."""
        from segue.operate.train import train

        names = self._names(models)
        learners = {name: self.learner(name) for name in names}
        snapshot = self.snapshot(as_of)
        dataset = self.dataset(snapshot)
        trained = []
        for number, name in enumerate(names):
            progress(name, number / len(names))
            made = train(
                name,
                learners[name],
                self.engine,
                dataset,
                self.folder / "models",
                now=datetime.now(UTC),
                as_of=as_of,
                fingerprint=snapshot.fingerprint,
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
        method = method or said.split
        if method == "files":
            return self._split_by_files(self.snapshot(as_of))
        prepared = self.engine.prepare(self.dataset(self.snapshot(as_of)), Key.USER)
        match method:
            case "time":
                return splits.split_by_time(prepared, said.test_days, said.test_fraction)
            case "last":
                return splits.split_last(prepared, said.last)
            case _:
                return splits.split_random(prepared, said.test_fraction, said.seed)

    def fit(self, models: Sequence[str], split: Split, *, progress: Advance = _silent) -> Fitted:
        """Train models on the training part of a split, without saving them; seconds by name beside."""
        from segue.results import Fitted

        fitted, seconds = {}, {}
        for number, name in enumerate(models):
            progress(f"training {name}", number / len(models))
            began = perf_counter()
            fitted[name] = self.learner(name).fit(self.engine, split.train)
            seconds[name] = perf_counter() - began
        return Fitted(fitted, seconds)

    def evaluate(
        self,
        models: Sequence[str] = (),
        *,
        split: str | None = None,
        as_of: datetime | None = None,
        progress: Advance = _silent,
    ) -> Leaderboard:
        """Train on the past part of the log, rank all items, and hold the lists against what people did next.

        Where `as_of` is given, on what was received by then.

        The baseline of [evaluation] takes part whether it is named or not, so that every model is compared with it.
        """
        from segue.measure.familiarity import familiarity
        from segue.measure.leaderboard import leaderboard
        from segue.measure.offline import evaluate

        said = self.declaration.evaluation
        names = self._with_baseline(models)
        parts = self.split(split, as_of)
        fitted = self.fit(names, parts, progress=progress)
        evaluation = evaluate(
            fitted.models,
            parts.test,
            parts.train.items,
            said if split is None else msgspec.structs.replace(said, split=split),
            split=parts,
            familiarity=familiarity(parts.train),
            fit_seconds=fitted.seconds,
            progress=progress,
        )
        return leaderboard(evaluation)

    def affinity(
        self, models: Sequence[str] = (), *, attribute: str = "categories", progress: Advance = _silent
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

        `user` is a person of the log, `history` item ids, oldest first, of anybody. A person that nobody knows gets a
        sensible list, and `fallback` says so.
        """
        if (user is None) == (history is None):
            raise SegueError("a list is for one `user` or for one `history`", mend="give one of the two")
        if not 1 <= k <= CANDIDATES_KEPT:
            raise SegueError(f"a list has 1 to {CANDIDATES_KEPT} items, found k = {k}", mend="ask for that many")
        name = self._model(model)
        title = f"for {user}" if user is not None else "for this history"
        listed = self._list(self._sources_of(name), user, None, history or (), k, title)
        return replace(listed, title=f"{title}, by {listed.by or name}")

    def recommend_all(
        self, out: Path | None, *, k: int = 20, model: str | None = None, progress: Advance = _silent
    ) -> Listed:
        """Everybody's list, users and visitors, into a .csv, .jsonl or .parquet file; the same as one by one.

        Memory does not grow with the number of people. The file is there whole or not at all.
        """
        from segue.recommendations import EVERYBODY, writer
        from segue.results import Listed

        if out is None:
            raise SegueError("lists for everybody need a file to go to", mend="add --out lists.parquet")
        sources = self._sources_of(self._model(model))
        people = [key for key in self.snapshot().person_ids.ids if key[:2] in ("u:", "v:")]  # not who was forgotten
        with writer(out, EVERYBODY) as write:
            for number, key in enumerate(people):
                kind, person = {"u": "user", "v": "visitor"}[key[0]], key[2:]
                given = {"user": None, "visitor": None} | {kind: person}
                listed = self._list(sources, given["user"], given["visitor"], (), k)
                write({"person": person, "kind": kind} | row for row in listed.rows())
                progress(f"for {person}", number / len(people))
        return Listed(out, len(people))

    def _list(
        self, sources: Sources, user: str | None, visitor: str | None, history: Sequence[str], k: int, title: str = ""
    ) -> Recommendations:
        from segue.data.identity.normalise import normalised
        from segue.decide.ask import Ask
        from segue.decide.decide import decide
        from segue.decide.surface import Surface
        from segue.domain.events import person_key
        from segue.recommendations import Recommendations

        said = self.declaration.identity.normalise
        user, visitor = (normalised(name, said.users) if name else name for name in (user, visitor))
        key = person_key(user, visitor)
        ask = Ask(
            surface="recommend",
            request_id=uuid4().hex,
            now=datetime.now(UTC),
            user=user,
            visitor=visitor,
            past=self.state.history(key) if key else (),
            history=[normalised(item, said.items) for item in history],
        )
        surface = Surface(sources=tuple(sources.models), k=k)
        return Recommendations(decide(surface, sources, ask), sources.catalog, title)

    def release(self, models: Sequence[str] = ()) -> dict[str, Any]:
        """Put trained models, surfaces and catalog into service as one unit, and switch to it.

        The models named here, or all that the surfaces and experiments name.
        """
        said = self.declaration
        made = self.registry.release(models, said.surfaces, said.experiments, self.snapshot(), events=said.events)
        return made.row()

    def releases(self) -> list[dict[str, Any]]:
        """All releases, oldest first, the current one marked."""
        return self.registry.rows()

    def switch(self, release: str) -> str:
        """Make another release the current one; a running service follows."""
        return self.registry.switch(release)

    def rollback(self) -> str:
        """Go back to the release before the current one."""
        return self.registry.rollback()

    def serve(self, *, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
        """Serve the current release over HTTP until stopped."""
        from segue.serve.run import serve

        given = {"host": host, "port": port, "workers": workers}
        settings = msgspec.structs.replace(
            self.declaration.serve, **{name: value for name, value in given.items() if value is not None}
        )
        serve(self.folder, settings, self.declaration.events)

    def drain(self) -> dict[str, Any]:
        """Move what the service acknowledged from the journal into the lake."""
        from segue.data.journal.drain import drain

        drained = drain(self.lake, self.journal, self.state)
        return {"events": drained.events, "decisions": drained.decisions}

    def index(self) -> None:
        """Build the index of each person's history from the lake, whole."""
        self.state.rebuild(self.snapshot())

    def experiment(self, name: str | None = None) -> list[Readout]:
        """What the log, drained or not, says about one experiment, or about every declared one."""
        from segue.data.journal.log import Log
        from segue.measure.experiment import readout

        declared = self.declaration.experiments
        if name is not None and name not in declared:
            raise unknown("experiment", name, declared, where=FILE)
        if not declared:
            raise UnknownName(
                "no experiment is declared", where=str(self.folder / FILE), mend="see docs/experiments.md for one"
            )
        log = Log(self.lake, self.journal)
        return [readout(each, declared[each], log.decisions(), log.events()) for each in ([name] if name else declared)]

    def create_key(self, role: str = "service") -> str:
        """A new API key, shown once; only its hash is kept."""
        from segue.serve.auth import create_key

        return create_key(self.folder, role)

    def revoke_key(self, key: str) -> None:
        """Take an API key back; a running service refuses it within two seconds. `DataError` where it is not known."""
        from segue.serve.auth import revoke_key

        if not revoke_key(self.folder, key):
            raise DataError(
                "this workspace does not know that key",
                where="key revoke",
                mend="give it whole, as `segue key` printed it; which workspace it is of, -C says",
            )

    def _table(self, name: str) -> LazyTable:
        from segue.data.explore.table import LazyTable

        return LazyTable(self.snapshot(), name)

    def _sources(self) -> dict[str, TableSource]:
        said = self.declaration
        return {"events": said.events, "items": said.items, "users": said.users}

    def _given(self, files: Sequence[str | Path], frames: Mapping[str, Any]) -> dict[str, list[Location]]:
        """What is to be ingested into each table: what was given, or else all that the declaration names."""
        from segue.data.sources.frames import Frame
        from segue.data.sources.places import is_address, locations, source_locations

        storage, mend = self.declaration.storage, f"correct `files` in {FILE}"
        given: dict[str, list[Location]] = {
            table: [] if frame is None else [Frame(frame, table)] for table, frame in frames.items()
        }
        for file in files:
            many = is_address(str(file)) or Path(file).is_dir()
            given["events"] += locations([str(file)], Path(), storage, mend) if many else [Path(file)]
        if any(given.values()):
            return given
        return {
            table: source_locations(source, self.folder, storage, mend) for table, source in self._sources().items()
        }

    def _paths(self, patterns: Sequence[str]) -> list[Location]:
        """The files of paths, globs, folders and addresses; one that meets no file is refused."""
        from segue.data.sources.places import locations

        return locations(patterns, self.folder, self.declaration.storage, f"correct `files` in {FILE}")

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
        return split_files(parts[0], parts[1])

    def _names(self, models: Sequence[str]) -> list[str]:
        for name in models:
            self.declaration.model(name)
        names = list(models or self.declaration.models)
        if not names:
            raise DeclarationError(
                "no model is declared",
                where=str(self.folder / FILE),
                mend='add one: [models.ease] and below it learner = "ease"',
            )
        return names

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
        if model is not None:
            raise unknown("trained model", model, trained, where=str(self.folder / "models"))
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


def _told(progress: Advance) -> Callable[[Progress], None]:
    return lambda read: progress(read.path, read.bytes_done / max(read.bytes_all, 1))


def _labels(item: Item, attribute: str) -> tuple[str, ...]:
    """An item's categories, or the values of one of its attributes."""
    if attribute == "categories":
        return item.categories
    value = item.attributes.get(attribute)
    return () if value is None else tuple(map(str, value)) if isinstance(value, list) else (str(value),)
