"""Training: a learner fitted, and its model saved beside the earlier ones, whole or not at all."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from segue.data.lake.files import replace
from segue.data.lake.lease import lease
from segue.domain.errors import DeclarationError, ModelError, SegueError, UnknownName, unknown
from segue.engines.engine import Dataset, Engine
from segue.learn.learner import Learner, Validate
from segue.learn.saved import read_manifest, save_model, verified
from segue.operate.drafts import LEASE, WAIT_S, dated, draft, publish

CURRENT = "current"
RUNS_KEPT = 5  # of one model; releases hold their own links to the files, so that they lose nothing


class TrainedModel(msgspec.Struct, frozen=True):
    """One training of one model: what is remembered under `extra` in its manifest.

    as_of        the moment up to which the log was read, None for all of it
    fingerprint  of the lake that it learned from
    dataset      fingerprint of the interactions
    catalog      version of the items' table; None where there is none, or the model is older than this is remembered
    note         which form the model took and what it leaves out, such as "dense: 900 x 900 weights"
    """

    model: str
    run: str
    learner: str
    parameters: dict[str, Any]
    personal: bool
    trained: datetime
    as_of: datetime | None
    fingerprint: str
    dataset: str
    fit_seconds: float
    rows: int
    people: int
    items: int
    nbytes: int
    catalog: int | None = None
    note: str = ""

    def row(self) -> dict[str, Any]:
        """What a table of trained models shows."""
        return {
            "model": self.model,
            "learner": self.learner,
            "rows": self.rows,
            "people": self.people,
            "items": self.items,
            "seconds": round(self.fit_seconds, 3),
            "megabytes": round(self.nbytes / 1e6, 2),
            **({} if self.as_of is None else {"as_of": self.as_of.isoformat()}),
            "run": self.run,
        }


def train(
    name: str,
    learner: Learner,
    engine: Engine,
    dataset: Dataset,
    models: Path,
    *,
    now: datetime,
    as_of: datetime | None = None,
    fingerprint: str = "",
    catalog: int | None = None,
    validate: Validate | None = None,
) -> TrainedModel:
    """Fit the learner, save the model as `models/<name>/<run>`, and make it the model's current run.

    Two trainings at once are safe: each has a run of its own, and the one that began last (`now`) becomes current,
    whichever is done first. An interrupted training leaves the current run as it was.
    """
    folder = models / safe_name(name)
    started = time.perf_counter()
    recommender = learner.fit(engine, dataset, validate)
    seconds = time.perf_counter() - started
    trained = TrainedModel(
        model=name,
        run=dated(now),
        learner=learner.name,
        parameters=msgspec.structs.asdict(learner),
        personal=recommender.personal,
        trained=now,
        as_of=as_of,
        fingerprint=fingerprint,
        dataset=dataset.fingerprint,
        fit_seconds=seconds,
        rows=dataset.rows,
        people=dataset.users,
        items=len(recommender.items),
        nbytes=recommender.nbytes,
        catalog=catalog,
        note=getattr(recommender, "note", ""),
    )
    with draft(folder) as drafted:
        save_model(recommender, drafted / trained.run, msgspec.to_builtins(trained))
        with lease(folder / LEASE, f"tidying the runs of {name}", wait_s=WAIT_S):
            publish(drafted / trained.run, folder / trained.run)
            if not _began_later(folder, trained):
                replace(folder / CURRENT, f"{trained.run}\n")
            _forget_old_runs(folder, trained.run)
    return trained


def trained_model(models: Path, name: str) -> TrainedModel:
    """The current run of a model; `UnknownName` where it was never trained, `ModelError` where it is damaged."""
    known = trained_names(models)
    if name not in known:
        raise unknown("trained model", name, known, where=str(models))
    folder = models / name
    run = (folder / CURRENT).read_text().strip()
    try:
        return _told(folder / run)
    except msgspec.ValidationError as error:
        where, mend = str(folder / run / "manifest.json"), f"train {name} again"
        raise ModelError(
            f"the manifest does not tell how the model was trained ({error})", where=where, mend=mend
        ) from error


def unchanged(
    models: Path, name: str, learner: Learner, dataset: Dataset, as_of: datetime | None, catalog: int | None
) -> TrainedModel | None:
    """The current run of a model that training would give again; None where it would not, or is damaged.

    Every file is held against its checksum, about 1 s per GB.
    """
    try:
        held = trained_model(models, name)
    except (UnknownName, ModelError):
        return None
    told = held.learner, held.parameters, held.dataset, held.as_of, held.catalog
    asked = learner.name, msgspec.to_builtins(msgspec.structs.asdict(learner)), dataset.fingerprint, as_of, catalog
    return held if told == asked and _is_whole(models / name / held.run) else None


def _is_whole(run: Path) -> bool:
    try:
        verified(run)
    except ModelError:
        return False
    return True


@contextmanager
def naming(model: str, learner: str, trained: Sequence[str] = ()) -> Iterator[None]:
    """Whatever fails within says which model it was, and which were trained before it.

    >>> with naming("near", "item_knn", ["popularity"]):
    ...     raise SegueError("too few people", mend="take more")
    Traceback (most recent call last):
    ...
    segue.domain.errors.SegueError: model near (learner item_knn): too few people
      → take more; trained before it, and kept: popularity
    """
    kept = f"trained before it, and kept: {', '.join(trained)}" if trained else ""
    try:
        yield
    except SegueError as error:
        error.mend = "; ".join(filter(None, (error.mend, kept)))
        error.where = "" if error.where == f"learner {learner}" else error.where  # said once
        error.within(f"model {model}" if model == learner else f"model {model} (learner {learner})")
        raise
    except Exception as error:
        error.add_note("; ".join(filter(None, (f"this was model {model}, learner {learner}", kept))))
        raise


def trained_names(models: Path) -> list[str]:
    """The models that have a current run, sorted."""
    return sorted(path.parent.name for path in models.glob(f"*/{CURRENT}"))


def runs(folder: Path) -> list[str]:
    """The runs of one model, oldest first."""
    return sorted(path.parent.name for path in folder.glob("[!.]*/manifest.json"))


def _told(run: Path) -> TrainedModel:
    return msgspec.convert(read_manifest(run)["extra"], TrainedModel)


def _began_later(folder: Path, trained: TrainedModel) -> bool:
    """Whether the current run began after this one; a current run that cannot be read is none."""
    try:
        return _told(folder / (folder / CURRENT).read_text().strip()).trained > trained.trained
    except (FileNotFoundError, ModelError, msgspec.ValidationError, KeyError):
        return False


def _forget_old_runs(folder: Path, made: str) -> None:
    """Remove all but the newest runs, the current one, and the one that was made just now."""
    current = (folder / CURRENT).read_text().strip()
    for run in runs(folder)[:-RUNS_KEPT]:
        if run not in (current, made):
            shutil.rmtree(folder / run, ignore_errors=True)


def safe_name(name: str) -> str:
    """The name of a model, which folders are called after; a `DeclarationError` where they cannot be."""
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise DeclarationError(
            f"'{name}' cannot be the name of a model, for a folder is called after it",
            where="[models]",
            mend="use letters, digits, '_', '-' and '.', and do not begin with a dot",
        )
    return name
