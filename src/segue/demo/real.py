"""The demo on a workspace of real data: everything but the visits, for there is nobody to visit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from segue.demo.service import PORT, Service, free_port
from segue.demo.steps import checked, evaluated, ingested, lists, quarantine_rows, released, trained
from segue.demo.telling import Teller
from segue.domain.errors import SegueError

if TYPE_CHECKING:
    from segue.project import Project

MADE_BY_SEGUE = ("lake", "cache", "state", "models", "releases", "journal*", "segue.db*", "data")


def on_real_data(folder: Path, data: Path, teller: Teller, *, stay: bool) -> None:
    """Copy the workspace `data` to `folder`, and read, learn, evaluate, release and serve there."""
    from segue.project import Project

    with teller.step("A workspace of real data", f"{data} is copied; its data stay where they are."):
        copy_workspace(data, folder)
        project = Project.open(folder)
        teller.say(f"{project.declaration.workspace.name}: {', '.join(project.declaration.events.files)}")
    ingested(project, teller, lambda _: quarantine_rows(project))
    checked(project, teller)
    trained(project, teller)
    evaluated(project, teller)
    _affinity(project, teller)
    released(project, teller)
    lists(project, teller, people_to_show(project))
    with teller.step("Serve", "Two processes answer over HTTP."):
        service = Service(folder, workers=2, port=free_port(PORT))
        service.start()
        teller.say(f"{service.url} is ready")
    finish(service, teller, stay=stay)


def copy_workspace(data: Path, folder: Path) -> None:
    """Copy a workspace without what Segue made in it; its `prepare.py`, if it has one, fills the `data` of the copy."""
    if not (data / "segue.toml").is_file():
        raise SegueError(
            "there is no segue.toml", where=str(data), mend="DATA names a workspace, such as examples/lastfm-2k"
        )
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns(*MADE_BY_SEGUE), dirs_exist_ok=True)
    script = data / "prepare.py"
    if script.is_file():
        done = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SegueError(f"the data could not be prepared: {done.stderr.strip()}", where=str(script))
    elif (data / "data").is_dir():
        (folder / "data").symlink_to((data / "data").resolve())


def people_to_show(project: Project) -> dict[str, str]:
    """Three people with a history of ordinary length, the same each time, and how many items each has."""
    import polars as pl

    events = project.snapshot().events().filter(pl.col("user").is_not_null())
    counts = events.group_by("user").agg(pl.col("item").n_unique()).collect().sort("item", "user")
    places = [int(len(counts) * share) for share in (0.4, 0.6, 0.8)]
    return {user: f"{user}, who has {items:,} items" for user, items in (counts.row(place) for place in places)}


def finish(service: Service, teller: Teller, *, stay: bool) -> None:
    """Keep the service up until Ctrl-C, or stop it."""
    teller.done()
    if not stay:
        service.stop()
        return
    teller.console.print(f"\n[bold]Open {service.url}[/] and look at somebody's list. Ctrl-C stops the service.\n")
    service.stay()


def _affinity(project: Project, teller: Teller) -> None:
    if not any(item.categories for item in project.snapshot().catalog().values()):
        return
    with teller.step("Do the lists suit?", "The share of a person's top 10 that is of the person's own categories."):
        first = next(iter(project.declaration.surfaces.values())).sources[:1]
        teller.table(project.affinity(first, attribute="categories"))
