"""The commands that hold models beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from segue.commands.shell import Place, as_json, show

if TYPE_CHECKING:
    from segue.operate.curve import LearningCurve
    from segue.project import Project


@click.command()
@click.argument("models", nargs=-1)
@click.option(
    "--user", "users", multiple=True, metavar="ID", help="Whose lists; several times for several. [most active]"
)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 200), help="How many items.")
@click.option("--explain", is_flag=True, help="Give the reasons as well.")
@as_json
@click.pass_obj
def compare(place: Place, /, models: tuple[str, ...], users: tuple[str, ...], k: int, **said: bool) -> None:
    """The lists of trained models side by side, for the same people."""
    comparison = place.project().compare(models, users, k=k)
    show(comparison.rows(explain=said["explain"]), said["as_json"], title="lists of " + ", ".join(comparison.models))
    if not said["as_json"]:
        for user in comparison.lists:
            click.echo(f"{user}: {comparison.overlap(user):.0%} of the items are shared")
        for note in comparison.notes():
            click.echo(note)


@click.command()
@click.argument("item")
@click.option("--model", help="Which model; the first source of the first surface where none is named.")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 200), help="How many items.")
@as_json
@click.pass_obj
def similar(place: Place, item: str, model: str | None, k: int, as_json: bool) -> None:  # noqa: FBT001
    """What is like an item, or goes with it, as a trained model has it."""
    found = place.project().similar(item, k, model=model)
    show(found, as_json, title=f"similar to {item}")
    if not found and not as_json:
        click.echo("this model says nothing of the item: too few have it; --model names another")


@click.command()
@click.argument("models", nargs=-1)
@click.option("--along", type=click.Choice(["people", "days"]), default="people", show_default=True, help="What grows.")
@click.option(
    "--points", default=5, show_default=True, type=click.IntRange(2, 12), help="Each has twice the one before."
)
@click.option("--metric", help="Which one. [ndcg@10]")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a .html page or the rows to .parquet."
)
@as_json
@click.pass_obj
def curve(place: Place, /, models: tuple[str, ...], along: Literal["people", "days"], **said: Any) -> None:
    """Learning curves: how good models are when they learn from fewer people, or fewer days."""
    from segue.commands.terminal import progress
    from segue.recommendations import refuse_format

    if said["out"] is not None:
        refuse_format(said["out"], (".html",))
    with progress("learning curve") as advance:
        project = place.project()
        asked = {name: said[name] for name in ("points", "metric")}
        found = project.learning_curve(models, along=along, progress=advance, **asked)
    show(found.rows(), said["as_json"], title=found.title)
    if said["out"]:
        _write(said["out"], project, found)


def _write(out: Path, project: Project, found: LearningCurve) -> None:
    """The rows as Parquet, or the curves as a page."""
    if out.suffix == ".html":
        from segue.report.page import page

        out.write_text(page(project.curve_report(found)), encoding="utf-8")
    else:
        from segue.recommendations import writer

        rows = found.rows()
        with writer(out, rows[0]) as write:
            write(rows)
    click.echo(f"wrote {out}", err=True)


COMMANDS = (compare, similar, curve)
