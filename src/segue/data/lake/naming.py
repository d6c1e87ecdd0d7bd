"""Whether a refused row names a person, however the row spells the id and whatever its bytes are written in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_ESCAPED: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))")
_BLANKS: Final = {"n": " ", "r": " ", "t": " ", "b": " ", "f": " "}
_WIDE: Final = ("utf-16-le", "utf-16-be")
NOTHING: Final = "(?!)"  # as a regular expression


def naming(ids: Sequence[str]) -> Callable[[str | bytes], bool]:
    """What tells of a text or bytes whether one of the ids stands in it as a word of its own.

    Spellings that a declaration can make one (`[identity.normalise]`) count as one, whatever is declared: capitals,
    the forms of a character, runs of blanks, leading zeros. For nobody can say whose a refused row was.

    >>> named = naming(["ann-Ø", "42"])
    >>> [named(row) for row in ("7, ANN-ø ,x", '{"u": "Ann-\\\\u00d8"}', "id=0042", "joann-ø", b"ann-\\xd8;x")]
    [True, True, True, False, True]
    """
    bare = {folded(each).strip() for each in ids} - {""}
    forms = bare | {each.replace('"', '""') for each in bare}
    words = "|".join(map(_pattern, sorted(forms, key=len, reverse=True))) or NOTHING
    word = re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])")
    return lambda row: any(word.search(folded(text)) for text in _readings(row))


def folded(text: str) -> str:
    """The text without what tells its spellings apart.

    >>> folded(" Ann \\n LEE"), folded("e\\u0301") == folded("É")
    (' ann lee', True)
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"\s+", " ", text.casefold())


def _pattern(form: str) -> str:
    return rf"0*{form}" if form.isascii() and form.isdecimal() else re.escape(form)


def _readings(row: str | bytes) -> Iterator[str]:
    """The texts that a row may be: bytes in each encoding that people's files are in, and all without escapes."""
    for text in [row] if isinstance(row, str) else _decoded(row):
        yield text
        if "\\" in text:
            yield _ESCAPED.sub(_sign, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decoded(row: bytes) -> Iterator[str]:
    try:
        yield row.decode()
    except UnicodeDecodeError:
        yield row.decode("utf-8", "replace")
        yield row.decode("latin-1")
    if not row.isascii() or b"\0" in row:
        for code in _WIDE:
            yield row.decode(code, "replace")


def _sign(escaped: re.Match[str]) -> str:
    wide, narrow, other = escaped.groups()
    return _BLANKS.get(other, other) if other else chr(int(wide or narrow, 16))


__all__ = ["folded", "naming"]
