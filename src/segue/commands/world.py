"""The commands that make a world to try things on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--flavour", type=click.Choice(["shop", "music"]), default="shop", show_default=True)
@click.option("--people", default=2000, show_default=True, type=click.IntRange(1))
@click.option("--items", default=600, show_default=True, type=click.IntRange(1))
@click.option("--days", default=60, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True)
def simulate(folder: Path, **options: Any) -> None:
    """Make the files of a world of people with known tastes: events, items, users; some rows are broken on purpose."""
    from segue.simulate.world import World

    written = World(**options).write(folder)
    click.echo(f"wrote {written.rows:,} events to {folder}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"))
@click.option("--data", type=click.Path(path_type=Path), help="A workspace of real data instead of a simulated world.")
@click.option("--serve/--no-serve", default=None, help="Keep the service up at the end. [on a terminal]")
def demo(folder: Path, data: Path | None, serve: bool | None) -> None:  # noqa: FBT001
    """The whole loop on a living shop, in about a minute."""
    from segue.demo import run

    run(folder, data=data, serve=sys.stdout.isatty() if serve is None else serve)


COMMANDS = (simulate, demo)
