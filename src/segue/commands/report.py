"""The commands that tell what the data hold, and what is wrong with the workspace."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from segue.commands.shell import Place, as_json, show, show_json


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the page here. [report.html in the workspace]"
)
@as_json
@click.pass_obj
def report(place: Place, out: Path | None, as_json: bool) -> None:  # noqa: FBT001
    """Tell what the data hold, in sentences here and as one HTML page with figures; aggregates only."""
    from segue.report.page import page

    told = place.project().report()
    if as_json:
        return show_json({"name": told.name, "facts": dict(told.facts), "sentences": told.rows()})
    out = out or place.folder / "report.html"
    for section in told.sections:
        click.secho(section.title, bold=True)
        for sentence in (section.lead, *section.sentences):
            click.echo(f"  {sentence}")
    for sentence in told.left_out:
        click.echo(sentence)
    out.write_text(page(told), encoding="utf-8")
    click.echo(f"wrote {out}")
    return None


@click.command()
@as_json
@click.pass_obj
def doctor(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Say what is installed and what is wrong, each with one command to run next; exits with 1 where it is broken."""
    from segue.doctor import diagnose

    found = diagnose(place.folder)
    if as_json:
        show_json({"healthy": found.healthy, "next": found.next, "findings": found.rows()})
    else:
        show(found.rows(), as_json, title="doctor")
        click.echo(f"next: {found.next}" if found.next else "nothing needs mending")
    sys.exit(0 if found.healthy else 1)


COMMANDS = (report, doctor)
