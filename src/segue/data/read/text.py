"""Turns the bytes of a text file, in whatever encoding, into blocks of UTF-8; what cannot be decoded stays visible."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from segue.domain.errors import ReadError

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
RAW_KEPT = 64 << 10  # bytes of a row's text that quarantine keeps

# A byte that does not decode becomes a lone surrogate, which UTF-8 does not have: its row is then found by the check
# that finds all text that is not UTF-8, whatever the file's encoding is.
_BAD = 0xDC00
_ESCAPED = re.compile("[\udc00-\udcff]")


def utf8_blocks(blocks: Iterable[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """The same text in UTF-8, without a byte order mark. A byte order mark beats the declared encoding.

    Bytes that `encoding` does not know come out as bytes that are no UTF-8.
    """
    blocks = iter(blocks)
    first = next(blocks, b"")
    mark, marked = bom(first)
    encoding = codec(marked or encoding, name)
    first = first[len(mark) :]
    if encoding == "utf-8":
        yield first
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="segue-visible")
    for block in _chain(first, blocks):
        yield _encode(decoder.decode(block))
    yield _encode(decoder.decode(b"", final=True))


def bom(head: bytes) -> tuple[bytes, str | None]:
    """The byte order mark that the text begins with, and the encoding that it means."""
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return mark, encoding
    return b"", None


def codec(encoding: str, name: str) -> str:
    """Python's name of an encoding; utf-8-sig is utf-8, since byte order marks are always understood."""
    try:
        known = codecs.lookup(encoding).name
    except LookupError as error:
        raise ReadError(
            f"no encoding is called '{encoding}'", where=name, mend='use "utf-8", "latin-1", "cp1252" or "utf-16"'
        ) from error
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(known, known)


def readable(raw: bytes) -> str:
    """Text for people: bytes that are no UTF-8 as \\xNN, cut after 64 KB with the length said.

    >>> readable(b"caf\\xe9")
    'caf\\\\xe9'
    """
    text = _restore(raw[:RAW_KEPT]).decode("utf-8", "backslashreplace")
    return text if len(raw) <= RAW_KEPT else f"{text}… ({len(raw):,} bytes in all)"


def _restore(raw: bytes) -> bytes:
    """Lone surrogates back to the bytes that they stand for."""
    try:
        text = raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw
    return text.encode("utf-8", "surrogateescape") if _ESCAPED.search(text) and _high(text) else raw


def _high(text: str) -> bool:
    return all(ord(sign) >= _BAD + 0x80 for sign in _ESCAPED.findall(text))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _visible(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(_BAD + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("segue-visible", _visible)
