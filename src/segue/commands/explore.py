"""The commands that look at what is in the lake: SQL, one person."""

from __future__ import annotations

import click

from segue.commands.advice import command, meant
from segue.commands.shell import Place, as_json, show, show_json
from segue.domain.errors import UnknownName


@click.command()
@click.argument("query")
@as_json
@click.pass_obj
def sql(place: Place, query: str, as_json: bool) -> None:  # noqa: FBT001
    """Ask the lake in SQL: events, items, users, decisions and quarantine are tables."""
    answer = place.project().sql(query)
    show([{name: _shown(value) for name, value in row.items()} for row in answer], as_json, title="answer")


@click.command()
@click.option("--user", required=True, help="A user, or a visitor.")
@as_json
@click.pass_obj
def describe(place: Place, user: str, as_json: bool) -> None:  # noqa: FBT001
    """All that is known of one person: history, sessions, categories, and what the models see."""
    project = place.project()
    try:
        person = project.describe(user)
    except UnknownName as error:
        raise UnknownName(error.problem, mend=_advice(place, project.nearest(user))) from error
    if as_json:
        return show_json(person)
    for sentence in person.sentences():
        click.echo(sentence)
    if person.attributes:
        show([person.attributes], as_json, title="attributes")
    show([{"item": item, "events": count} for item, count in person.items.items()], as_json, title="items")
    return show(person.rows(), as_json, title="what models see, newest first")


def _advice(place: Place, near: list[str]) -> str:
    """What to run instead."""
    some = command(place, "sql", 'SELECT "user", visitor FROM events LIMIT 5')
    return meant(place, near, "describe", "--user") or f"see some with: {some}"


def _shown(value: object) -> object:
    """Times, decimals and the like as text, which JSON and a terminal take."""
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else str(value)


COMMANDS = (sql, describe)
