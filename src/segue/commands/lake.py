"""The commands that keep the lake small, quick and no older than it should be."""

from __future__ import annotations

from datetime import timedelta

import click

from segue.commands.shell import Place, as_json, show, show_json


@click.group()
def lake() -> None:
    """The tables of the workspace, and their upkeep."""


@lake.command("status")
@as_json
@click.pass_obj
def lake_status(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Every table: rows, files, bytes, versions, the oldest and the newest day, and which files are lost."""
    upkeep = place.project().upkeep
    show([status.row() for status in upkeep.status()], as_json, title="lake")
    if not as_json and (lost := upkeep.lost()):
        for each in lost:
            click.echo(each)
        place.say_next("lake mend")


@lake.command("mend")
@as_json
@click.pass_obj
def lake_mend(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Go on without files that the lake lost; the next ingest reads again what brought their rows."""
    project = place.project()
    lost = project.upkeep.mend()
    again = project.unread_files()
    if lost:
        project.index()
    if as_json:
        return show_json({"lost": [each.row() for each in lost], "read_again": again})
    for each in lost:
        click.echo(f"{each}: taken out of the table")
    for file in again:
        click.echo(f"to be read again: {file}")
    if again:
        return place.say_next("ingest")
    told = "no declared file brought them; `segue ingest FILE` reads one again, other rows only a backup of lake/ has"
    click.echo(told if lost else "nothing is lost")
    return None


@lake.command("compact")
@as_json
@click.pass_obj
def lake_compact(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Merge small files of a day: fewer to open, nothing else changes; and say why those that stay do."""
    upkeep = place.project().upkeep
    merged = upkeep.compact()
    rows = [{"table": name, "files": made.before, "into": made.after} for name, made in merged.items()]
    show(rows, as_json, title="compacted")
    if not as_json:
        for each in upkeep.kept():
            click.echo(each)


@lake.command("retain")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@as_json
@click.pass_obj
def lake_retain(place: Place, dry_run: bool, as_json: bool) -> None:  # noqa: FBT001
    """Take out what is older than [lake] in segue.toml keeps."""
    project = place.project()
    leaving = project.upkeep.leaving() if dry_run else project.upkeep.retain()
    if leaving and not dry_run:
        project.index()
    show([each.row() for each in leaving], as_json, title="would go" if dry_run else "gone")
    if not as_json and leaving:
        place.say_next("lake retain" if dry_run else "lake vacuum")


@lake.command("vacuum")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--days", type=click.FloatRange(0), help="Instead of the declared keep_files_days; 0 keeps nothing.")
@as_json
@click.pass_obj
def lake_vacuum(place: Place, dry_run: bool, days: float | None, as_json: bool) -> None:  # noqa: FBT001
    """Delete files that no version needs any more, and the old part of each table's log."""
    upkeep, keep = place.project().upkeep, None if days is None else timedelta(days=days)
    gone = upkeep.stale(keep) if dry_run else upkeep.vacuum(keep)
    if as_json:
        return show_json(gone)
    rows = [{"table": name, "files": len(files)} for name, files in gone.items()]
    return show(rows, as_json, title="would go" if dry_run else "gone")


@lake.command("index")
@as_json
@click.pass_obj
def lake_index(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Build the index of each person's history from the lake. Ingest and drain keep it; this makes it anew."""
    project = place.project()
    project.index()
    show([project.state.told()], as_json, title="indexed")


COMMANDS = (lake,)
