"""Damages rows of a CSV file in the ways in which rows really break, and remembers which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Fields = list[bytes]
Damage = Callable[[np.random.Generator, list[str], Fields], bytes]

BROKEN_SHARES: dict[str, float] = {
    "wrong type": 0.0006,
    "missing user": 0.0005,
    "missing item": 0.0004,
    "bad time": 0.0005,
    "time in the future": 0.0002,
    "bad encoding": 0.0003,
    "truncated line": 0.0004,
    "too many fields": 0.0003,
    "duplicate": 0.0010,
}


@dataclass(frozen=True)
class BrokenRow:
    """One damaged row: which file, which line (from 1, the header is line 1), how, and the event it was.

    A "duplicate" is a second copy of a whole row; every other kind cannot be read as an event.
    """

    file: str
    line: int
    kind: str
    event: str


def break_rows(
    rng: np.random.Generator, file: str, header: list[str], rows: list[Fields], shares: Mapping[str, float]
) -> tuple[list[bytes], list[BrokenRow]]:
    """The lines of a file (without line ends, without the header) after damage, and what was damaged."""
    kinds = _kinds(rng, len(rows), shares)
    lines: list[bytes] = []
    broken: list[BrokenRow] = []
    for number, row in enumerate(rows):
        kind = kinds.get(number)
        if kind is None:
            lines.append(b",".join(row))
            continue
        if kind == "duplicate":
            lines.append(b",".join(row))
        lines.append(_DAMAGE[kind](rng, header, list(row)))
        broken.append(BrokenRow(file, len(lines) + 1, kind, row[0].decode()))
    return lines, broken


def _kinds(rng: np.random.Generator, rows: int, shares: Mapping[str, float]) -> dict[int, str]:
    """Which rows get which damage; one row gets at most one."""
    names = list(shares)
    edges = np.cumsum([shares[name] for name in names])
    luck = rng.random(rows)
    which = np.searchsorted(edges, luck, side="right")
    return {int(row): names[which[row]] for row in np.flatnonzero(which < len(names))}


def _set(name: str, *values: bytes) -> Damage:
    def damage(rng: np.random.Generator, header: list[str], row: Fields) -> bytes:
        row[header.index(name)] = values[int(rng.integers(len(values)))]
        return b",".join(row)

    return damage


def _within(name: str, old: bytes, new: bytes) -> Damage:
    def damage(_rng: np.random.Generator, header: list[str], row: Fields) -> bytes:
        place = header.index(name)
        row[place] = row[place].replace(old, new)
        return b",".join(row)

    return damage


def _truncated(rng: np.random.Generator, header: list[str], row: Fields) -> bytes:
    """The line ends within the time or before it, as when a disk was full."""
    whole = b",".join(row)
    end = sum(len(value) + 1 for value in row[: header.index("timestamp")])
    return whole[: int(rng.integers(len(row[0]) + 2, end + 6))]


def _copy(_rng: np.random.Generator, _header: list[str], row: Fields) -> bytes:
    return b",".join(row)


_DAMAGE: dict[str, Damage] = {
    "wrong type": _set("price", b"n/a", b"EUR 12", b"twelve", b"1.2.3"),
    "missing user": _set("user_id", b""),
    "missing item": _set("item_id", b""),
    "bad time": _set("timestamp", b"yesterday", b"2026-02-31T10:00:00Z", b"31/13/2026 25:61", b"0"),
    "time in the future": _set("timestamp", b"2226-01-01T00:00:00Z"),
    "bad encoding": _within("item_id", b"0", b"\xe4\xff"),
    "truncated line": _truncated,
    "too many fields": _within("price", b".", b","),  # a decimal comma that nobody quoted
    "duplicate": _copy,
}
