"""Guesses how files are to be read, and says why, and what could be otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

import msgspec
import polars as pl

from segue.data.guess.catalog import ItemRoles, user_id
from segue.data.guess.cells import filled, holds_json, quoted
from segue.data.guess.columns import EventRoles
from segue.data.guess.maps import recognised
from segue.data.guess.nested import opened
from segue.data.guess.shape import Shape, guess_shape
from segue.data.guess.told import Told
from segue.data.read.files import Location, Part, inner_suffix, parts
from segue.data.read.read import JSON, SUFFIXES, mapped, read_part
from segue.data.settings import EventSource, FileSource, ItemSource, UserSource
from segue.domain.errors import ReadError

LOOKED_AT = 20  # files, and members of an archive, whose columns are held against the first
SAMPLE_ROWS = 200_000  # rows that columns are told from

Source = TypeVar("Source", bound=FileSource)


@dataclass(frozen=True)
class Guess(Generic[Source]):
    """How to read some files.

    source   what goes into segue.toml; `files` are the paths as they were given, or those members of an archive that
             are of one shape
    reasons  why, a line for each thing that was told, with the evidence
    doubts   what could be otherwise, and what to change then
    sample   the first rows as the file has them, the fields of objects as columns
    """

    source: Source
    reasons: list[str]
    doubts: list[str]
    sample: pl.DataFrame


@dataclass
class Look:
    """What was seen of the first file: a sample of its rows, and what has been said so far.

    `roots` are the columns that the fields of objects are in, `name` is what the file is called.
    """

    shape: Shape
    sample: pl.DataFrame
    reasons: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    name: str = ""
    members: list[Member] = field(default_factory=list)


@dataclass(frozen=True)
class Member:
    """A further member of an archive: its columns, and why it is unlike the first; None where it is like it."""

    name: str
    columns: list[str]
    unlike: str | None


def guess_events(
    paths: Sequence[Location],
    *,
    told: Mapping[str, str] | None = None,
    delimiter: str | None = None,
    time_format: str | None = None,
    order: str | None = None,
) -> Guess[EventSource]:
    """How to read files of events.

    What is said goes before what is guessed: `told` maps roles ("user") to the file's columns ("" where none has the
    role). Raises `ReadError` where the first file is empty or damaged, or has no column that could be the person or
    the item; `DataError` where it is not as it was said to be.
    """
    said = Told(told or {}, _sign(delimiter), time_format, order)
    if (by_map := recognised(paths, "events", said)) is not None:
        assert isinstance(by_map.source, EventSource)
        return Guess(by_map.source, by_map.reasons, by_map.doubts, by_map.sample.head(5))
    look = _look(paths, said)
    roles = EventRoles(look.sample, look.reasons, look.doubts, said, look.name)
    source = msgspec.structs.replace(_file_source(EventSource, look.shape, paths), **roles.settings())
    source = _of_one_shape(source, look)
    return Guess(source, look.reasons, look.doubts, look.sample.head(5))


def guess_items(paths: Sequence[Location]) -> Guess[ItemSource]:
    """How to read files of the catalog. Raises `ReadError` where the first file is empty or damaged."""
    if (by_map := recognised(paths, "items")) is not None:
        assert isinstance(by_map.source, ItemSource)
        return Guess(by_map.source, by_map.reasons, by_map.doubts, by_map.sample.head(5))
    look = _with_ids(_look(paths))
    roles = ItemRoles(look.sample, look.reasons, look.doubts, look.roots)
    source = msgspec.structs.replace(_file_source(ItemSource, look.shape, paths), **roles.settings())
    source = _of_one_shape(source, look)
    return Guess(source, look.reasons, look.doubts, look.sample.head(5))


def guess_users(paths: Sequence[Location]) -> Guess[UserSource]:
    """How to read files of users. Raises `ReadError` where the first file is empty or damaged."""
    look = _with_ids(_look(paths))
    settings = user_id(look.sample, look.reasons, look.doubts)
    source = msgspec.structs.replace(_file_source(UserSource, look.shape, paths), **settings)
    source = _of_one_shape(source, look)
    return Guess(source, look.reasons, look.doubts, look.sample.head(5))


def _sign(delimiter: str | None) -> str | None:
    """A tab as shells hand it over."""
    return "\t" if delimiter in ("\\t", "tab") else delimiter


def _look(paths: Sequence[Location], told: Told | None = None) -> Look:
    if not paths:
        raise ReadError("no file was named", mend="name one or more files")
    told = told or Told()
    part, shape, sample = _first(paths[0], told)
    members = [_member(other, told, shape, sample, part.name) for other in _others(paths[0], part.name)]
    looked = [_first(path, told) for path in _spread(paths[1:])]
    doubts = [doubt for found in looked if (doubt := _unlike(*found, shape, sample, part.name))]
    if told.delimiter and shape.format != "csv":
        doubts.append(f"a delimiter was said, but {part.name} is no table of text")
    found = opened(sample)
    said = shape.doubts + doubts + found.doubts()
    return Look(shape, found.frame, shape.reasons, said, found.roots, part.name, members)


def _of_one_shape(source: Source, look: Look) -> Source:
    """The source without the members of its archive that lack columns, so that they cannot be read by it."""
    needed = {look.roots.get(column, column) for column in mapped(source).values()}
    lacking = [member for member in look.members if member.unlike and not needed.issubset(member.columns)]
    if not lacking or len(look.members) >= LOOKED_AT:
        look.doubts += [member.unlike for member in look.members if member.unlike]
        return source
    taken = [member for member in look.members if member not in lacking]
    look.doubts += [member.unlike for member in taken if member.unlike]
    look.reasons += [f"files: without {member.name}, {_why_left_out(member, needed)}" for member in lacking]
    return msgspec.structs.replace(source, files=(look.name, *(member.name for member in taken), *source.files[1:]))


def _why_left_out(member: Member, needed: Set[str]) -> str:
    if not member.columns:
        return "which is no table"
    more = f" and {len(member.columns) - 6:,} more" if len(member.columns) > 6 else ""
    lacks = quoted([column for column in sorted(needed) if column not in member.columns][:6])
    return f"which lacks {lacks}; it has {quoted(member.columns[:6])}{more}"


def _with_ids(look: Look) -> Look:
    """Refuses a table of which no column could be an id."""
    if all(holds_json(filled(cells)) for cells in look.sample):
        seen = quoted(look.sample.columns[:20]) or "none"
        raise ReadError(
            f"no column could be an id, for all hold objects or lists: {seen}",
            where=look.name,
            mend="name a file with a column of ids",
        )
    return look


def _first(path: Location, told: Told) -> tuple[Part, Shape, pl.DataFrame]:
    """The first part of a path that is a table by its name, else its first, looked at while it can be read."""
    table = next((part.name for part in parts(path) if inner_suffix(part.name) in SUFFIXES), None)
    for part in parts(path):
        if table not in (None, part.name):
            continue
        shape = guess_shape(part, told.delimiter, frozenset(told.columns.values()))
        return part, shape, _sample(part, shape)
    raise ReadError("the archive holds no files", where=str(path), mend="name an archive that does")


def _sample(part: Part, shape: Shape) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    rows = 0
    for chunk in read_part(part, _file_source(FileSource, shape, ())):
        frames.append(_plain(chunk.frame, chunk.fragments))
        rows += len(chunk)
        if rows >= SAMPLE_ROWS:
            break
    return pl.concat(frames, how="diagonal_relaxed").head(SAMPLE_ROWS) if frames else pl.DataFrame()


def _plain(frame: pl.DataFrame, fragments: frozenset[str]) -> pl.DataFrame:
    """JSON texts as the text in them: "abc" without its quotes, null as nothing."""
    texts = [
        pl.when(pl.col(name).str.starts_with('"')).then(pl.col(name).str.slice(1).str.head(-1)).otherwise(pl.col(name))
        for name in fragments
    ]
    return frame.with_columns(texts).with_columns(pl.col(name).replace("null", None) for name in fragments)


def _file_source(kind: type[Source], shape: Shape, paths: Sequence[Location]) -> Source:
    return kind(
        files=tuple(str(path) for path in paths),
        format="auto" if shape.format in ("jsonl", "json", "arrow") else shape.format,
        delimiter=shape.delimiter,
        encoding=shape.encoding,
        header=shape.header,
        quote='"' if shape.quote else "",
    )


def _others(path: Location, first: str) -> Iterator[Part]:
    """Further members of an archive."""
    return islice((part for part in parts(path) if part.name != first), LOOKED_AT)


def _member(part: Part, told: Told, first: Shape, sample: pl.DataFrame, name: str) -> Member:
    try:
        shape = guess_shape(part, told.delimiter, frozenset(told.columns.values()))
        rows = next(iter(read_part(part, _file_source(FileSource, shape, ()))), None)
    except ReadError as error:
        return Member(part.name, [], f"{part.name}: {error.problem}")
    frame = pl.DataFrame() if rows is None else rows.frame
    return Member(part.name, frame.columns, _unlike(part, shape, frame, first, sample, name))


def _spread(paths: Sequence[Location]) -> Sequence[Location]:
    """Some of the paths, as far apart as they can be, the last among them."""
    step = -(-len(paths) // (LOOKED_AT - 1)) or 1
    return paths[::-1][::step][::-1]


def _unlike(part: Part, other: Shape, rows: pl.DataFrame, shape: Shape, sample: pl.DataFrame, first: str) -> str | None:
    """What is said of a further file whose columns are not those of the first."""
    shared = len(set(rows.columns) & set(sample.columns))
    open_ended = shape.format in JSON and 2 * shared > len(sample.columns)  # programs leave out what is empty
    if other.format == shape.format and (rows.columns == sample.columns or open_ended):
        return None
    return f"{part.name} has other columns than {first}: {', '.join(rows.columns)}; read it by a declaration of its own"
