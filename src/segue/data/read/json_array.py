"""Reads a JSON array of objects as a stream: each element a row, exactly as JSON lines would have it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from segue.data.read.json_lines import LONGEST, json_records, json_rows
from segue.data.read.rows import Broken, Rows
from segue.data.read.text import readable
from segue.domain.errors import ReadError

ARRAY = re.compile(rb"\s*\[\s*(\{|\]\s*$|$)")
CHUNK = 4 << 20  # bytes of elements that become rows together
BEHIND = "text behind the end of the JSON array"
UNCLOSED = "the JSON array breaks off: nothing closes it"
NO_JSON = "no JSON object: it is not written as JSON"
LONGEST_WORD = 16  # signs of a text whose end may be missing, such as tru or \\ud8
TORN = "no JSON object: the array breaks off, or what follows cannot be told apart from this"

_SPACE = re.compile(r"[ \t\r\n]*")
_TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\]]|"')
_SCAN = json.JSONDecoder()


class Element(NamedTuple):
    """The text of one element, and why it is none where that is known."""

    raw: str
    fault: str | None = None


def read_json_array(
    blocks: Iterable[bytes], *, encoding: str, wanted: Callable[[list[str]], list[str]], plain: frozenset[str]
) -> Iterator[Rows]:
    """Rows of a UTF-8 text that is one JSON array, in bounded memory; `wanted` and `plain` as for JSON lines.

    A row's line is its place in the array, from 1: many arrays are all on one line. An element that is no object is
    broken. Where one is not even JSON, reading goes on behind its last bracket, or at the next line that begins as the
    element did; where there is none, all that is left is one broken row.
    """
    number = 1
    for elements in _chunks(elements_of(blocks)):
        yield _rows(elements, number, encoding, wanted, plain)
        number += len(elements)


def array_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The elements as JSON lines, for those who look for what is in them."""
    for element in elements_of(blocks):
        yield _one_line(element.raw) + b"\n"


def elements_of(blocks: Iterable[bytes]) -> Iterator[Element]:
    """The elements of an array, one by one."""
    return _Elements(blocks).all()


def _chunks(elements: Iterator[Element]) -> Iterator[list[Element]]:
    chunk: list[Element] = []
    size = 0
    for element in elements:
        chunk.append(element)
        size += len(element.raw)
        if size > CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _rows(
    elements: list[Element],
    number: int,
    encoding: str,
    wanted: Callable[[list[str]], list[str]],
    plain: frozenset[str],
) -> Rows:
    raws = [element.raw.encode("utf-8", "surrogateescape") for element in elements]
    numbers = range(number, number + len(elements))
    broken = [
        Broken(place, element.fault, None, readable(raw))
        for place, element, raw in zip(numbers, elements, raws, strict=True)
        if element.fault
    ]
    whole = np.array([element.fault is None for element in elements])
    text = b"".join(_one_line(element.raw) + b"\n" for element in elements if not element.fault)
    records, lines, unread = json_records(text, 1, encoding)
    places = np.arange(number, number + len(elements))[whole]
    broken += [row._replace(line=int(places[row.line - 1])) for row in unread]
    places = places[lines - 1] if len(lines) else places[:0]

    def raw(rows: npt.NDArray[np.int64]) -> list[str]:
        return [readable(raws[place - number]) for place in places[rows].tolist()]

    return json_rows(records, places, sorted(broken), raw, wanted, plain)


def _one_line(raw: str) -> bytes:
    """An element without line ends; JSON has none inside strings."""
    return raw.replace("\r", " ").replace("\n", " ").encode("utf-8", "surrogateescape")


