"""The commands that hold the lake to its rules, and get refused rows back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from segue.commands.shell import Place, WithDefault, as_json, show, show_json


class Showing(WithDefault):
    """A group that shows where no command of it is named."""

    default = "show"


_reason = click.option("--reason", help="Only rows whose reason holds this text.")
_file = click.option("--file", help="Only rows of files whose name holds this text.")


@click.command()
@click.option("--propose", is_flag=True, help="Propose rules from the data, with the evidence for each bound.")
@click.option("--write", is_flag=True, help="With --propose: add them to segue.toml, keeping what is there.")
@click.option("--history", is_flag=True, help="Show how each rule fared over all checks.")
@as_json
@click.pass_obj
def check(place: Place, propose: bool, write: bool, history: bool, as_json: bool) -> None:  # noqa: FBT001
    """Hold the lake against the declared rules (a sensible set where none are); exits with 1 on an error."""
    if write and not propose:
        raise click.UsageError("--write says where proposals go: give --propose as well")
    if propose and history:
        raise click.UsageError("--propose and --history show two different things: give one of them")
    if propose:
        return _propose(place, write=write, as_json=as_json)
    if history:
        return _history(place, as_json=as_json)
    project = place.project()
    report = project.check()
    show(report.rows() if as_json else report.shown(), as_json, title="rules")
    if report.note:
        click.echo(report.note, err=True)
    if not as_json and (said := project.robots_sentence()):
        click.echo(said)
    sys.exit(0 if report.passed else 1)


def _propose(place: Place, *, write: bool, as_json: bool) -> None:
    project = place.project()
    proposals = project.propose_rules(write=write)
    if as_json:
        from segue.data.quality.history import said

        return show_json([{"rule": said(each.rule), "evidence": each.evidence} for each in proposals])
    if not proposals:
        return click.echo("nothing to propose: the lake holds no rows to go by; `segue ingest` reads them")
    if write:
        click.echo(f"added {len(proposals)} rules to {project.folder / 'segue.toml'}")
        return place.say_next("check")
    return click.echo("\n".join(each.toml() for each in proposals), nl=False)


def _history(place: Place, *, as_json: bool) -> None:
    project = place.project()
    if as_json:
        return show_json(project.check_history().to_dicts())
    rows = [trend.row() for trend in project.check_trends()]
    if not rows:
        click.echo("no check was kept yet")
        return place.say_next("check")
    return show(rows, as_json, title="rules over time")


@click.group(cls=Showing)
def quarantine() -> None:
    """The rows that could not be taken: show them, mend them, try them again."""


@quarantine.command("show")
@_reason
@_file
@click.option("-n", "limit", default=20, show_default=True, type=click.IntRange(1), help="How many rows.")
@as_json
@click.pass_obj
def quarantine_show(place: Place, reason: str | None, file: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """How many rows for each reason, and some with their file, line and text."""
    held = place.project().quarantined(reason, limit, file=file)
    if as_json:
        return show_json({"reasons": held.reasons, "rows": held.rows})
    show([{"reason": why, "rows": count} for why, count in held.reasons.items()], as_json, title="quarantine")
    if held.rows:
        show(held.rows, as_json, title=f"the first {len(held.rows)}")
    elif (reason or file) and (others := place.project().quarantined(limit=1).reasons):
        click.echo("no row of quarantine is like that; there are: " + _counted(others))
    return None


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"'{why}' ({count:,})" for why, count in reasons.items())


@quarantine.command("fix")
@_reason
@_file
@click.option("--export", type=click.Path(path_type=Path), help="Write the rows to this file, to be edited.")
@click.option("--take", type=click.Path(path_type=Path), help="Take the rows of an edited file back.")
@click.option("--time-format", help="Read them with another format of times.")
@click.option("--negative-type", help="The type of events with a negative quantity or value.")
@click.option("--decimal", type=click.Choice([".", ","]), help="Read them with another sign before fractions.")
@click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Read them with another column.")
@as_json
@click.pass_obj
def quarantine_fix(
    place: Place,
    /,
    reason: str | None,
    file: str | None,
    export: Path | None,
    take: Path | None,
    columns: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
    **settings: Any,
) -> None:
    """Mend refused rows: edit them in a file, or read them another way; what is good then comes back."""
    given = {name: value for name, value in settings.items() if value is not None}
    ways = [each for each in (export, take, given or columns) if each]
    if len(ways) != 1:
        raise click.UsageError("give one of --export FILE, --take FILE, or what to read otherwise (--time-format, …)")
    project = place.project()
    if export is not None:
        count = project.export_quarantine(export, reason, file)
        click.echo(f"wrote {count:,} rows to {export}")
        return place.say_next(f"quarantine fix --take {export}")
    if take is not None:
        return _told(project.take_mended(take), as_json=as_json)
    named = dict(part.partition("=")[::2] for part in columns)
    return _told(project.replay(reason, file, settings=given, columns=named), as_json=as_json)


@quarantine.command("replay")
@_reason
@_file
@as_json
@click.pass_obj
def quarantine_replay(place: Place, reason: str | None, file: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Try the refused rows again, as segue.toml says now: each comes back once, the others stay with their reason."""
    return _told(place.project().replay(reason, file), as_json=as_json)


def _told(done: object, *, as_json: bool) -> None:
    from segue.data.quality.replay import Replayed

    assert isinstance(done, Replayed)
    if as_json:
        return show_json(done)
    click.echo(done.sentence())
    if done.stays:
        show([{"reason": why, "rows": count} for why, count in done.stays.most_common()], as_json, title="stays")
    return None


COMMANDS = (quarantine, check)
