"""The commands that say who is who: robots, and ids that differ by their writing only."""

from __future__ import annotations

import click

from segue.commands.shell import Place, as_json, show


@click.command()
@as_json
@click.pass_obj
def robots(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Who is taken for a robot, and why."""
    show(place.project().robots(), as_json, title="robots")


COMMANDS = (robots,)