class _Elements:
    """Parts a growing text into the elements of an array; holds little more than one element at a time."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._text, self._at = "", 0
        self._rest = b""  # the beginning of a character
        self._ended = False

    def all(self) -> Iterator[Element]:
        """Every element."""
        self._skip("[")
        while (start := self._skip(",")) is not None and self._text[start] != "]":
            element, goes_on = self._element(start)
            yield element
            if not goes_on:
                return
        if start is None:
            yield Element("", UNCLOSED)
            return
        self._at += 1
        if self._skip("") is not None:
            yield Element(self._text[self._at :].rstrip(), BEHIND)

    def _skip(self, sign: str) -> int | None:
        """Go behind blanks and at most one `sign`; where that is, None at the end of the text."""
        for _ in range(2):
            while True:
                found = _SPACE.match(self._text, self._at)
                assert found is not None
                self._at = found.end()
                if self._at < len(self._text):
                    break
                if not self._more():
                    return None
            if not sign or self._text[self._at] != sign:
                return self._at
            self._at, sign = self._at + 1, ""
        return self._at

    def _element(self, start: int) -> tuple[Element, bool]:
        """The element that begins here, and whether more may follow."""
        while True:
            end = self._end(start)
            if end is not None and (end < len(self._text) or self._ended):
                self._at = end
                return Element(self._text[start:end]), True
            if end is None and (broken := self._up_to_next(start)):
                return broken, True
            if len(self._text) - start > LONGEST:
                raise ReadError(
                    f"an element of the array is longer than {LONGEST >> 20} MB, or is not closed",
                    mend="write one JSON object a line",
                )
            if not self._ended:
                self._more()
                start = self._at
                continue
            self._at = len(self._text)
            return Element(self._text[start:].rstrip(), TORN), False

    def _end(self, start: int) -> int | None:
        """Where a whole element ends; None where the text has no end of it."""
        try:
            _, end = _SCAN.raw_decode(self._text, start)
        except (ValueError, RecursionError):
            return self._bracketed(start)
        return end if self._parted(end) else self._bracketed(start)

    def _bracketed(self, start: int) -> int | None:
        """Where the brackets of what is no JSON close, if what follows is the next element."""
        depth = 0
        for token in _TOKENS.finditer(self._text, start):
            sign = token[0]
            if sign == '"':
                return None  # a string that its line does not close
            depth += (sign in "{[") - (sign in "}]") if len(sign) == 1 else 0
            if depth <= 0 and len(sign) == 1:
                end = token.end() if depth == 0 else token.start()
                return end if end > start and self._parted(end) else None
            if depth == 0:
                return None
        return None

    def _parted(self, end: int) -> bool:
        """Whether a comma, the next element or the end of the array follows, or nothing yet."""
        found = _SPACE.match(self._text, end)
        assert found is not None
        return self._text[found.end() : found.end() + 1] in ("", ",", "]", "{")

    def _up_to_next(self, start: int) -> Element | None:
        """What is no JSON, up to a line that begins as its own did, if a whole element begins there."""
        line = self._text.rfind("\n", 0, start) + 1
        indent = self._text[line:start]
        if indent.strip() or not self._is_broken(start):
            return None
        for found in re.finditer(rf"\n{indent}(?=\{{)", self._text[start:]):
            place = start + found.end()
            if self._end(place) is not None:
                self._at = place
                return Element(self._text[start : start + found.start()].rstrip(" \t\r\n,"), NO_JSON)
        return None

    def _is_broken(self, start: int) -> bool:
        """Whether this is no JSON however it goes on."""
        told = len(self._text) - (0 if self._ended else LONGEST_WORD)
        try:
            _, end = _SCAN.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            return error.pos < told and not error.msg.startswith("Unterminated")
        except RecursionError:
            return True
        return end < told

    def _more(self) -> bool:
        """Take in a block; False where there is none."""
        block = next(self._blocks, None)
        if block is None:
            last, self._rest, ended = self._rest, b"", self._ended
            self._ended = True
            self._text += last.decode("utf-8", "surrogateescape")
            return bool(last) and not ended
        line = self._text.rfind("\n", 0, self._at) + 1
        keep = max(0, self._at - 1) if self._text[line : self._at].strip() else line  # the indent tells the next one
        block = self._rest + block
        cut = _whole_characters(block)
        self._rest = block[cut:]
        self._text = self._text[keep:] + block[:cut].decode("utf-8", "surrogateescape")
        self._at -= keep
        return True


def _whole_characters(block: bytes) -> int:
    """How many of these bytes are whole characters: one that is cut off at the end waits for the next block."""
    for back in range(1, min(4, len(block)) + 1):
        byte = block[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            size = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(block) - back if back < size else len(block)
    return len(block)


__all__ = ["ARRAY", "array_lines", "elements_of", "read_json_array"]
