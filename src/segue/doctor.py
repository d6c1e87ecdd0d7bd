"""What is installed and what is wrong with a workspace, each with one command to run next; works where it is broken."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from segue.declaration import FILE
from segue.domain import columns
from segue.domain.errors import SegueError

if TYPE_CHECKING:
    from segue.data.lake.lake import Lake
    from segue.data.lake.snapshot import Snapshot
    from segue.project import Project

State = Literal["ok", "note", "warning", "broken"]
PACKAGES: Final = ("polars", "deltalake", "pyarrow", "numpy", "numba", "granian")
EXTRAS: Final = {"duckdb": "duckdb", "adbc_driver_postgresql": "postgresql"}  # the module -> the extra that brings it
LEAST_FREE: Final = 1 << 30  # bytes; below it an ingest or a compaction may not come to its end
BACKLOG: Final = 20_000  # events that wait to be drained before it is worth a word
QUARANTINED: Final = 0.05  # the share of rows from which it is worth a word
CLOCK: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, in words, and the command that mends it, where there is one."""

    area: str
    state: State
    told: str
    next: str = ""

    def row(self) -> dict[str, Any]:
        """The finding as a row of a table."""
        return {"area": self.area, "state": self.state, "what": self.told, "next": self.next}


@dataclass(frozen=True)
class Diagnosis:
    """All that was looked at, in the order in which the parts build on each other."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is broken; warnings and notes do not count."""
        return all(finding.state != "broken" for finding in self.findings)

    @property
    def next(self) -> str:
        """The one command to run next: that of the worst finding, or "" where there is nothing to mend."""
        for state in ("broken", "warning", "note"):
            for finding in self.findings:
                if finding.state == state and finding.next:
                    return finding.next
        return ""

    def rows(self) -> list[dict[str, Any]]:
        """One row a finding."""
        return [finding.row() for finding in self.findings]


def diagnose(folder: Path) -> Diagnosis:
    """Look at the machine, the installation and the workspace in `folder`; no table is changed, and nothing raises."""
    here = "segue" if folder == Path() else f"segue -C {folder}"
    machine = _looked("machine", partial(_machine, folder))
    return Diagnosis((*machine, *_looked("installation", _installation), *_workspace(folder, here)))


def _workspace(folder: Path, here: str) -> Iterator[Finding]:
    """What needs no declaration is looked at without one."""
    from segue.data.lake.lake import Lake
    from segue.project import Project

    project = snapshot = None
    try:
        project = Project.open(folder)
    except (SegueError, OSError) as error:
        there = (folder / FILE).exists()
        yield _broken("declaration", error, f"{here} config show" if there else "segue init DIR --events FILE")
    else:
        yield from _looked("declaration", partial(_declaration, project, here))
    lake = Lake(folder / "lake")
    for name in lake.tables:
        yield from _looked("lake", partial(_table, lake, name, here))
    with contextlib.suppress(SegueError, OSError):  # said with its table
        snapshot = lake.snapshot()
        yield from _rows(snapshot, _lost_tables(lake), here)
    if project is not None:
        yield from _looked("journal", partial(_journal, project, here))
    if project is not None and snapshot is not None:
        yield from _looked("index", partial(_index, project, snapshot, here))
        yield from _looked("models", partial(_models, project, snapshot, here))
        yield from _looked("release", partial(_release, project, here))


def _rows(snapshot: Snapshot, lost: set[str], here: str) -> Iterator[Finding]:
    """What the rows say, as far as they are there: what a table lost is said with it."""
    if not lost & {"item_ids", "person_ids"}:
        yield from _looked("lake", partial(_dictionaries, snapshot))
    if "quarantine" not in lost:
        yield from _looked("quarantine", partial(_quarantine, snapshot, here))
    if "events" not in lost:
        yield from _looked("clock", partial(_clock, snapshot, here))


def _lost_tables(lake: Lake) -> set[str]:
    """The tables of which files are gone."""
    from segue.data.lake.lost import lost

    return {name for name, table in lake.tables.items() if lost(table) is not None}


