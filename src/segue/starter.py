"""Writes a first `segue.toml` from what was guessed about the files, with the reason for each guess beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from segue.data.settings import EventColumns, EventSource, FileSource, StorageSettings
from segue.data.sources.places import is_address, locations
from segue.declaration import FILE, loads
from segue.domain.errors import DeclarationError, unknown

if TYPE_CHECKING:
    from segue.data.guess.guess import Guess
    from segue.data.read.files import Location

HEAD = """\
# Segue's one declaration. Every line can be edited; `segue config show --origin` says where each value comes from.
# All settings: docs/settings.md
"""

MODELS = """\
# What is learned. `segue train` trains all of these, `segue train NAME` one.
[models.popularity]
learner = "popularity"
{half_life}
[models.item_knn]
learner = "item_knn"
similarity = "bm25"

[models.ease]
learner = "ease"

[models.als]
learner = "als"
"""

SURFACES = """\
# Where decisions show. The first source that can answer does; the later ones fill what is left.
[surfaces.home]
sources = ["ease", "popularity"]
k = 20
filters = ["seen", "available"]

# The log teaches more where the list is not always the same (docs/surfaces.md):
# [surfaces.home.exploration]
# policy = "plackett-luce"
# temperature = 0.3

# Two variants under a test (docs/experiments.md):
# [experiments.learned-home]
# surface = "home"
# [experiments.learned-home.variants.popular]
# surface = {sources = ["popularity"]}
# [experiments.learned-home.variants.learned]
# surface = {sources = ["ease", "popularity"]}
# [experiments.learned-home.metrics.clicked]
# kind = "proportion"
# types = ["{type}"]
"""


@dataclass(frozen=True)
class Started:
    """The declaration that was written, and for each table of it what was guessed and why."""

    path: Path
    reasons: dict[str, list[str]]


def initialise(
    folder: Path,
    events: Sequence[str],
    items: Sequence[str] = (),
    users: Sequence[str] = (),
    *,
    columns: Sequence[str] = (),
    query: str | None = None,
    force: bool = False,
    **mended: str | None,
) -> Started:
    """Look at the files, guess what they are, and write `segue.toml` into the folder.

    `columns` ("user=client") and `mended` (`delimiter`, `time_format`, `order`) overrule the guess about the events.
    Where `query` is given, `events` is the one database that it is asked of.
    Raises `ReadError` for a file that cannot be read, `DeclarationError` where a declaration is there already.
    """
    from segue.data.guess.guess import guess_events, guess_items, guess_users

    path = folder / FILE
    if path.exists() and not force:
        raise DeclarationError("there is a declaration here already", where=str(path), mend="edit it, or use --force")
    told = dict(map(_pair, columns))
    named = {"events": _Named(events, query), "items": _Named(items), "users": _Named(users)}
    guessed: dict[str, Guess[Any]] = {"events": guess_events(named["events"].met(), told=told, **mended)}
    if items:
        guessed["items"] = guess_items(named["items"].met())
    if users:
        guessed["users"] = guess_users(named["users"].met())
    reasons = {table: [*guess.reasons, *map(_doubt, guess.doubts)] for table, guess in guessed.items()}
    sources = {table: named[table].placed(guess.source, folder) for table, guess in guessed.items()}
    split, why = _split(sources["events"])
    text = starter(
        folder.resolve().name, {table: (source, reasons[table]) for table, source in sources.items()}, split, why
    )
    loads(text, str(path))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Started(path, reasons | {"evaluation": why})


def starter(
    name: str,
    sources: Mapping[str, tuple[FileSource, Sequence[str]]],
    split: str,
    reasons: Sequence[str] = (),
) -> str:
    """The text of a first declaration.

    `sources` maps "events", "items" and "users" to what was guessed and the reasons for it, `split` is the evaluation
    that these data allow, `reasons` says why.
    """
    events = sources["events"][0]
    timed = isinstance(events, EventSource) and events.columns.time is not None
    half_life = "half_life_days = 30.0\n" if timed else "# half_life_days = 30.0   # needs a time column\n"
    parts = [HEAD, _table("workspace", {"name": name}, ())]
    parts += [_source(table, source, why) for table, (source, why) in sources.items()]
    parts += [
        MODELS.replace("{half_life}\n", half_life + "\n"),
        _table("evaluation", {"split": split}, reasons),
        SURFACES.replace("{type}", _outcome(events)),
    ]
    return "\n".join(parts)


def _outcome(events: FileSource) -> str:
    """The type that an experiment on these events would most likely count: the first that weighs something."""
    assert isinstance(events, EventSource)
    return next((name for name, weight in events.types.items() if weight > 0), events.type)


class _Named:
    """What the command line names for one table: paths, globs, folders and addresses, or one database."""

    def __init__(self, patterns: Sequence[str], query: str | None = None) -> None:
        self.patterns, self.query = patterns, query
        if query is not None and len(patterns) != 1:
            raise DeclarationError("a query is asked of one database", where="--query", mend="name it with --events")

    def met(self) -> list[Location]:
        """Where their rows are."""
        if self.query is not None:
            from segue.data.sources.query import Query

            return [Query(self.patterns[0], self.query, Path())]
        return locations(self.patterns, Path(), StorageSettings(), "correct the path")

    def placed(self, source: FileSource, folder: Path) -> FileSource:
        """The source as the declaration of a workspace has it."""
        if self.query is not None:
            database = _portable_database(self.patterns[0], folder)
            return msgspec.structs.replace(source, files=(), database=database, query=self.query)
        files: list[str] = []
        for pattern in self.patterns:
            kept = [Path(pattern)] if Path(pattern).is_dir() else _files(pattern, source.files)
            files += [pattern] if is_address(pattern) else portable(kept, folder)
        return msgspec.structs.replace(source, files=tuple(dict.fromkeys(files)))


def _files(pattern: str, taken: Sequence[str]) -> list[Path]:
    """The files that a pattern meets; of an archive, the members that are taken where these are not all."""
    met = [] if is_address(pattern) else locations([pattern], Path(), StorageSettings(), "correct the path")
    files: list[Path] = []
    for place in map(str, met):
        files += [Path(name) for name in taken if name.startswith(f"{place}/")] or [Path(place)]
    return files


def _portable_database(address: str, folder: Path) -> str:
    """The address of a database file, from the workspace rather than from here."""
    scheme, _, path = address.partition(":///")
    if not path or path.startswith("/") or scheme not in ("sqlite", "duckdb"):
        return address
    return f"{scheme}:///{_portable(Path(path).resolve(), folder.resolve())}"


def _doubt(sentence: str) -> str:
    return f"perhaps not: {sentence}"


def _pair(column: str) -> tuple[str, str]:
    name, equals, value = column.partition("=")
    if not equals:
        raise DeclarationError(f"expected NAME=COLUMN, found '{column}'", where="--column", mend="e.g. user=client")
    if name not in EventColumns.__struct_fields__:
        raise unknown("column of events", name, EventColumns.__struct_fields__, where="--column")
    return name, value


def _split(events: FileSource) -> tuple[str, list[str]]:
    """The evaluation that the data allow, and why it is this one."""
    assert isinstance(events, EventSource)
    if events.columns.time is not None:
        return "time", ["the events have times: train on the past, test on what came after"]
    if events.order == "file":
        return "last", ["the events have an order but no times: each person's last event is the test"]
    return "random", ["the events have neither times nor an order: a random share of each person's items is the test"]


def portable(paths: Iterable[Path], folder: Path) -> tuple[str, ...]:
    """Paths as the declaration keeps them: relative to the workspace where they lie inside it or beside it."""
    return tuple(_portable(path.resolve(), folder.resolve()) for path in paths)


def _portable(path: Path, folder: Path) -> str:
    if path.is_relative_to(folder):
        return str(path.relative_to(folder))
    if path.is_relative_to(folder.parent):
        return str(Path("..") / path.relative_to(folder.parent))
    return str(path)


def _source(table: str, source: FileSource, reasons: Sequence[str]) -> str:
    return _table(table, dict(_said(source)), reasons)


def _said(settings: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """The fields that differ from their default: what a reader has to see."""
    defaults = type(settings)()
    for field in settings.__struct_fields__:
        value = getattr(settings, field)
        if value != getattr(defaults, field):
            yield field, dict(_said(value)) if isinstance(value, msgspec.Struct) else value


def _table(name: str, values: Mapping[str, Any], reasons: Sequence[str]) -> str:
    plain = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [*(f"# {line}" for reason in reasons for line in reason.splitlines()), f"[{name}]"]
    lines += [f"{_key(key)} = {_toml(value)}" for key, value in plain.items()]
    for key, table in tables.items():
        lines += ["", f"[{name}.{key}]"] + [f"{_key(column)} = {_toml(value)}" for column, value in table.items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else json.dumps(name)


def _toml(value: Any) -> str:
    """A scalar or a list as TOML; JSON's strings, numbers and booleans are TOML's."""
    if isinstance(value, (list, tuple)):
        if len(value) > 3:
            return "[\n" + "".join(f"  {_toml(part)},\n" for part in value) + "]"
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return json.dumps(value, ensure_ascii=False)
