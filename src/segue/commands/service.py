"""The commands that put into service, serve and watch."""

from __future__ import annotations

import sys

import click

from segue.commands.shell import Place, WithDefault, as_json, show, show_json


@click.group(cls=WithDefault, invoke_without_command=False)
def release() -> None:
    """Put models and surfaces into service as one unit: `segue release [MODEL…]`, then list, switch, rollback."""


@release.command("make", hidden=True)
@click.argument("models", nargs=-1)
@as_json
@click.pass_obj
def release_make(place: Place, models: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Release the trained models (all that the surfaces need, or those named) and switch to them."""
    made = place.project().release(models)
    show([made], as_json, title="released")
    if not as_json:
        place.say_next("serve")


@release.command("list")
@as_json
@click.pass_obj
def release_list(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """All releases, the current one marked."""
    show(place.project().releases(), as_json, title="releases")


@release.command("switch")
@click.argument("name")
@click.pass_obj
def release_switch(place: Place, name: str) -> None:
    """Make another release the current one; a running service follows without a failed request."""
    click.echo(f"current release: {place.project().switch(name)}")


@release.command("rollback")
@click.pass_obj
def release_rollback(place: Place) -> None:
    """Go back to the release before the current one."""
    click.echo(f"current release: {place.project().rollback()}")


@click.command()
@click.option("--host", help="Address to listen on. [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port. [8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes. [1]")
@click.pass_obj
def serve(place: Place, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the current release over HTTP until stopped, with a page to look at."""
    place.project().serve(host=host, port=port, workers=workers)


@click.command()
@as_json
@click.pass_obj
def drain(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Move what the service acknowledged from the journal into the lake."""
    show([place.project().drain()], as_json, title="drained")


@click.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def experiment(place: Place, name: str | None, as_json: bool) -> None:  # noqa: FBT001
    """What an A/B test says so far, and whether it can be trusted; every declared one where none is named."""
    readouts = place.project().experiment(name)
    if as_json:
        return show_json([readout.as_dict() for readout in readouts])
    for readout in readouts:
        show(readout.arm_rows(), as_json, title=f"experiment {readout.name}: who saw what")
        if readout.metric_rows():
            show(readout.metric_rows(), as_json, title="what they did then")
        click.echo("\n".join([readout.verdict, *readout.notes]))
    return None


@click.group(cls=WithDefault, invoke_without_command=False)
def key() -> None:
    """Make an API key and print it once: `segue key [--role ROLE]`; or take one back: revoke."""


@key.command("make", hidden=True)
@click.option("--role", type=click.Choice(["service", "admin"]), default="service", show_default=True)
@click.pass_obj
def key_make(place: Place, role: str) -> None:
    """Make an API key and print it once; only its hash is kept."""
    click.echo(place.project().create_key(role))


@key.command("revoke")
@click.argument("text", metavar="KEY")
@click.pass_obj
def key_revoke(place: Place, text: str) -> None:
    """Take a key back: a running service refuses it within two seconds. "-" reads the key from the standard input."""
    place.project().revoke_key(sys.stdin.readline().strip() if text == "-" else text)
    click.echo("the key is taken back")


COMMANDS = (release, serve, drain, experiment, key)
