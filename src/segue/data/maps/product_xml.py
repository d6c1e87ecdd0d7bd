"""Reads the items of an XML feed (RSS 2.0 or Atom) one by one, in bounded memory, with the line and text of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from segue.data.maps.map import Record
from segue.data.maps.records import Records
from segue.data.read.files import Part
from segue.data.read.text import readable
from segue.domain.errors import ReadError

NAMESPACE: Final = "http://base.google.com/ns/1.0"
ITEMS: Final = frozenset({"item", "entry"})
ONCE: Final = frozenset({"id", "title", "link", "description"})
ALONE: Final = re.compile(rb"(?P<declaration>\s*(<\?xml[^>]*\?>\s*)?)<(item|entry)[\s>]")
AROUND: Final = f'<rss xmlns:g="{NAMESPACE}">'.encode()
BATCH: Final = 10_000  # items that are handed on at a time
LONGEST: Final = 64 << 20  # bytes of one item
BLOCK: Final = 1 << 16  # bytes that are parsed at a time


def read_products(part: Part) -> Iterator[Records]:
    """The items of a feed: the text of each element by its name; what comes again is a list, what is nested an object.

    Items without a feed around them, as quarantine keeps them, are read too. XML that is not well-formed is a
    `ReadError` with its line.
    """
    alone = ALONE.match(part.head(1024))
    reader = _Reader(AROUND if alone else b"")
    skipped = alone.end("declaration") if alone else 0
    for block in part.blocks(BLOCK):
        reader.feed(block[skipped:], part.name, final=False)
        skipped = 0
        if len(reader.found) >= BATCH:
            yield reader.taken()
    reader.feed(b"</rss>" if alone else b"", part.name, final=True)
    yield reader.taken()


class _Reader:
    """Collects items while an XML parser runs; keeps no more of the text than the item that is open."""

    def __init__(self, before: bytes) -> None:
        self.found: list[tuple[Record, int, str]] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._data
        self._parser.EntityDeclHandler = self._entity
        self._parser.buffer_text = True
        self._text, self._offset = (
            bytearray(),
            len(before),
        )  # what is held of the text, and where in the file that begins
        self._begin, self._line = 0, 0  # where the open item begins
        self._open: list[Record] = []  # the item and the elements inside it, from the outermost
        self._words: list[list[str]] = []
        if before:
            self._parser.Parse(before)

    def feed(self, block: bytes, name: str, *, final: bool) -> None:
        """Parse some more of the text."""
        if not self._open:
            self._text, self._offset = bytearray(), self._offset + len(self._text)
        self._text += block
        if len(self._text) > LONGEST:
            raise ReadError(f"an item is longer than {LONGEST >> 20} MB", where=name, mend="is this a product feed?")
        try:
            self._parser.Parse(block, final)
        except (expat.ExpatError, ValueError) as error:
            raise ReadError(
                f"this is no well-formed XML ({error})", where=name, mend="mend the file; none of its rows was taken"
            ) from error

    def taken(self) -> Records:
        """The items that were found since the last time."""
        found, self.found = self.found, []
        raw = [text for _, _, text in found]
        lines = np.array([line for _, line, _ in found], np.int64)

        def texts(rows: npt.NDArray[np.int64]) -> list[str]:
            return [raw[row] for row in rows.tolist()]

        return Records([record for record, _, _ in found], lines, texts)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        called = name.rpartition(" ")[2]
        if not self._open and called not in ITEMS:
            return
        if not self._open:
            self._begin, self._line = self._parser.CurrentByteIndex, self._parser.CurrentLineNumber
        self._open.append({"href": attributes["href"]} if "href" in attributes else {})
        self._words.append([])

    def _data(self, text: str) -> None:
        if self._words:
            self._words[-1].append(text)

    def _end(self, name: str) -> None:
        if not self._open:
            return
        inside, text = self._open.pop(), "".join(self._words.pop()).strip()
        if self._open:
            link = inside.get("href") if inside.keys() == {"href"} else None
            _put(self._open[-1], name, text or link if inside.keys() <= {"href"} else inside)
            return
        end = self._parser.CurrentByteIndex + len(f"</{name.rpartition(' ')[2]}>")
        raw = self._text[self._begin - self._offset : end - self._offset]
        self.found.append((inside, self._line, readable(bytes(raw))))

    def _entity(self, *_: Any) -> None:
        raise ValueError("it declares entities, which feeds do not need and which can grow without end")


def _put(record: Record, name: str, value: Any) -> None:
    """What comes again is a list; but what RSS and Atom have too counts once, as Google's namespace has it."""
    space, _, called = name.rpartition(" ")
    before = record.get(called)
    if before is None or (called in ONCE and space == NAMESPACE):
        record[called] = value
    elif called not in ONCE:
        record[called] = [*(before if isinstance(before, list) else [before]), value]
