"""The commands that bring data in and look at what came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from segue.commands.shell import Place, as_json, show, show_json
from segue.domain.errors import DataError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--events", multiple=True, required=True, metavar="FILE", help="Files or globs of events. Repeatable.")
@click.option("--items", multiple=True, metavar="FILE", help="Files of the catalog. Repeatable.")
@click.option("--users", multiple=True, metavar="FILE", help="Files of the user table. Repeatable.")
@click.option("--query", metavar="SQL", help="What is asked of the database that --events names.")
@click.option("--delimiter", help="Mend a wrong guess: the delimiter of the events.")
@click.option("--time-format", help="Mend a wrong guess: iso, epoch_s, epoch_ms, epoch_us, epoch_ns or a pattern.")
@click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Mend a wrong guess, e.g. user=client.")
@click.option("--order", type=click.Choice(["none", "file"]), help="Whether the rows are in the order of happening.")
@click.option("--force", is_flag=True, help="Overwrite a segue.toml that is there.")
@as_json
def init(folder: Path, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Look at files, guess what they are, say why, and write segue.toml."""
    from segue.starter import initialise

    started = initialise(folder, **options)
    if as_json:
        return show_json({"declaration": str(started.path), "guesses": started.reasons})
    for table, reasons in started.reasons.items():
        click.secho(table, bold=True)
        for reason in reasons:
            click.echo(f"  {reason}")
    click.echo(f"\nwrote {started.path}")
    return Place(folder).say_next("ingest")


@click.group()
def config() -> None:
    """The declaration."""


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@as_json
@click.pass_obj
def config_show(place: Place, origin: bool, as_json: bool) -> None:  # noqa: FBT001
    """Every setting and its value."""
    origins = place.project().origins()
    if as_json:
        return show_json([{"key": each.key, "value": each.value, "origin": each.origin} for each in origins])
    for each in origins:
        click.echo(f"{each.key} = {each.value!r}" + (f"    # {each.origin}" if origin else ""))
    return None


@click.command()
@click.argument("files", nargs=-1)
@as_json
@click.pass_obj
def ingest(place: Place, files: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Read files into the lake; those of segue.toml where none are named. What was read before is not read twice."""
    from segue.commands.terminal import progress

    with progress("reading") as advance:
        reports = place.project().ingest(files, progress=advance)
    show(reports.rows() if as_json else reports.telling(), as_json, title="ingested")
    if not as_json:
        click.echo(reports.sentence())
        place.say_next(*(["quarantine"] if reports.quarantined else []), "check", "train")
    if reports.nothing_kept:
        raise DataError(
            f"not one of {reports.rows_read:,} rows could be kept",
            where="ingest",
            mend="see why with `segue quarantine`, mend [events] in segue.toml, and ingest again",
        )
    return


COMMANDS = (init, config, ingest)
