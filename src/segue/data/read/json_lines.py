"""Reads JSON lines as columns: numbers keep the digits that they are written with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from segue.data.read.rows import Broken, Rows
from segue.data.read.text import readable
from segue.domain.errors import ReadError

LONGEST = 64 << 20  # bytes of one line
FIELDS = 1_000  # that are remembered to say what there is
KEYS = 1_000  # different ones in a block: beyond that, each line is looked at by itself
_ABSENT = object()

Record = dict[str, Any]


class Number(str):
    """A number that is not an integer, as it is written."""

    __slots__ = ()


def read_json_lines(
    blocks: Iterable[bytes], *, encoding: str, wanted: Callable[[list[str]], list[str]], plain: frozenset[str]
) -> Iterator[Rows]:
    """Rows of UTF-8 text with one JSON object a line, block by block.

    `wanted` is given the keys of a block and answers which of them are needed, or which fields inside them
    ("actor.id"). The columns in `plain` hold text, the others JSON texts, so that what they are not asked for keeps its
    type.
    """
    line = 1
    for text in _whole_lines(blocks):
        records, lines, broken = json_records(text, line, encoding)
        yield json_rows(records, lines, broken, _Source(text, line, lines).raw, wanted, plain)
        line += text.count(b"\n")


def absent_fields(
    blocks: Iterable[bytes], *, encoding: str, columns: Iterable[str]
) -> tuple[list[str], Mapping[str, None]]:
    """Which of these columns no object has, and the fields that there are; reads only as far as it needs to.

    Nothing is absent where there are no objects.
    """
    sought, seen, fields = list(columns), False, dict[str, None]()
    for text in _whole_lines(blocks):
        records, _, _ = json_records(text, 1, encoding)
        seen = seen or bool(records)
        sought = [column for column in sought if not any(_has(record, column) for record in records)]
        if not sought:
            break
        for record in records[:: len(records) // 200 + 1]:
            fields |= dict.fromkeys(fields_in(record))
            if len(fields) > FIELDS:
                break
    return (sought if seen else []), fields


def fields_in(record: Mapping[str, Any]) -> Iterator[str]:
    """The keys of an object; for one that holds an object, the fields of that instead, as "actor.id"."""
    for key, value in record.items():
        if isinstance(value, dict) and value:
            yield from (f"{key}.{inner}" for inner in fields_in(value))
        else:
            yield key


def decoded(text: str) -> Record | None:
    """A JSON object, its numbers as they are written; None where the text is none."""
    try:
        return _OBJECTS.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def texts(name: str, values: list[Any]) -> pl.Series:
    """Decoded values as text: strings as they are, numbers as written, arrays and objects as JSON."""
    exact = [repr(value) if isinstance(value, float) else value for value in values]  # Arrow cuts 7.5 to the integer 7
    found = pl.from_arrow(_plain(exact))
    assert isinstance(found, pl.Series)
    return found.alias(name)


def fragments(name: str, values: list[Any]) -> pl.Series:
    """Decoded values as JSON texts, each as it would stand in a file; None stays nothing."""
    return pl.Series(name, [None if value is None else _json(value) for value in values], dtype=pl.String)


def field(record: Mapping[str, Any], path: str) -> Any:
    """What an object has under this name, or, where it has none, inside its objects: "actor.id" is `id` in `actor`.

    >>> field({"actor": {"id": "K1"}}, "actor.id"), field({"actor.id": "K2", "actor": {"id": "K1"}}, "actor.id")
    ('K1', 'K2')
    """
    found = _find(record, path)
    return None if found is _ABSENT else found


def _has(record: Mapping[str, Any], path: str) -> bool:
    return _find(record, path) is not _ABSENT


def _find(record: Mapping[str, Any], path: str) -> Any:
    if path in record:
        return record[path]
    end = path.rfind(".")
    while end > 0:
        inner = record.get(path[:end])
        if isinstance(inner, dict) and (found := _find(inner, path[end + 1 :])) is not _ABSENT:
            return found
        end = path.rfind(".", 0, end)
    return _ABSENT


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        rest += block
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > LONGEST:
            raise ReadError(f"a line is longer than {LONGEST >> 20} MB", mend="write one JSON object a line")
    if rest:
        yield rest if rest.endswith(b"\n") else rest + b"\n"


def json_records(text: bytes, line: int, encoding: str) -> tuple[list[Record], npt.NDArray[np.int64], list[Broken]]:
    """The objects of a text, their lines, and the lines that hold none."""
    filled = _filled_lines(text, line)
    try:
        records = _OBJECTS.decode_lines(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _one_by_one(text, line, encoding)
    if len(records) != len(filled) or _may_repeat_keys(text, records):
        return _one_by_one(text, line, encoding)
    return records, filled, []


def _filled_lines(text: bytes, line: int) -> npt.NDArray[np.int64]:
    """int64: the lines that hold more than blanks."""
    view = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(view == 10)
    visible = np.flatnonzero(view > 32) if b"\n\n" in text or b"\n " in text or b"\n\r" in text else None
    numbers = np.arange(len(ends), dtype=np.int64) + line
    if visible is None:
        return numbers if text.strip() and not text[:1].isspace() else numbers[_lines_with(ends, view)]
    return numbers[_lines_with(ends, view)]


def _lines_with(ends: npt.NDArray[np.int64], view: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    seen = np.searchsorted(np.flatnonzero(view > 32), ends)
    return np.diff(seen, prepend=0) > 0


def _may_repeat_keys(text: bytes, records: list[Record]) -> bool:
    """Whether some object, at any depth, may name a key twice; texts that are equal to a key make this say so too.

    Where no blank stands before a colon, the keys in the text are counted; as many as the objects have is none twice.
    """
    if _named(text) == sum(map(_size, records)):
        return False
    keys = Counter(chain.from_iterable(records))
    if text.count(b"{") > len(records):
        keys.update(chain.from_iterable(_inner_keys(value) for record in records for value in record.values()))
    return len(keys) > KEYS or any(text.count(_quoted(key)) > times for key, times in keys.items())


def _named(text: bytes) -> int:
    """How many keys a text names, each right before its colon; -1 where one could end in a backslash."""
    return -1 if b'\\\\":' in text else text.count(b'":') - text.count(b'\\":')


def _size(value: Any) -> int:
    """How many keys the objects in a value have."""
    if isinstance(value, dict):
        return len(value) + sum(_size(inner) for inner in value.values() if isinstance(inner, dict | list))
    return sum(_size(inner) for inner in value if isinstance(inner, dict | list))


def _inner_keys(value: Any) -> Iterator[str]:
    """The keys of the objects in a value."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _inner_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _inner_keys(inner)


