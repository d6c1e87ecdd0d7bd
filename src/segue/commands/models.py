"""The commands that learn, judge and recommend."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segue.commands.advice import meant
from segue.commands.shell import Place, as_json, as_of, show, show_json
from segue.domain.errors import SegueError

if TYPE_CHECKING:
    from segue.measure.leaderboard import Leaderboard
    from segue.project import Project


@click.command()
@click.argument("models", nargs=-1)
@click.option("--resume", is_flag=True, help="Leave alone what was trained so on the same data.")
@as_of
@as_json
@click.pass_obj
def train(place: Place, models: tuple[str, ...], resume: bool, as_of: datetime | None, as_json: bool) -> None:  # noqa: FBT001
    """Train the declared models, or those named."""
    from segue.commands.terminal import progress

    with progress("training") as advance:
        project = place.project()
        trained = project.train(models, as_of=as_of, resume=resume, progress=advance)
    show([each.row() | ({"note": each.note} if as_json else {}) for each in trained], as_json, title="trained")
    if not as_json:
        for each in trained:
            if each.note:
                click.echo(f"{each.model}: {each.note}")
        _say_robots(project, as_of)
        place.say_next("evaluate", "recommend --user ID --explain", "release")


@click.command()
@click.argument("models", nargs=-1)
@click.option("--split", type=click.Choice(["time", "last", "random", "files"]), help="Instead of the declared one.")
@click.option("--slice", "slices", multiple=True, metavar="NAME", help="Tell its parts too; may be given again.")
@click.option("--wide", is_flag=True, help="Show every column: all metrics, p, and what lists and models cost.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a .html page, or all to .parquet.")
@as_of
@as_json
@click.pass_obj
def evaluate(
    place: Place,
    models: tuple[str, ...],
    split: str | None,
    out: Path | None,
    slices: tuple[str, ...],
    wide: bool,  # noqa: FBT001
    as_of: datetime | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Train on the past, rank all items, and hold the lists against what people did next."""
    from segue.commands.terminal import progress
    from segue.recommendations import refuse_format

    if out is not None:
        refuse_format(out, (".html",))

    with progress("evaluating") as advance:
        project = place.project()
        board = project.evaluate(models, split=split, slices=slices, as_of=as_of, progress=advance)
    if out is not None:
        write_board(project, board, out)
    if as_json:
        words = {"title": board.title, "sentence": board.sentence(), "notes": board.notes()}
        told: dict[str, Any] = {**words, "evaluation": board.evaluation}
        return show_json(told | ({} if as_of is None else {"as_of": as_of}))
    rows = board.rows() if wide else board.brief_rows()
    show(rows, as_json, title=board.title + ("" if as_of is None else f", as of {as_of.isoformat()}"))
    if parts := board.slice_rows():
        show(parts, as_json, title="slices: each by itself, intervals not corrected for their number")
    click.echo(board.sentence())
    for note in board.notes():
        click.echo(note)
    if not wide:
        click.echo("--wide shows every column, --out board.html a page of them")
    _say_robots(project, as_of)
    return None


def write_board(project: Project, told: Leaderboard, out: Path) -> None:
    """The leaderboard as a page that needs nothing else, or every number of it as rows."""
    if out.suffix == ".html":
        from segue.report.page import page

        out.write_text(page(project.board(told)), encoding="utf-8")
    else:
        from segue.measure.leaderboard import RECORD
        from segue.recommendations import writer

        evaluated = {"evaluated": datetime.now(UTC).isoformat(timespec="seconds")}
        with writer(out, RECORD | evaluated) as write:
            write(row | evaluated for row in told.records())
    click.echo(f"wrote {out}", err=True)


def _say_robots(project: Project, as_of: datetime | None) -> None:
    """How many robots were left out, where there are any; they were found while the data were read."""
    if said := project.robots_sentence(as_of):
        click.echo(said)


@click.command()
@click.argument("models", nargs=-1)
@click.option("--attribute", default="categories", help="Which attribute of the items. [categories]")
@as_json
@click.pass_obj
def affinity(place: Place, models: tuple[str, ...], attribute: str, as_json: bool) -> None:  # noqa: FBT001
    """The share of each person's top 10 in the person's own genres or tags, against popularity's."""
    show(
        place.project().affinity(models, attribute=attribute), as_json, title="top 10 in the person's own " + attribute
    )


@click.command()
@click.option("--user", metavar="ID", help="A person of the log.")
@click.option("--history", metavar="ITEM,ITEM,…", help="What someone did, oldest first, instead of a person.")
@click.option("--all", "everyone", is_flag=True, help="Everybody of the log; needs --out.")
@click.option("--model", help="Which model; the first source of the first surface where none is named.")
@click.option("-k", default=20, show_default=True, type=click.IntRange(1, 200), help="How many items.")
@click.option("--explain", is_flag=True, help="Give the reason for each.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to a .csv, .jsonl or .parquet file.")
@as_json
@click.pass_obj
def recommend(place: Place, /, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """What to show next, and why."""
    from segue.commands.terminal import progress

    project = place.project()
    everyone, out = options.pop("everyone"), options.pop("out")
    history, explain = options.pop("history"), options.pop("explain")
    if everyone:
        if options.pop("user") is not None or history is not None:
            raise SegueError("--all is everybody: it goes with neither --user nor --history", mend="leave one out")
        with progress("lists") as advance:
            made = project.recommend_all(out, progress=advance, **options)
        return show_json({"path": str(made.path), "people": made.people}) if as_json else click.echo(made.sentence())
    if (options["user"] is None) == (history is None):
        raise SegueError("a list is for one person or one history", mend="give one of --user, --history and --all")
    listed = project.recommend(history=history.split(",") if history is not None else None, **options)
    if out is not None:
        listed.write(out)
    if as_json:
        return show_json(listed.as_dict())
    if out is not None:
        return click.echo(f"wrote {out}")
    show(listed.rows(explain=explain), as_json, title=listed.title)
    if listed.fallback:
        click.echo(listed.fallback)
        if options["user"] and (said := meant(place, project.nearest(options["user"]), "recommend", "--user")):
            click.echo(said)
    return None


COMMANDS = (train, evaluate, affinity, recommend)
