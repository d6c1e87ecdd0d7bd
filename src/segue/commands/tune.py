"""The command that looks for better parameters."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from segue.commands.shell import Place, as_json, as_of, show, show_json

SHOWN = 10  # trials of a model


@click.command()
@click.argument("models", nargs=-1)
@click.option(
    "--budget", default=300.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Seconds, over all."
)
@click.option(
    "--method", default="halving", show_default=True, type=click.Choice(["halving", "random", "optuna"]), help="How."
)
@click.option("--metric", default="ndcg@10", show_default=True, help="What settings are judged by.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the draws.")
@click.option("--people", default=5_000, show_default=True, type=click.IntRange(2), help="Judged by at most so many.")
@click.option("--trials", default=500, show_default=True, type=click.IntRange(1), help="Settings of a model at most.")
@click.option("--resume/--fresh", "resume", default=True, help="Go on where it was (default), or begin anew.")
@click.option("--write", is_flag=True, help="Write what won into segue.toml.")
@click.option("--out", type=click.Path(path_type=Path), help="Write all trials to a .parquet file.")
@as_of
@as_json
@click.pass_obj
def tune(
    place: Place,
    /,
    models: tuple[str, ...],
    resume: bool,  # noqa: FBT001
    write: bool,  # noqa: FBT001
    out: Path | None,
    as_json: bool,  # noqa: FBT001
    as_of: datetime | None,
    **options: Any,
) -> None:
    """Look for better parameters, on people cut from the training part; the test is not looked at."""
    from segue.commands.terminal import progress

    project = place.project()
    with progress("tuning") as advance:
        tuned = project.tune(models, fresh=not resume, as_of=as_of, progress=advance, **options)
    if out is not None:
        tuned.write(out)
    written = project.adopt(tuned) if write else []
    if as_json:
        return show_json({**tuned.as_dict(), "written": written})
    show(tuned.rows(), as_json, title=tuned.title)
    if len([each for each in tuned.models if each.varied]) == 1:
        for each in tuned.models:
            if each.varied:
                rows = each.rows()
                show(rows[:SHOWN], as_json, title=f"trials of {each.model}, {len(rows[:SHOWN])} of {len(rows)}")
    if effects := tuned.effects():
        show(effects, as_json, title="what the parameters do, each by itself")
    for line in tuned.sentences():
        click.echo(line)
    if out is not None:
        click.echo(f"wrote {out}")
    if write:
        told = f"wrote what won into segue.toml: {', '.join(written)}" if written else "segue.toml stays as it is"
        click.echo(told)
    return place.say_next("train", "evaluate", *([] if write else ["tune --write"]))


COMMANDS = (tune,)
