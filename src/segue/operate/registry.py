"""The releases of a workspace: made whole or not at all, switched by one rename, rolled back by another.

`current` names the release in service in its first line, and below it those that were in service before, the last one
first: one small file, replaced in one step, so that what serves and where a rollback leads never disagree.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import msgspec

from segue.data.lake.files import replace
from segue.data.lake.lease import lease
from segue.data.settings import EventSource
from segue.decide.surface import Surface
from segue.decide.variants import Variants
from segue.domain.catalog import Item
from segue.domain.errors import DeclarationError, ModelError, UnknownName, unknown
from segue.domain.experiment import Experiment
from segue.operate.drafts import LEASE, PREFIX, WAIT_S, dated, draft, publish
from segue.operate.release import (
    CATALOG,
    MANIFEST,
    MODELS,
    LoadedRelease,
    Release,
    checksum,
    described,
    loaded,
    written,
)
from segue.operate.train import CURRENT, TrainedModel, trained_model, trained_names

KEPT = 10  # the newest releases, beside the current one and the one that a rollback goes to
REMEMBERED = 50  # how many steps a rollback can go back


class Catalogued(Protocol):
    """What a release takes from the lake: the catalog, and the fingerprint of what it was read from."""

    @property
    def fingerprint(self) -> str: ...

    def catalog(self) -> dict[str, Item]: ...


class Registry:
    """The releases in `<workspace>/releases`, made from the runs in `<workspace>/models`.

    Every method may be called while a service serves and while others train or release.
    """

    def __init__(self, workspace: Path) -> None:
        self.folder = workspace / "releases"
        self.models = workspace / "models"
        self.current_file = self.folder / CURRENT

    def release(
        self,
        models: Sequence[str],
        surfaces: Mapping[str, Surface],
        experiments: Mapping[str, Experiment],
        snapshot: Catalogued,
        now: datetime | None = None,
        *,
        events: EventSource | None = None,
    ) -> Release:
        """Make a release of the current runs of these models, switch to it, and let go of old ones (see `prune`).

        `events` says what live events weigh for as long as this release is in service. Where no models are named: all
        that the surfaces and the variants need, and a model that can do without a history, if one was trained. It is
        loaded and asked once for every surface before it gets its name, so what is wrong is found here:
        `DeclarationError`, `UnknownName` or `ModelError`, and nothing has changed.
        """
        trained = self._trained(models, Variants(surfaces, experiments))
        created = now or datetime.now(UTC)
        catalog = snapshot.catalog()
        with draft(self.folder) as folder:
            for name, model in trained.items():
                self._link(name, model.run, folder / MODELS / name)
            lines = msgspec.json.Encoder().encode_lines(list(catalog.values()))
            (folder / CATALOG).write_bytes(lines)
            files = [CATALOG, *(f"{MODELS}/{name}/{MANIFEST}" for name in trained)]
            release = Release(
                id=dated(created),
                created=created,
                segue=version("segue"),
                models=trained,
                surfaces=dict(surfaces),
                experiments=dict(experiments),
                fallback=next((name for name, model in trained.items() if not model.personal), None),
                items=len(catalog),
                fingerprint=snapshot.fingerprint,
                checksums={file: checksum(folder / file) for file in files},
                events=events,
            )
            written(release, folder)
            loaded(folder).rehearse()
            with self._lease("releasing"):
                publish(folder, self.folder / release.id)
                self._point([release.id, *self._trail()])
                self._prune(KEPT)
        return release

    def names(self) -> list[str]:
        """The ids of all releases, oldest first."""
        return sorted(path.parent.name for path in self.folder.glob(f"[!.]*/{MANIFEST}"))

    def rows(self) -> list[dict[str, Any]]:
        """What a table shows: every release, oldest first, the current one marked, with what is wrong with it."""
        current, rows = self.current(), []
        for name in self.names():
            mark = {"current": "*" if name == current else ""}
            try:
                rows.append(mark | described(self.folder / name).row() | {"problem": ""})
            except ModelError as error:
                rows.append(mark | {"release": name, "problem": error.problem})
        return rows

    def current(self) -> str | None:
        """The id of the current release, None where there is none yet."""
        return next(iter(self._lines()), None)

    def manifest(self) -> Release | None:
        """What the current release says of itself, None where there is none yet; nothing is loaded."""
        name = self.current()
        return None if name is None else described(self.folder / name)

    def load(self, name: str | None = None) -> LoadedRelease:
        """A release in memory, the current one where none is named."""
        name = name or self.current()
        if name is None:
            raise UnknownName("nothing is released yet", where=str(self.folder), mend="run `segue release` first")
        if name not in self.names():
            raise unknown("release", name, self.names(), where=str(self.folder))
        return loaded(self.folder / name)

    def switch(self, name: str) -> str:
        """Make another release the current one. It is loaded first: one that is damaged is refused, nothing changes."""
        with self._lease("switching releases"):
            self.load(name).rehearse()
            self._point([name, *self._trail()])
        return name

    def rollback(self) -> str:
        """Switch to the release that was in service before the current one.

        Done again, it goes one step further back. A rollback is no step itself: what was rolled back is forgotten.
        """
        with self._lease("switching releases"):
            current, *earlier = self._trail() or [""]
            if not earlier:
                raise UnknownName(
                    f"no release was in service before {current or 'the first'}",
                    where=str(self.folder),
                    mend=f"`segue release switch` goes to any of: {', '.join(self.names())}"
                    if self.names()
                    else "run `segue release` first",
                )
            self.load(earlier[0]).rehearse()
            self._point(earlier)
        return earlier[0]

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` releases, the current one and the one before it; the ids that went.

        A service that still holds one of them keeps it: its files stay in memory until they are let go.
        """
        with self._lease("tidying the releases"):
            return self._prune(keep)

    def _trained(self, models: Sequence[str], variants: Variants) -> dict[str, TrainedModel]:
        if not variants.surfaces:
            raise DeclarationError("there is no surface to release", where="[surfaces]", mend="declare one")
        known = trained_names(self.models)
        wanted = list(models) or list(
            dict.fromkeys(name for form in variants.forms().values() for name in form.sources)
        )
        for name in models:
            if name not in known:
                raise unknown("trained model", name, known, where=str(self.models))
        variants.refuse_missing_models(wanted, known)
        trained = {name: trained_model(self.models, name) for name in wanted}
        if not models and all(model.personal for model in trained.values()):
            others = (trained_model(self.models, name) for name in known if name not in trained)
            trained |= {model.model: model for model in others if not model.personal}
        return trained

    def _link(self, name: str, run: str, place: Path) -> None:
        """The files of a run under another name as well, so that neither old runs nor old releases can be missed."""
        place.mkdir(parents=True)
        with lease(self.models / name / LEASE, f"releasing {name}", wait_s=WAIT_S):
            shutil.copytree(self.models / name / run, place, copy_function=_linked, dirs_exist_ok=True)

    def _lease(self, purpose: str) -> AbstractContextManager[None]:
        return lease(self.folder / LEASE, purpose, wait_s=WAIT_S)

    def _lines(self) -> list[str]:
        try:
            return self.current_file.read_text().split()
        except FileNotFoundError:
            return []

    def _trail(self) -> list[str]:
        """The current release and those that were in service before it, the last one first, as far as they are left."""
        left = set(self.names())
        current, *earlier = self._lines() or [""]
        return _without_repeats([name for name in (current, *earlier) if name == current or name in left])

    def _point(self, trail: list[str]) -> None:
        replace(self.current_file, "\n".join(_without_repeats(trail)[:REMEMBERED]) + "\n")

    def _prune(self, keep: int) -> list[str]:
        names = self.names()
        held = {*names[max(0, len(names) - keep) :], *self._trail()[:2]}
        gone = [name for name in names if name not in held]
        for name in gone:
            aside = self.folder / f"{PREFIX}{name}"  # swept with the drafts, should this be killed
            (self.folder / name).rename(aside)
            shutil.rmtree(aside)
        return gone

    def list(self) -> list[Release]:
        """The releases that can be read, oldest first."""
        releases = []
        for name in self.names():
            with contextlib.suppress(ModelError):
                releases.append(described(self.folder / name))
        return releases


def _linked(file: str, place: str) -> None:
    """The file under another name as well; a copy where the file system has no two names for one file."""
    try:
        os.link(file, place)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        shutil.copy2(file, place)


def _without_repeats(trail: list[str]) -> list[str]:
    """Each name that differs from the one before it."""
    return [name for place, name in enumerate(trail) if place == 0 or name != trail[place - 1]]
