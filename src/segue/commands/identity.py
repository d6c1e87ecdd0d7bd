"""The commands that say who is who: robots, and ids that differ by their writing only."""

from __future__ import annotations

from typing import Any

import click

from segue.commands.shell import Place, as_json, show, show_json

SHOWN = 10  # visitors that are named


@click.command()
@as_json
@click.pass_obj
def robots(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Who is taken for a robot, and why."""
    show(place.project().robots(), as_json, title="robots")


@click.command()
@as_json
@click.pass_obj
def identity(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Ids that differ by their writing only, and visitors who were seen with users."""
    project = place.project()
    written, links = project.alike(), project.links()
    shared = [project.snapshot().person_ids.ids[code][2:] for code in links.shared[:SHOWN].tolist()]
    told: dict[str, Any] = {"stitched": project.declaration.identity.stitch, "of one user": links.stitched}
    told |= {"of several users": len(links.shared), "such as": shared}
    if shared:
        from segue.data.identity.turns import given

        turns = links.turns if project.declaration.identity.stitch else None
        counted = given(project.snapshot(), links.shared, turns)
        told |= {"events given to the last user": counted.given, "events left alone": counted.alone}
    if as_json:
        return show_json({"ids": written, "visitors": told})
    show(written, as_json, title="ids that differ by their writing only")
    if links.stitched or shared:
        show([told], as_json, title="visitors seen with a user")
    return None


COMMANDS = (identity, robots)
