"""Reads JSON-LD: one document, one a line, or those in the scripts of HTML pages, each with the line it begins on."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from segue.data.maps.map import Mapped, Record
from segue.data.maps.records import Records, read_records
from segue.data.read.files import Part
from segue.data.read.json_lines import Number
from segue.data.read.rows import Broken
from segue.data.read.text import readable, utf8_blocks
from segue.domain.errors import ReadError

LONGEST: Final = 256 << 20  # bytes of one document, which is held in memory


def read_linked(part: Part, source: Mapped) -> Iterator[Records]:
    """The documents of a part; a text that is no JSON is broken, at the line on which it begins."""
    head = part.head(1 << 20).lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    if head[:1] != b"<" and _is_lines(head):
        yield from read_records(part, source)
        return
    blocks = utf8_blocks(part.blocks(), source.encoding, part.name)
    text = _whole(blocks, part.name)
    yield _records(in_html(text) if head[:1] == b"<" else [(1, text)])


def in_html(page: bytes) -> Iterator[tuple[int, bytes]]:
    """The line and the text of each script of JSON-LD in a page; those in comments are none. Any bytes will do."""
    lower, at, line, counted = page.lower(), 0, 1, 0
    while (found := _TAG.search(lower, at)) is not None:
        comment = found[0] == b"<!--"
        opened = found.start() if comment else lower.find(b">", found.start())
        at = lower.find(b"-->" if comment else b"</script", max(opened, found.start()))
        at = len(page) if at < 0 else at
        if comment or opened < 0 or _LINKED.search(lower, found.start(), opened) is None:
            continue
        line, counted = line + page.count(b"\n", counted, found.start()), found.start()
        yield line, page[opened + 1 : at].strip()


_TAG: Final = re.compile(rb"<!--|<script(?=[\s/>])")
_LINKED: Final = re.compile(rb"type\s*=\s*[\"']?\s*application/ld\+json")


def documents(text: bytes) -> list[Record]:
    """The objects of a JSON text: itself, or those of an array. Raises nothing: what is no JSON has none."""
    try:
        value = _ANY.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _records(texts: Iterable[tuple[int, bytes]]) -> Records:
    values: list[Record] = []
    lines: list[int] = []
    broken: list[Broken] = []
    for line, text in texts:
        found = documents(text)
        values += found
        lines += [line] * len(found)
        if not found:
            broken.append(Broken(line, "no JSON object: it is not written as JSON", None, readable(text)))

    def raw(rows: npt.NDArray[np.int64]) -> list[str]:
        return [readable(msgspec.json.encode(values[row], enc_hook=_number)) for row in rows.tolist()]

    return Records(values, np.array(lines, np.int64), raw, broken)


def _is_lines(head: bytes) -> bool:
    """Whether the first line is an object by itself, and others follow."""
    first, _, rest = head.partition(b"\n")
    return bool(rest.strip()) and bool(documents(first))


def _whole(blocks: Iterable[bytes], name: str) -> bytes:
    held = bytearray()
    for block in blocks:
        held += block
        if len(held) > LONGEST:
            raise ReadError(
                f"one document is longer than {LONGEST >> 20} MB", where=name, mend="write one object a line"
            )
    return bytes(held)


def _number(value: Any) -> Any:
    return msgspec.Raw(str(value).encode())


_ANY = msgspec.json.Decoder(Any, float_hook=Number)