def _looked(area: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What a look finds; that it could not be done is a finding as well."""
    found: list[Finding] = []
    try:
        found.extend(look())  # what was found before an error stays
    except Exception as error:  # a workspace may be broken in any way, and the other looks still have to be taken
        found.append(_broken(area, error, ""))
    return found


def _broken(area: str, error: Exception, command: str) -> Finding:
    if isinstance(error, SegueError):
        place, mend = (f"{error.where}: " if error.where else ""), (f"; {error.mend}" if error.mend else "")
        return Finding(area, "broken", f"{place}{error.problem}{mend}", command)
    first = (str(error).splitlines() or [""])[0]
    return Finding(area, "broken", f"{type(error).__name__}: {first}", command)


def _machine(folder: Path) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("machine", "ok", f"{platform.system()} {platform.machine()}, {cores} cores, {memory:.0f} GiB memory")
    place = next((each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir()), Path("/"))
    free = shutil.disk_usage(place).free
    state: State = "ok" if free >= LEAST_FREE else "warning"
    yield Finding(
        "machine", state, f"{free / 2**30:.1f} GiB free at {place}", "" if state == "ok" else f"df -h {place}"
    )
    if not os.access(place, os.W_OK):
        yield Finding("machine", "broken", f"{place} cannot be written by this user", f"ls -ld {place}")


def _installation() -> Iterator[Finding]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    python = platform.python_version()
    yield Finding("installation", "ok", f"segue {importlib.metadata.version('segue')} on Python {python}: {versions}")
    for module, extra in EXTRAS.items():
        if importlib.util.find_spec(module) is None:
            yield Finding("installation", "note", f"{module} is not installed", f'pip install "segue[{extra}]"')
        else:
            yield Finding("installation", "ok", f"{module} {importlib.metadata.version(module)}")
    yield _kernels()


def _kernels() -> Finding:
    """Which kernels of this version were compiled on this machine: which have files in Numba's cache."""
    from segue.engines.compiled import CACHE, made_of
    from segue.learn.warm import KERNELS

    folders = {module: CACHE / made_of(module) for module in KERNELS}
    missing = [purpose for module, purpose in KERNELS.items() if not any(folders[module].rglob("*.nbi"))]
    if not missing:
        return Finding("installation", "ok", f"{len(KERNELS)} sets of kernels are compiled in {CACHE}")
    what = f"not compiled yet: {', '.join(missing)}; who needs them first waits some seconds"
    return Finding("installation", "note", what, 'python -c "from segue.learn.warm import warm; warm()"')


def _declaration(project: Project, here: str) -> Iterator[Finding]:
    said = project.declaration
    yield Finding(
        "declaration", "ok", f"{project.folder / FILE}: {said.workspace.name}, {_many(len(said.models), 'model')}"
    )
    for table, source in project._sources().items():
        try:
            found = project._paths(source.files)
        except SegueError as error:
            yield Finding(
                "declaration", "warning", f"[{table}] {error.where}: {error.problem}", f"{here} config show --origin"
            )
        else:
            if found:
                yield Finding("declaration", "ok", f"[{table}] files found: {len(found)}")
    for name in said.models:
        project.learner(name)


def _table(lake: Lake, name: str, here: str) -> Iterator[Finding]:
    from segue.data.lake.files import is_whole, torn
    from segue.data.lake.lost import DICTIONARIES, lost

    table = lake.tables[name]
    if (entry := torn(table.path / "_delta_log")) is not None:
        what = f"the last commit of {name} was cut off by a crash ({entry.name}); it was never acknowledged"
        yield Finding("lake", "warning", f"{what}, and the next writer sets it aside", f"{here} ingest")
        return
    anew = f"mv {lake.root} {lake.root}.lost && {here} ingest && {here} lake index"
    try:
        opened = table.open()
    except SegueError as error:
        yield _broken("lake", error, f"{here} lake compact" if is_whole(table.path / "_delta_log") else anew)
        return
    if opened is None:
        if name == "events":
            yield Finding("lake", "note", "there are no events yet", f"{here} ingest")
        return
    if (gone := lost(table)) is not None:
        mend = anew if name in DICTIONARIES else f"{here} lake mend"  # no code means anything without its dictionary
        yield Finding("lake", "broken", str(gone), mend)
        return
    rows = opened.count()
    held = f"{_many(rows, 'row')} in {_many(len(opened.file_uris()), 'file')}"
    lake_rows = f"{name}: {held}, version {opened.version()}"
    yield Finding("lake", "ok", lake_rows)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _dictionaries(snapshot: Snapshot) -> Iterator[Finding]:
    items, people = snapshot.dictionary("item_ids").height, snapshot.dictionary("person_ids").height
    yield Finding("lake", "ok", f"the dictionaries are whole: {_many(items, 'item')}, {people:,} people")


def _quarantine(snapshot: Snapshot, here: str) -> Iterator[Finding]:
    import polars as pl

    rows = snapshot.quarantine()
    held = int(rows.select(pl.len()).collect().item())
    if not held:
        return
    share = held / (held + snapshot.events_count)
    state: State = "warning" if share >= QUARANTINED else "note"
    yield Finding(
        "quarantine", state, f"{_many(held, 'row')} in quarantine, {share:.1%} of what came", f"{here} quarantine"
    )


def _clock(snapshot: Snapshot, here: str) -> Iterator[Finding]:
    import polars as pl

    now = datetime.now(UTC)
    latest = snapshot.coded_events().select(
        pl.col(columns.RECEIVED).max(), (pl.col(columns.TIME) > now + CLOCK).sum().alias("ahead")
    ).collect(engine="streaming").row(0, named=True)  # fmt: skip
    received, ahead = latest[columns.RECEIVED], latest["ahead"]
    if received is not None and received > now + CLOCK:
        what = f"it is {now:%Y-%m-%d %H:%M} UTC here, and the lake has rows received at {received:%Y-%m-%d %H:%M}"
        yield Finding("clock", "broken", f"{what}: one of the clocks is wrong", "date -u")
    if ahead:
        what = f"{_many(ahead, 'event')} with a time that has not come yet"
        yield Finding("clock", "warning", what, f"{here} check")
    if not ahead and received is not None and received <= now + CLOCK:
        yield Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC, behind all that was received")


def _journal(project: Project, here: str) -> Iterator[Finding]:
    if not (project.folder / "journal").is_dir():
        return
    pending = project.journal.pending()
    waiting = f"to be drained: {_many(pending.events, 'event')} and {_many(pending.decisions, 'decision')}"
    if pending.events + pending.decisions >= BACKLOG:
        yield Finding("journal", "warning", waiting, f"{here} drain")
    else:
        yield Finding("journal", "ok", waiting)


def _index(project: Project, snapshot: Snapshot, here: str) -> Iterator[Finding]:
    if not (project.folder / "state").is_dir():
        if snapshot.events_count:
            yield Finding("index", "warning", "there is no index of histories", f"{here} lake index")
        return
    if not (project.folder / "journal").is_dir():  # opening the state would make one
        yield Finding("index", "warning", "the journal that the index goes with is gone", f"{here} lake index")
        return
    if project.state.is_behind(snapshot):
        yield Finding("index", "warning", "the index of histories is behind the lake", f"{here} lake index")
    else:
        yield Finding("index", "ok", "the index of histories goes as far as the lake")


def _models(project: Project, snapshot: Snapshot, here: str) -> Iterator[Finding]:
    from segue.operate.train import trained_model, trained_names

    folder = project.folder / "models"
    trained = trained_names(folder)
    for name in trained:
        train = f"{here} train {name}"
        try:
            made = trained_model(folder, name)
            project._load(name)
        except (SegueError, OSError, ValueError) as error:
            yield _broken("models", error, train)
            continue
        days = (datetime.now(UTC) - made.trained).days
        told = f"{name}: {made.learner}, {_many(made.rows, 'row')}, trained {_many(days, 'day')} ago"
        if made.fingerprint != snapshot.fingerprint:
            yield Finding("models", "note", f"{told}; the lake has changed since", train)
        else:
            yield Finding("models", "ok", f"{told}, from all that is in the lake")
    if untrained := [name for name in project.declaration.models if name not in trained]:
        yield Finding("models", "note", f"declared and not trained: {', '.join(untrained)}", f"{here} train")


def _release(project: Project, here: str) -> Iterator[Finding]:
    registry = project.registry
    current = registry.current()
    if current is None:
        if project.declaration.surfaces:
            yield Finding("release", "note", "nothing is released", f"{here} release")
        return
    try:
        release = registry.load(current).release
    except (SegueError, OSError, ValueError) as error:
        others = len(registry.names()) > 1
        yield _broken("release", error, f"{here} release rollback" if others else f"{here} release")
        return
    from segue.operate.train import trained_model, trained_names

    known = set(trained_names(project.folder / "models"))
    older = [
        name
        for name, model in release.models.items()
        if name in known and trained_model(project.folder / "models", name).trained > model.trained
    ]
    told = f"{current} is in service, with {', '.join(release.models)}"
    if older:
        yield Finding("release", "note", f"{told}; {', '.join(older)} was trained since", f"{here} release")
    else:
        yield Finding("release", "ok", told)
