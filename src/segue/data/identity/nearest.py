"""The people whom a mistyped id may mean: the same id written another way, or one a letter or two away."""

from __future__ import annotations

import difflib
from typing import Final

import polars as pl

from segue.data.identity.normalise import normalised
from segue.data.identity.settings import Mend
from segue.data.lake.snapshot import Snapshot
from segue.domain import columns

LOOKED_AT: Final = 5_000_000  # ids of the dictionary, the first: what is offered costs a second or two at most
COMPARED: Final = 5_000  # of them letter by letter, those that begin or end like it
OFFERED: Final = 3
LIKE: Final = 0.7  # from which ratio of `difflib` on an id is near
_FORMS: Final[tuple[Mend, ...]] = ("nfkc", "trim", "spaces", "lower", "zeros")


def nearest(snapshot: Snapshot, name: str) -> list[str]:
    """The known users and visitors whose id is nearest to `name`, at most three, the nearest first.

    None where `name` is known itself. What differs by blanks, case or leading zeros only goes first.
    """
    ids = snapshot.dictionary("person_ids")[columns.ID].head(LOOKED_AT)
    ids = ids.filter(ids.str.slice(0, 2).is_in(["u:", "v:"])).str.slice(2)  # not who was forgotten
    if not name or (ids == name).any():
        return []
    form = normalised(name, _FORMS)
    plain = ids.str.strip_chars().str.to_lowercase().str.replace(r"^0+([0-9]+)$", "${1}")
    near = ids.filter(plain == form).unique().sort().head(OFFERED).to_list()
    return near or difflib.get_close_matches(name, _like(ids, name), n=OFFERED, cutoff=LIKE)


def offer(near: list[str]) -> str:
    """The question to ask, or nothing.

    >>> offer(["0019", "190"]), offer([])
    ("did you mean '0019' or '190'?", '')
    """
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""


def _like(ids: pl.Series, name: str) -> list[str]:
    """Those of about the length that begin or end like the name does."""
    half = max(len(name) // 2, 1)
    length = ids.str.len_chars().cast(pl.Int64)
    begins = ids.str.starts_with(name[:half]) | ids.str.ends_with(name[-half:])
    found = ids.filter(begins & (length - len(name)).abs().le(2))
    return sorted(found.unique().head(COMPARED).to_list())


__all__ = ["nearest", "offer"]
