"""Ids as the declaration reads them: one function for files, live events and requests, so that they always meet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import polars as pl

from segue.data.identity.settings import Mend, Normalise
from segue.domain.events import Event


def normalised(identifier: str, mends: Sequence[Mend]) -> str:
    """An id after each of the mends, in their order.

    >>> normalised("  Ann  Lee ", ["trim", "spaces", "lower"]), normalised("00420", ["zeros"])
    ('ann lee', '420')
    """
    for mend in mends:
        identifier = _MENDS[mend](identifier)
    return identifier


def normalised_all(ids: pl.Series, mends: Sequence[Mend]) -> pl.Series:
    """The same of many; an id of which nothing is left becomes null, as it names nobody."""
    if not mends:
        return ids
    unique = ids.drop_nulls().unique()
    mended = pl.Series([normalised(identifier, mends) or None for identifier in unique], dtype=pl.String)
    table = pl.DataFrame({"id": unique, "mended": mended})
    return ids.to_frame("id").join(table, on="id", how="left", maintain_order="left")["mended"].alias(ids.name)


def live_event(event: Event, said: Normalise) -> Event:
    """A live event with the ids that files would give it; a `ValueError` names the id of which nothing is left."""
    if not said.users and not said.items:
        return event
    return msgspec.structs.replace(
        event,
        user=live_id(event.user, said.users, "user"),
        visitor=live_id(event.visitor, said.users, "visitor"),
        item=live_id(event.item, said.items, "item"),
    )


def live_id(identifier: str | None, mends: Sequence[Mend], field: str) -> str | None:
    """An id of a request, or none; a `ValueError` with the field where nothing is left of it."""
    if identifier is None or not mends:
        return identifier
    mended = normalised(identifier, mends)
    if not mended:
        raise ValueError(field)
    return mended


def _without_zeros(identifier: str) -> str:
    return (identifier.lstrip("0") or "0") if identifier.isdecimal() and identifier.isascii() else identifier


_MENDS: Final[dict[Mend, Callable[[str], str]]] = {
    "trim": str.strip,
    "lower": str.lower,
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "spaces": lambda text: re.sub(r"\s+", " ", text),
    "zeros": _without_zeros,
}


__all__ = ["live_event", "live_id", "normalised", "normalised_all"]
