"""A workspace folder, opened: its declaration, its parts, its data and its learners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from segue.declaration import FILE, Declaration, Loaded, Origin, load
from segue.domain.errors import DataError, DeclarationError, SegueError, unknown
from segue.project.given import texts_of

if TYPE_CHECKING:
    from segue.data.histories.state import UserState
    from segue.data.identity.people import People
    from segue.data.journal.journal import SQLiteJournal
    from segue.data.lake.lake import Lake, Snapshot
    from segue.data.lake.upkeep import Upkeep
    from segue.data.read.files import Location
    from segue.data.settings import TableSource
    from segue.engines.engine import Dataset
    from segue.engines.local import LocalEngine
    from segue.learn.learner import Learner
    from segue.operate.registry import Registry

Advance = Callable[[str, float], None]


def silent(what: str, share: float) -> None:
    """Nobody watches."""


class Workspace:
    """A folder with `segue.toml`, and the parts that it names, each opened when it is first needed."""

    def __init__(self, folder: Path, loaded: Loaded) -> None:
        self.folder = folder
        self.declaration: Declaration = loaded.declaration
        self._loaded = loaded

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the workspace in `folder`; a `DeclarationError` says what is wrong with its `segue.toml`, and where."""
        folder = Path(folder)
        return cls(folder, load(folder))

    def __repr__(self) -> str:
        return f"Project({str(self.folder)!r}: {self.declaration.workspace.name})"

    def origins(self) -> list[Origin]:
        """Every setting with its value and where it was said."""
        return self._loaded.origins()

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
        if as_of is not None and not isinstance(as_of, datetime):
            such = "such as datetime(2026, 1, 31, tzinfo=UTC)"
            raise SegueError(f"expected a datetime with a time zone, found {as_of!r}", where="as_of", mend=such)
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
        """The declared learner of a model, with its parameters. What it makes goes into folders of the model's name, so
        one that leads elsewhere is a `DeclarationError`."""
        from segue.learn.learner import learner
        from segue.operate.train import safe_name

        said = self.declaration.model(safe_name(name))
        try:
            return learner(said.learner, with_models(self.declaration, name))
        except SegueError as error:
            error.where = f"{FILE} [models.{name}]"
            raise type(error)(error.problem, where=error.where, mend=error.mend) from error

    def _names(self, models: Sequence[str]) -> list[str]:
        asked = texts_of("models", models)
        for name in asked:
            self.declaration.model(name)
        names = asked or list(self.declaration.models)
        if not names:
            raise DeclarationError(
                "no model is declared",
                where=str(self.folder / FILE),
                mend='add one: [models.ease] and below it learner = "ease"',
            )
        return names

    def _sources(self) -> dict[str, TableSource]:
        said = self.declaration
        return {"events": said.events, "items": said.items, "users": said.users}

    def _paths(self, patterns: Sequence[str]) -> list[Location]:
        """The files of paths, globs, folders and addresses; one that meets no file is refused."""
        from segue.data.sources.places import locations

        return locations(patterns, self.folder, self.declaration.storage, f"correct `files` in {FILE}")


def with_models(said: Declaration, name: str, within: Sequence[str] = ()) -> dict[str, Any]:
    """The parameters of a declared model, with tables in place of the declared models that are its parts."""
    parameters = said.model(name).parameters
    parts = parameters.get("parts")
    if not isinstance(parts, list):
        return parameters
    path = (*within, name)
    if looped := [part for part in parts if isinstance(part, str) and part in path]:
        raise DeclarationError(
            f"model '{looped[0]}' is part of itself: {' > '.join(path)} > {looped[0]}",
            where=f"{FILE} [models.{name}]",
            mend="take it out of `parts`",
        )
    return {**parameters, "parts": [_part(said, part, path) for part in parts]}


def _part(said: Declaration, part: Any, path: Sequence[str]) -> Any:
    """A declared model as a table; all else is left for the learner to read, but for a blend's names of nothing."""
    from segue.learn.registry import offered

    if isinstance(part, str) and part in said.models:
        return {"learner": said.model(part).learner, **with_models(said, part, path)}
    if isinstance(part, str) and part not in offered() and said.model(path[-1]).learner == "blend":
        raise unknown("model or learner", part, {*said.models, *offered()} - {*path})
    return part
