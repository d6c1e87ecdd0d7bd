"""What all commands share: the workspace they work in, how they refuse, how they print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segue.domain.errors import SegueError

if TYPE_CHECKING:
    from segue.project import Project

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Place:
    """Which workspace a command works in."""

    folder: Path

    def project(self) -> Project:
        """Open it."""
        from segue.project import Project

        return Project.open(self.folder)

    def say_next(self, *commands: str) -> None:
        """Say what people mostly do next."""
        here = "segue" if self.folder == Path() else f"segue -C {self.folder}"
        click.echo("next: " + ", or ".join(f"{here} {command}" for command in commands))


class Refusing(click.Group):
    """A group whose commands print a `SegueError` as a sentence and exit with 2, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SegueError as error:
            self._refuse(ctx, str(error))
        except BrokenPipeError:  # `segue … | head` has read enough
            sys.stdout = None  # nothing is left to flush to
            ctx.exit(0)
        except OSError as error:  # what no room put into words: a disk, a permission, a file that went away
            place = f"{error.filename}: " if error.filename else ""
            mend = "mend that and run the command again"
            if "/lake/" in f"{place}{error}":
                mend = "`segue doctor` says what the lake lacks, and what to run next"
            self._refuse(ctx, f"{place}{error.strerror or error}\n  → {mend}")
        except KeyboardInterrupt:
            click.echo("segue: stopped; nothing was left half-written", err=True)
            ctx.exit(130)

    @staticmethod
    def _refuse(ctx: click.Context, sentence: str) -> None:
        click.secho(f"segue: {sentence}", err=True, fg="red" if sys.stderr.isatty() else None)
        ctx.exit(2)


class WithDefault(click.Group):
    """A group that takes any first word that is not one of its commands as an argument of its command `default`."""

    default = "make"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--help" not in args[:1] and (not args or args[0] not in self.commands):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


def _moment(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """A moment that is past: ISO 8601, in UTC where it names no zone."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        problem = f"'{value}' is no ISO 8601 time, such as 2026-01-31T09:00:00Z or 2026-01-31"
        raise click.BadParameter(problem, ctx, parameter) from error
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if moment > datetime.now(UTC):
        problem = f"{moment.isoformat()} is yet to come: what will have arrived by then cannot be told"
        raise click.BadParameter(problem, ctx, parameter)
    return moment


as_of = click.option(
    "--as-of", metavar="TIME", callback=_moment, help="Only what had arrived by this time, as if it were that moment."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def show(rows: Sequence[dict[str, Any]], as_json: bool, *, title: str) -> None:  # noqa: FBT001
    """Print rows as a table, or as JSON."""
    if as_json:
        return show_json(list(rows))
    from segue.commands.terminal import table

    table(rows, title=title)
    return None


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