def _quoted(key: str) -> bytes:
    return json.dumps(key, ensure_ascii=False).encode()


def _one_by_one(text: bytes, line: int, encoding: str) -> tuple[list[Record], npt.NDArray[np.int64], list[Broken]]:
    records: list[Record] = []
    lines: list[int] = []
    broken: list[Broken] = []
    for number, raw in enumerate(text.split(b"\n")[:-1], start=line):
        if not raw.strip():
            continue
        try:
            records.append(_record(raw))
            lines.append(number)
        except UnicodeDecodeError:
            broken.append(Broken(number, f"not {encoding}", None, readable(raw)))
        except (ValueError, RecursionError) as error:
            broken.append(Broken(number, _why(raw, error), None, readable(raw)))
    return records, np.array(lines, np.int64), broken


def _record(raw: bytes) -> Record:
    record = _OBJECTS.decode(raw)
    if _named(raw) == _size(record):
        return record
    keys = Counter(_inner_keys(record))
    if any(raw.count(_quoted(key)) > times for key, times in keys.items()):
        json.loads(raw, object_pairs_hook=_without_repeats)
    return record


def _without_repeats(pairs: list[tuple[str, Any]]) -> Record:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key '{next(name for name in names if names.count(name) > 1)}' comes twice")
    return found


def _why(raw: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "no JSON object: nested too deeply"
    if raw.lstrip()[:1] == b"[":
        return "no JSON object: the line holds an array"
    if isinstance(error, msgspec.ValidationError):
        return "no JSON object: the line holds a single value"
    if isinstance(error, msgspec.DecodeError):
        return "no JSON object: " + (
            "the line breaks off" if "truncated" in str(error) else "it is not written as JSON"
        )
    return f"no JSON object: {error}"


def json_rows(
    records: list[Record],
    lines: npt.NDArray[np.int64],
    broken: list[Broken],
    raw: Callable[[npt.NDArray[np.int64]], list[str]],
    wanted: Callable[[list[str]], list[str]],
    plain: frozenset[str],
) -> Rows:
    """Objects as columns, with their lines and their text."""
    keys = list(dict.fromkeys(chain.from_iterable(records)))
    needed = wanted(keys)
    columns = {
        key: _plain([field(record, key) if "." in key else record.get(key) for record in records])
        if key in plain
        else pa.array([_fragment(record, key) for record in records], pa.string())
        for key in needed
    }
    frame = pl.DataFrame({key: pl.from_arrow(column) for key, column in columns.items()})
    return Rows(frame, lines, raw, broken, frozenset(needed) - plain)


def _fragment(record: Record, key: str) -> str | None:
    value = record.get(key, _ABSENT) if "." not in key else _find(record, key)
    return None if value is _ABSENT else _json(value)


class _Source:
    """The text of rows, parted into lines only when a row of it is asked for."""

    def __init__(self, text: bytes, line: int, lines: npt.NDArray[np.int64]) -> None:
        self._text, self._line, self._lines = text, line, lines

    def raw(self, rows: npt.NDArray[np.int64]) -> list[str]:
        if not len(rows):
            return []
        lines = self._text.split(b"\n")
        return [readable(lines[number - self._line]) for number in self._lines[rows].tolist()]


def _plain(values: list[Any]) -> pa.Array:
    """Text of the values: strings as they are, numbers as written, arrays and objects as JSON."""
    for kind in (pa.string(), pa.int64()):
        try:
            return pa.array(values, kind).cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            continue
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _json(value)


def _json(value: object) -> str:
    return _ENCODER.encode(value).decode()


def _number(value: object) -> object:
    return msgspec.Raw(str(value).encode())


_OBJECTS = msgspec.json.Decoder(dict[str, Any], float_hook=Number)
_ENCODER = msgspec.json.Encoder(enc_hook=_number)
