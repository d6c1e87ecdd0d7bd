"""The command that tells what the data hold."""

from __future__ import annotations

from pathlib import Path

import click

from segue.commands.shell import Place, as_json, show_json


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


COMMANDS = (report,)
