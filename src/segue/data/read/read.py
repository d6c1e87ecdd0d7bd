"""Reads files of any of the formats that Segue knows as rows of columns, in bounded memory."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from segue.data.maps.map import REST
from segue.data.maps.registry import table_map
from segue.data.read.arrow import is_arrow, read_arrow
from segue.data.read.delimited import read_delimited
from segue.data.read.fields import Dialect
from segue.data.read.files import Location, Part, inner_suffix, parts
from segue.data.read.json_array import array_lines, read_json_array
from segue.data.read.json_lines import absent_fields, read_json_lines
from segue.data.read.parquet import read_parquet
from segue.data.read.part import Holder
from segue.data.read.rows import Rows
from segue.data.read.text import bom, codec, utf8_blocks
from segue.data.settings import EventSource, FileSource, ItemSource, TableSource, UserSource
from segue.domain.errors import DeclarationError, MissingColumn, ReadError

Kind = Literal["csv", "jsonl", "json", "parquet", "arrow"]
SUFFIXES: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrow",
}
TYPED = {"parquet": read_parquet, "arrow": read_arrow}
JSON = {"jsonl": read_json_lines, "json": read_json_array}

SLIP = 0.8  # how alike (difflib's ratio) two names are of which one is the other misspelt


def read_rows(path: Location, source: FileSource) -> Iterator[Rows]:
    """The rows of all parts of one path, as `source` says that they are to be read.

    Raises `ReadError` where a part is damaged, `MissingColumn` where it lacks a column that the source names.
    """
    for part in parts(path):
        yield from read_part(part, source)


def read_part(part: Part, source: FileSource) -> Iterator[Rows]:
    """The rows of one part, through the map that the source names where it names one."""
    by_name = table_map(source)
    try:
        if by_name is not None and isinstance(source, EventSource | ItemSource):
            yield from by_name.read(part, source)
        else:
            yield from _read_part(part, source)
    except ReadError as error:
        raise ReadError(error.problem, where=error.where or part.name, mend=error.mend) from error


def _read_part(part: Part, source: FileSource) -> Iterator[Rows]:
    kind = part_format(part, source)
    needed = _Needed(part, source, kind)
    if kind in TYPED:
        with part.seekable() as stream:
            yield from TYPED[kind](stream, name=part.name, wanted=needed)
        return
    encoding = codec(source.encoding, part.name)
    text = utf8_blocks(part.blocks(), source.encoding, part.name)
    if kind in JSON:
        needed.check(part, encoding)
        yield from JSON[kind](text, encoding=encoding, wanted=needed, plain=frozenset(mapped(source).values()))
    else:
        dialect = Dialect.of(source.delimiter, source.quote)
        yield from read_delimited(text, dialect, header=source.header, encoding=encoding, wanted=needed)


def needed_columns(part: Part, source: FileSource) -> Wanted:
    """What answers which of a part's columns are needed, and refuses a part that lacks one."""
    return _Needed(part, source, part_format(part, source))


def refuse_lacking(part: Part, source: FileSource) -> None:
    """Refuse a part of JSON lines where no row has a column that rows need: `MissingColumn`."""
    _Needed(part, source, part_format(part, source)).check(part, codec(source.encoding, part.name))


def part_format(part: Part, source: FileSource) -> Kind:
    """The declared format, or what the part's name and first bytes say."""
    head = part.head(4096)
    if head[:4] == b"PAR1":
        return "parquet"
    if is_arrow(head):
        return "arrow"
    if source.format != "auto":
        return source.format
    named = SUFFIXES.get(inner_suffix(part.name))
    if named in (None, "jsonl") and looks_like_array(head):
        return "json"
    return named or ("jsonl" if looks_like_json(head) else "csv")


def looks_like_json(head: bytes) -> bool:
    """Whether a text begins with a JSON object."""
    text = _beginning(head)
    return text[:1] == "{" and (text[1:].lstrip()[:1] in ('"', "}"))


def looks_like_array(head: bytes) -> bool:
    """Whether a text begins with a JSON array of objects, or an empty one."""
    text = _beginning(head)
    return text[:1] == "[" and (looks_like_json(text[1:].encode()) or text[1:].strip() in ("", "]"))


def _beginning(head: bytes) -> str:
    mark, encoding = bom(head)
    return head[len(mark) :].decode(encoding or "utf-8", "replace").lstrip()


def mapped(source: FileSource) -> dict[str, str]:
    """The columns of the file that the source names, by Segue's names for them."""
    if not isinstance(source, TableSource):
        return {}
    columns = source.columns
    return {
        name: value
        for name in columns.__struct_fields__
        if isinstance(value := getattr(columns, name), str) and not (value == REST and _reads_itself(source))
    }


