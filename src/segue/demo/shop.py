"""The demo on a simulated shop: its history comes in, people visit, and what they do is learned from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segue.demo.outcome import LastVisits, against_truth, broken_rows, old_and_new, rows_from_visits
from segue.demo.real import finish
from segue.demo.service import PORT, Service, forced_copy, free_port
from segue.demo.steps import checked, drained, evaluated, ingested, lists, released, told, trained
from segue.demo.telling import Teller
from segue.simulate.respond import Plan, plan_visits
from segue.simulate.visit import Door, Visited, visit
from segue.simulate.world import World

if TYPE_CHECKING:
    from segue.project import Project
    from segue.simulate.files import Truth

EXPERIMENT = "learned-home"
SURFACE = "home"
DAYS = 60
DECLARED = """
# Two variants under a test: half of the people get what is popular, half what was learned.
[experiments.learned-home]
surface = "home"

[experiments.learned-home.variants.popular]
surface = {sources = ["popularity"]}

[experiments.learned-home.variants.learned]
surface = {sources = ["ease", "popularity"]}

[experiments.learned-home.metrics.clicks]
kind = "count"
types = ["click"]

[experiments.learned-home.metrics.bought]
kind = "proportion"
types = ["buy"]

[experiments.learned-home.metrics.revenue]
kind = "sum"
types = ["buy"]
column = "value"
"""


@dataclass(frozen=True)
class Scale:
    """How large the demo is. The last visits come after the second training: neither release has learned from them."""

    people: int = 2_000
    items: int = 600
    visits: int = 1_600
    last_visits: int = 400


def on_a_shop(folder: Path, teller: Teller, *, stay: bool, scale: Scale | None = None) -> None:
    """The loop once around: history, release, visits under a test, training on what the visits left behind."""
    scale = scale or Scale()
    start = datetime.now(UTC).date() - timedelta(days=DAYS)
    world = World("shop", seed=1, people=scale.people, items=scale.items, days=DAYS, start=start)
    project = _history(folder, world, teller)
    trained(project, teller)
    evaluated(project, teller)
    released(project, teller)
    old = project.registry.current() or ""
    plan = plan_visits(world, scale.visits)
    forced = [
        forced_copy(folder, folder / f"all-{name}", SURFACE, variant)
        for name, variant in project.declaration.experiments[EXPERIMENT].variants.items()
    ]
    service = _served(folder, teller)
    with service:
        last = _visits(project, world, plan, scale, service, teller)
        _experiment(project, world, plan, forced, teller)
        _releases(project, old, last, teller)
        lists(project, teller, _three(world, plan))
        finish(service, teller, stay=stay)


def _history(folder: Path, world: World, teller: Teller) -> Project:
    """Files of the past, guessed, declared, read and checked."""
    from segue.project import Project

    files = folder / "files"
    with teller.step("A shop and its people", "The demo knows what they like. Nobody else does."):
        truth = world.write(files)
        teller.say(
            f"{len(world.crowd):,} people, {len(world.catalog):,} items and {truth.rows:,} rows of events in "
            f"{len(truth.events)} weekly files, {len(truth.broken):,} of them broken or doubled on purpose"
        )
    _declared(folder, files, truth, teller)
    project = Project.open(folder)
    ingested(project, teller, lambda reports: broken_rows(project, reports, truth))
    checked(project, teller)
    return project


def _declared(folder: Path, files: Path, truth: Truth, teller: Teller) -> None:
    from segue.starter import initialise

    with teller.step("Look at the files", "What are these columns? A guess, with its reasons, that one line can mend."):
        guessed = initialise(
            folder,
            events=[str(files / "events-*.csv")],
            items=[str(files / truth.items)],
            users=[str(files / truth.users)],
        )
        for reason in guessed.reasons["events"]:
            teller.say(reason)
        with guessed.path.open("a", encoding="utf-8") as declaration:
            declaration.write(DECLARED)


def _served(folder: Path, teller: Teller) -> Service:
    with teller.step("Serve", "Two processes answer over HTTP. An event counts once it is on disk, and at once."):
        service = Service(folder, workers=2, port=free_port(PORT))
        service.start()
        teller.say(f"{service.url} is ready")
    return service


def _visits(project: Project, world: World, plan: Plan, scale: Scale, service: Service, teller: Teller) -> LastVisits:
    """People visit, models learn from it, and more people visit; when that last part was."""
    door = Door(service.url, project.create_key("service"), SURFACE)
    early = len(plan) - scale.last_visits
    with teller.step("People visit", "Half see what is popular, half what was learned. All do as they like."):
        teller.say(_told(visit(world, plan.rows(0, early), door)))
    with teller.step("Learn from it", "What the visits left in the journal moves into the lake; models learn anew."):
        drained(project)
        teller.say(rows_from_visits(project))
        teller.table([each.row() for each in project.train(("popularity", "ease"))])
    with teller.step(
        "More people visit", "No model has learned from these: they will judge the old release and the new."
    ):
        since = datetime.now(UTC)
        teller.say(_told(visit(world, plan.rows(early, len(plan)), door)))
        until = datetime.now(UTC)
        drained(project)
    return LastVisits(since, until)


def _experiment(project: Project, world: World, plan: Plan, forced: list[Path], teller: Teller) -> None:
    with teller.step("The experiment", "What the test says, beside the truth: the same people, all A, then all B."):
        truth = [_replayed(folder, world, plan) for folder in forced]
        declared = project.declaration.experiments[EXPERIMENT]
        for readout in project.experiment(EXPERIMENT):
            teller.table(readout.arm_rows())
            teller.table(against_truth(readout, declared, world.style, *truth))
            teller.say(readout.verdict)


def _replayed(folder: Path, world: World, plan: Plan) -> Visited:
    """The whole plan against a copy of the workspace that shows everybody one variant."""
    from segue.project import Project

    with Service(folder, workers=1) as service:
        return visit(world, plan, Door(service.url, Project.open(folder).create_key("service"), SURFACE))


def _releases(project: Project, old: str, last: LastVisits, teller: Teller) -> None:
    with teller.step(
        "Old and new", "Both releases held against the last visits. The new one is in service from now on."
    ):
        new = project.release(())
        told(new, teller)
        sentence, rows = old_and_new(project, SURFACE, {"old release": old, "new release": new["release"]}, last)
        teller.table(rows)
        teller.say(sentence)


def _told(visited: Visited) -> str:
    rate = 2 * len(visited.plan) / visited.seconds
    trouble = f"; {visited.failures:,} requests failed: {visited.statuses}" if visited.failures else ""
    people = len(np.unique(visited.plan.people))
    return (
        f"{len(visited.plan):,} visits of {people:,} people: {visited.looked.sum():,} items looked at, "
        f"{visited.opened.sum():,} opened, {visited.bought.sum():,} bought; {rate:,.0f} requests/s{trouble}"
    )


def _three(world: World, plan: Plan) -> dict[str, str]:
    """Three people of the visits with quite different favourites, and what the demo knows of each."""
    favourites = world.crowd.affinity.argsort(axis=1)[:, ::-1]
    _, first = np.unique(favourites[plan.people, 0], return_index=True)
    return {
        world.crowd.ids[person]: _known(world, person, favourites[person, :3].tolist())
        for person in plan.people[np.sort(first)[:3]].tolist()
    }


def _known(world: World, person: int, favourites: list[int]) -> str:
    shelves = [world.catalog.shelf_names[shelf][1] for shelf in favourites]
    return f"{world.crowd.names[person]} ({world.crowd.ids[person]}) mostly goes to: {', '.join(shelves)}"
