"""The releases of a workspace: made whole or not at all, switched by one rename, rolled back by another."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import msgspec

from segue.data.lake_files import replace
from segue.data.lake_lease import lease
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
    ) -> Release:
        """Make a release of the current runs of these models, and switch to it.

        Where no models are named: all that the surfaces and the variants need, and a model that can do without a
        history, if one was trained. It is loaded and asked once for every surface before it gets its name, so what is
        wrong is found here: `DeclarationError`, `UnknownName` or `ModelError`, and nothing has changed.
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
            )
            written(release, folder)
            loaded(folder).rehearse()
            publish(folder, self.folder / release.id)
        self._point(release.id)
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
        try:
            return self.current_file.read_text().strip()
        except FileNotFoundError:
            return None

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
        self.load(name).rehearse()
        self._point(name)
        return name

    def rollback(self) -> str:
        """Switch to the release made before the current one."""
        names, current = self.names(), self.current()
        earlier = [name for name in names if current is not None and name < current]
        if not earlier:
            raise UnknownName(
                f"there is no release before {current or 'the first'}",
                where=str(self.folder),
                mend=f"`segue release switch` goes to any of: {', '.join(names) or 'none yet'}",
            )
        return self.switch(earlier[-1])

    def prune(self, keep: int) -> list[str]:
        """Remove all but the newest `keep` releases, the current one and the one before it; the ids that went.

        A service that still holds one of them keeps it: its files stay in memory until they are let go.
        """
        with lease(self.folder / LEASE, "tidying the releases", wait_s=WAIT_S):
            names, current = self.names(), self.current()
            held = set(names[max(0, len(names) - keep) :])
            if current in names:
                held |= {current, names[max(0, names.index(current) - 1)]}
            gone = [name for name in names if name not in held]
            for name in gone:
                aside = self.folder / f"{PREFIX}{name}"  # swept with the drafts, should this be killed
                (self.folder / name).rename(aside)
                shutil.rmtree(aside)
        return gone

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
            for file in (self.models / name / run).iterdir():
                try:
                    os.link(file, place / file.name)
                except OSError as error:
                    if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                        raise
                    shutil.copy2(file, place / file.name)

    def _point(self, name: str) -> None:
        with lease(self.folder / LEASE, "switching releases", wait_s=WAIT_S):
            replace(self.current_file, f"{name}\n")

    def list(self) -> list[Release]:
        """The releases that can be read, oldest first."""
        releases = []
        for name in self.names():
            with contextlib.suppress(ModelError):
                releases.append(described(self.folder / name))
        return releases
