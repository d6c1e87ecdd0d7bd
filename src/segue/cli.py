"""The command `segue`: each command is a method of `Project` and a way to print what it returns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segue.domain.errors import DataError, SegueError

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
            self._refuse(ctx, f"{place}{error.strerror or error}\n  → mend that and run the command again")
        except KeyboardInterrupt:
            click.echo("segue: stopped; nothing was left half-written", err=True)
            ctx.exit(130)

    @staticmethod
    def _refuse(ctx: click.Context, sentence: str) -> None:
        click.secho(f"segue: {sentence}", err=True, fg="red" if sys.stderr.isatty() else None)
        ctx.exit(2)


class WithDefault(click.Group):
    """A group that takes any first word that is not one of its commands as an argument of the command `make`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--help" not in args[:1] and (not args or args[0] not in self.commands):
            args = ["make", *args]
        return super().parse_args(ctx, args)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


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


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--events", multiple=True, required=True, metavar="FILE", help="Files or globs of events. Repeatable.")
@click.option("--items", multiple=True, metavar="FILE", help="Files of the catalog. Repeatable.")
@click.option("--users", multiple=True, metavar="FILE", help="Files of the user table. Repeatable.")
@click.option("--delimiter", help="Mend a wrong guess: the delimiter of the events.")
@click.option("--time-format", help="Mend a wrong guess: iso, epoch_s, epoch_ms, epoch_us, epoch_ns or a pattern.")
@click.option("--column", "columns", multiple=True, metavar="NAME=COLUMN", help="Mend a wrong guess, e.g. user=client.")
@click.option("--order", type=click.Choice(["none", "file"]), help="Whether the rows are in the order of happening.")
@click.option("--force", is_flag=True, help="Overwrite a segue.toml that is there.")
@as_json
def init(folder: Path, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """Look at files, guess what they are, say why, and write segue.toml."""
    from segue.starter import initialise

    started = initialise(folder, **options)
    if as_json:
        return _json({"declaration": str(started.path), "guesses": started.reasons})
    for table, reasons in started.reasons.items():
        click.secho(table, bold=True)
        for reason in reasons:
            click.echo(f"  {reason}")
    click.echo(f"\nwrote {started.path}")
    return Place(folder).say_next("ingest")


@main.group()
def config() -> None:
    """The declaration."""


@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@as_json
@click.pass_obj
def config_show(place: Place, origin: bool, as_json: bool) -> None:  # noqa: FBT001
    """Every setting and its value."""
    origins = place.project().origins()
    if as_json:
        return _json([{"key": each.key, "value": each.value, "origin": each.origin} for each in origins])
    for each in origins:
        click.echo(f"{each.key} = {each.value!r}" + (f"    # {each.origin}" if origin else ""))
    return None


@main.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def ingest(place: Place, files: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001
    """Read files into the lake; those of segue.toml where none are named. What was read before is not read twice."""
    from segue.terminal import progress

    with progress("reading") as advance:
        reports = place.project().ingest(files, progress=advance)
    _show(reports.rows(), as_json, title="ingested")
    if not as_json:
        click.echo(reports.sentence())
        place.say_next(*(["quarantine"] if reports.quarantined else []), "check", "train")
    if reports.nothing_kept:
        raise DataError(
            f"not one of {reports.rows_read:,} rows could be kept",
            where="ingest",
            mend="see why with `segue quarantine`, mend [events] in segue.toml, and ingest again",
        )
    return


@main.command()
@click.option("--reason", help="Only rows whose reason holds this text.")
@click.option("-n", "limit", default=20, show_default=True, type=click.IntRange(1), help="How many rows.")
@as_json
@click.pass_obj
def quarantine(place: Place, reason: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001
    """The rows that could not be taken: how many for each reason, and some with their file, line and text."""
    held = place.project().quarantined(reason, limit)
    if as_json:
        return _json({"reasons": held.reasons, "rows": held.rows})
    _show([{"reason": why, "rows": count} for why, count in held.reasons.items()], as_json, title="quarantine")
    if held.rows:
        _show(held.rows, as_json, title=f"the first {len(held.rows)}")
    return None


@main.command()
@as_json
@click.pass_obj
def check(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Hold the lake against the declared rules (a sensible set where none are); exits with 1 on an error."""
    report = place.project().check()
    _show(report.rows(), as_json, title="rules")
    sys.exit(0 if report.passed else 1)


@main.command()
@click.argument("models", nargs=-1)
@as_json
@click.pass_obj
def train(place: Place, models: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Train the declared models, or those named."""
    from segue.terminal import progress

    with progress("training") as advance:
        trained = place.project().train(models, progress=advance)
    _show([each.row() for each in trained], as_json, title="trained")
    if not as_json:
        place.say_next("evaluate", "recommend --user ID --explain", "release")


@main.command()
@click.argument("models", nargs=-1)
@click.option("--split", type=click.Choice(["time", "last", "random", "files"]), help="Instead of the declared one.")
@as_json
@click.pass_obj
def evaluate(place: Place, models: tuple[str, ...], split: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Train on the past, rank all items, and hold the lists against what people did next."""
    from segue.terminal import progress

    with progress("evaluating") as advance:
        board = place.project().evaluate(models, split=split, progress=advance)
    if as_json:
        return _json({"title": board.title, "sentence": board.sentence(), "evaluation": board.evaluation})
    _show(board.rows(), as_json, title=board.title)
    click.echo(board.sentence())
    return None


@main.command()
@click.argument("models", nargs=-1)
@click.option("--attribute", default="categories", help="Which attribute of the items. [categories]")
@as_json
@click.pass_obj
def affinity(place: Place, models: tuple[str, ...], attribute: str, as_json: bool) -> None:  # noqa: FBT001
    """The share of each person's top 10 in the person's own genres or tags, against popularity's."""
    _show(
        place.project().affinity(models, attribute=attribute), as_json, title="top 10 in the person's own " + attribute
    )


@main.command()
@click.option("--user", metavar="ID", help="A person of the log.")
@click.option("--history", metavar="ITEM,ITEM,…", help="What someone did, oldest first, instead of a person.")
@click.option("--all", "everyone", is_flag=True, help="Everybody of the log; needs --out.")
@click.option("--model", help="Which model; the first source of the first surface where none is named.")
@click.option("-k", default=20, show_default=True, type=click.IntRange(1, 200), help="How many items.")
@click.option("--explain", is_flag=True, help="Give the reason for each.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to a .csv, .jsonl or .parquet file.")
@as_json
@click.pass_obj
def recommend(place: Place, /, as_json: bool, **options: Any) -> None:  # noqa: FBT001
    """What to show next, and why."""
    from segue.terminal import progress

    project = place.project()
    everyone, out = options.pop("everyone"), options.pop("out")
    history, explain = options.pop("history"), options.pop("explain")
    if everyone:
        if options.pop("user") is not None or history is not None:
            raise SegueError("--all is everybody: it goes with neither --user nor --history", mend="leave one out")
        with progress("lists") as advance:
            made = project.recommend_all(out, progress=advance, **options)
        return _json({"path": str(made.path), "people": made.people}) if as_json else click.echo(made.sentence())
    listed = project.recommend(history=history.split(",") if history is not None else None, **options)
    if out is not None:
        listed.write(out)
    if as_json:
        return _json(listed.as_dict())
    if out is not None:
        return click.echo(f"wrote {out}")
    _show(listed.rows(explain=explain), as_json, title=listed.title)
    if listed.fallback:
        click.echo(listed.fallback)
    return None


@main.group(cls=WithDefault, invoke_without_command=False)
def release() -> None:
    """Put models and surfaces into service as one unit: `segue release [MODEL…]`, then list, switch, rollback."""


@release.command("make", hidden=True)
@click.argument("models", nargs=-1)
@as_json
@click.pass_obj
def release_make(place: Place, models: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Release the trained models (all that the surfaces need, or those named) and switch to them."""
    made = place.project().release(models)
    _show([made], as_json, title="released")
    if not as_json:
        place.say_next("serve")


@release.command("list")
@as_json
@click.pass_obj
def release_list(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """All releases, the current one marked."""
    _show(place.project().releases(), as_json, title="releases")


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


@main.command()
@click.option("--host", help="Address to listen on. [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port. [8000]")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes. [1]")
@click.pass_obj
def serve(place: Place, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the current release over HTTP until stopped, with a page to look at."""
    place.project().serve(host=host, port=port, workers=workers)


@main.command()
@as_json
@click.pass_obj
def drain(place: Place, as_json: bool) -> None:  # noqa: FBT001
    """Move what the service acknowledged from the journal into the lake."""
    _show([place.project().drain()], as_json, title="drained")


@main.command()
@click.argument("name", required=False)
@as_json
@click.pass_obj
def experiment(place: Place, name: str | None, as_json: bool) -> None:  # noqa: FBT001
    """What an A/B test says so far, and whether it can be trusted; every declared one where none is named."""
    readouts = place.project().experiment(name)
    if as_json:
        return _json([readout.as_dict() for readout in readouts])
    for readout in readouts:
        _show(readout.arm_rows(), as_json, title=f"experiment {readout.name}: who saw what")
        if readout.metric_rows():
            _show(readout.metric_rows(), as_json, title="what they did then")
        click.echo("\n".join([readout.verdict, *readout.notes]))
    return None


@main.command()
@click.option("--role", type=click.Choice(["service", "admin"]), default="service", show_default=True)
@click.pass_obj
def key(place: Place, role: str) -> None:
    """Make an API key and print it once; only its hash is kept."""
    click.echo(place.project().create_key(role))


@main.command()
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


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"))
@click.option("--data", type=click.Path(path_type=Path), help="A workspace of real data instead of a simulated world.")
@click.option("--serve/--no-serve", default=None, help="Keep the service up at the end. [on a terminal]")
def demo(folder: Path, data: Path | None, serve: bool | None) -> None:  # noqa: FBT001
    """The whole loop on a living shop, in about a minute."""
    from segue.demo import run

    run(folder, data=data, serve=sys.stdout.isatty() if serve is None else serve)


def _show(rows: Sequence[dict[str, Any]], as_json: bool, *, title: str) -> None:  # noqa: FBT001
    if as_json:
        return _json(list(rows))
    from segue.terminal import table

    table(rows, title=title)
    return None


def _json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


if __name__ == "__main__":
    main()
