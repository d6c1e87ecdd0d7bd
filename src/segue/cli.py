"""The command `segue`: the door to all commands."""

from __future__ import annotations

from pathlib import Path

import click

from segue.commands import compare, data, explore, identity, lake, models, pairs, quality, report, service, tune, world
from segue.commands.shell import Place, Refusing


@click.group(cls=Refusing, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-C", "folder", type=click.Path(path_type=Path), default=Path(), help="The workspace folder. [.]")
@click.version_option(package_name="segue")
@click.pass_context
def main(ctx: click.Context, folder: Path) -> None:
    """From a catalog and a log of what people did to what to show next, and why.

    \b
    segue init DIR --events FILE   look at the files and write segue.toml
    segue -C DIR ingest            read them into the lake
    segue -C DIR train             learn the models
    segue -C DIR evaluate          hold them against what people did next
    segue -C DIR recommend --user ID --explain
    segue -C DIR release           put models and surfaces into service
    segue -C DIR serve             answer over HTTP, with a page to look at
    """
    ctx.obj = Place(folder)


for _room in (data, quality, explore, identity, lake, models, compare, pairs, report, service, tune, world):
    for _command in _room.COMMANDS:
        main.add_command(_command)


if __name__ == "__main__":
    main()
