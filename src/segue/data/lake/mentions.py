"""What others' rows still say of people: free text in which their ids stand, which forgetting leaves as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from segue.data.lake.lake import Lake

FREE: Final[Mapping[str, tuple[str, ...]]] = {  # the columns whose text anybody may have written, by table
    "events": ("context", "session"),
    "decisions": ("context",),
    "items": ("title", "text", "attributes"),
    "users": ("attributes",),
    "checks": ("said",),
}


def mentions(lake: Lake, ids: Sequence[str]) -> dict[str, int]:
    """By column ("events.context"), how many rows have one of the ids as a word of its own, in these very letters.

    A word ends where no letter, digit or underscore goes on. Columns without such a row are left out. One pass over
    each table, in bounded memory.
    """
    word = _word(ids)
    found: dict[str, int] = {}
    for name, free in FREE.items():
        table = lake.tables[name]
        rows = table.scan(table.current()).select(pl.col(column).str.contains(word).sum() for column in free)
        counts = rows.collect(engine="streaming").row(0, named=True)
        found |= {f"{name}.{column}": int(count) for column, count in counts.items() if count}
    return found


def _word(ids: Sequence[str]) -> str:
    """A regular expression for any of the ids, as it is or as JSON may write it.

    >>> import re as regular
    >>> [bool(regular.search(_word(["ann"]), text)) for text in ('{"by":"ann"}', "joann", "ann-2", "ann_b")]
    [True, False, True, False]
    """
    forms = {form for each in ids if each for form in (each, json.dumps(each)[1:-1])}
    words = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return rf"(?:^|[^\w])(?:{words})(?:$|[^\w])" if forms else "$^"


__all__ = ["FREE", "mentions"]