def gathered(source: FileSource, names: Sequence[str]) -> list[str]:
    """The columns, of those with these names, that make up the context of an event where it is not one column."""
    context = source.columns.context if isinstance(source, EventSource) else None
    if isinstance(context, tuple):
        if not _reads_itself(source):
            raise DeclarationError(
                "with a map, context is one column or all",
                where="[events.columns]",
                mend='write context = "*", or the name of one column',
            )
        return list(context)
    if context != REST or not _reads_itself(source):
        return []
    taken = set(mapped(source).values())
    return [name for name in names if name not in taken]


def _reads_itself(source: FileSource) -> bool:
    return getattr(source, "map", None) is None


class _Needed:
    """Answers which columns of a part are needed, and refuses a part that lacks one."""

    def __init__(self, part: Part, source: FileSource, kind: Kind) -> None:
        self._name, self._holder = part.name, part.holder
        self._source, self._kind = source, kind
        self._named = list(dict.fromkeys(mapped(source).values()))

    def __call__(self, names: list[str], fields: Sequence[str] = ()) -> list[str]:
        """The needed ones of a part's columns, and of the fields inside these ("actor.id")."""
        named = list(dict.fromkeys([*self._named, *gathered(self._source, names)]))
        twice = [column for column in named if f"{column} (2)" in names]
        if twice:
            raise ReadError(
                f"the column '{twice[0]}' comes twice, and which one is meant is not said",
                where=self._name,
                mend="rename or remove one of them in the file's first line",
            )
        inside = [column for column in named if column not in names]
        if self._kind not in JSON:
            missing = [column for column in inside if column not in fields]
            if missing:
                raise self._missing(missing[0], [*names, *fields])
        kept = _ordered(names, named) if isinstance(self._source, EventSource) else names
        return kept + [column for column in inside if "." in column]

    def check(self, part: Part, encoding: str) -> None:
        """Refuse JSON lines where no row has a column that rows need, or one that looks like a slip of the pen.

        A column that rows can do without may be absent from a whole part: programs leave out what is empty.
        """
        text: Iterable[bytes] = utf8_blocks(part.blocks(), self._source.encoding, part.name)
        text = array_lines(text) if self._kind == "json" else text
        absent, fields = absent_fields(text, encoding=encoding, columns=self._named)
        roles = {role: column for role, column in mapped(self._source).items() if column in absent}
        others = [name for name in fields if name not in self._named]
        for role, column in roles.items():
            if self._needs(role, roles) or _near(_leaf(column), list(map(_leaf, others)), SLIP):
                raise self._missing(column, list(fields))

    def _needs(self, role: str, absent: Mapping[str, str]) -> bool:
        """Whether every row is broken where nothing has this role."""
        if not isinstance(self._source, EventSource):
            return role == "id"
        if role in ("user", "visitor"):
            return all(other in absent for other in ("user", "visitor") if other in mapped(self._source))
        return role in ("item", "type", "time")

    def _missing(self, column: str, names: Sequence[str]) -> MissingColumn:
        return MissingColumn(
            f"the {self._holder} has no column '{column}'; it has {_listed(names)}",
            where=self._name,
            mend=_advice(column, names, self._source, self._holder),
        )


def _ordered(names: list[str], chosen: Sequence[str]) -> list[str]:
    """The chosen ones of the names that there are, in the order of the file."""
    wanted = set(chosen)
    return [name for name in names if name in wanted]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name[:40]}'" for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _advice(column: str, names: Sequence[str], source: FileSource, holder: Holder) -> str:
    if len(names) == 1 and holder == "file":
        found = [sign for sign in (";", "\t", "|", ",", "::", " ") if sign in names[0] and sign != source.delimiter]
        if found:
            return f"the delimiter is {source.delimiter!r}; should it be {found[0]!r}?"
    near = _near(column, names) or _near(_leaf(column), list(map(_leaf, names)))
    if near:
        name = next(name for name in names if near in (name, _leaf(name)))
        return f"did you mean '{name}'? write it under {_table(source)} in segue.toml"
    if holder != "file":
        other = "give it that name in `query` with AS" if "query" in holder else "rename the frame's column"
        return f"mend the column's name under {_table(source)} in segue.toml, or {other}"
    return (
        f"mend the column's name under {_table(source)} in segue.toml, or `header` if the file has no header; "
        "where only some files have this shape, name the others in `files` and read these in a workspace of their own, "
        "or rename the column in them"
    )


def _table(source: FileSource) -> str:
    """The table of segue.toml that names the columns of a source."""
    kinds = {EventSource: "[events.columns]", ItemSource: "[items.columns]", UserSource: "[users.columns]"}
    return next((name for kind, name in kinds.items() if isinstance(source, kind)), "columns")


def _near(column: str, names: Sequence[str], cutoff: float = 0.6) -> str | None:
    """The name that is most like this one."""
    found = difflib.get_close_matches(column.lower(), [name.lower() for name in names], n=1, cutoff=cutoff)
    return next(name for name in names if name.lower() == found[0]) if found else None


def _leaf(column: str) -> str:
    """The last part of a path: `id` of "actor.id"."""
    return column.rpartition(".")[2] or column


Wanted = Callable[[list[str]], list[str]]
