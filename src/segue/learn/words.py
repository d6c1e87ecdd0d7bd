"""Texts to words, in any script: what content is compared by."""

from __future__ import annotations

import itertools
import re
import unicodedata
from functools import cache

MOST_CHARACTERS = 1_000_000  # of one text that are read
UNSPACED = (  # scripts that part no words: Thai and Lao, Myanmar, Khmer, kana, Han
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff\u1000-\u109f\u1780-\u17d3"
    "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
PLAIN = re.compile("[a-z0-9]+")


def words(text: str) -> list[str]:
    """The words of a text, in their order, with repeats.

    The text is normalised (NFKC) and casefolded. A word is a run of letters, digits and the marks that belong to
    them; everything else parts words. Where a script parts no words, each two neighbouring characters are one. Nothing
    is stemmed, no word is left out: what stands everywhere weighs little anyway. Of a text over a million characters
    the first million counts.

    >>> words("The WOMEN'S Café — No. ５")
    ['the', 'women', 's', 'café', 'no', '5']
    >>> words("東京タワー a")
    ['東京', '京タ', 'タワ', 'ワー', 'a']
    """
    text = text[:MOST_CHARACTERS]
    if text.isascii():
        return PLAIN.findall(text.lower())
    found = []
    for run in _pattern().finditer(folded(text)):
        unspaced = run.lastgroup == "unspaced"
        found += _pairs(run[0]) if unspaced else [run[0]]
    return found


def folded(text: str) -> str:
    """The text as it is compared: NFKC, without case, without blanks around it.

    >>> folded(" Ｒock ") == folded("ROCK")
    True
    """
    if text.isascii():
        return text.lower().strip()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def _pairs(run: str) -> list[str]:
    return ["".join(pair) for pair in itertools.pairwise(run)] or [run]


@cache
def _pattern() -> re.Pattern[str]:
    """Runs of unspaced scripts, and of letters, digits and marks of all others. `re` counts marks to no word."""
    return re.compile(rf"(?P<unspaced>[{UNSPACED}]+)|(?P<word>(?:[^\W_{UNSPACED}]|[{_marks()}])+)")


def _marks() -> str:
    """Every mark of Unicode but those of unspaced scripts, as ranges of a character class."""
    unspaced = re.compile(f"[{UNSPACED}]")
    codes = [*range(0x300, 0x20000), *range(0xE0100, 0xE01F0)]
    marks = [code for code in codes if unicodedata.category(chr(code)).startswith("M")]
    runs = itertools.groupby(enumerate(marks), lambda pair: pair[1] - pair[0])
    ends = [(its[0], its[-1]) for its in ([code for _, code in run] for _, run in runs)]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ends if not unspaced.match(chr(first)))
