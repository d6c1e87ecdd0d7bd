"""Guesses how a column writes times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from segue.data.convert.times import moments

ENOUGH = 0.95  # the share of filled cells that a format has to read
MAIN = 0.6  # the share that the first of several formats needs at least
RARE = 0.01  # a format that reads less is not named
MIXED = 4  # formats that are looked for in a column
LOOKED_AT = 1000  # cells of a column that they are looked for in
EARLIEST, AFTER = (
    datetime(1990, 1, 1, tzinfo=UTC),
    datetime(2100, 1, 1, tzinfo=UTC),
)  # numbers are only taken for times that fall between
_EPOCH_DIGITS = {"epoch_s": (9, 10), "epoch_ms": (12, 13), "epoch_us": (15, 16), "epoch_ns": (18, 19)}
_DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y"),
    *("%d %b %Y", "%b %d, %Y", "%d %B %Y"),
)
_CLOCKS = (" %H:%M:%S.%f", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
_OTHERS = (
    *("%Y%m%d%H%M%S", "%Y%m%dT%H%M%SZ", "%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S %z"),
    "%a, %d %b %Y %H:%M:%S %z",
)
PATTERNS = tuple(day + clock for day in _DAYS for clock in _CLOCKS) + _OTHERS


@dataclass(frozen=True)
class TimeGuess:
    """A time format, an example, and another format that reads the same cells, differently."""

    time_format: str
    example: str
    rival: str | None = None
    zoned: bool = True


def guess_time(cells: pl.Series) -> TimeGuess | None:
    """The format of a column, or None where it holds no times."""
    if cells.dtype == pl.Date or isinstance(cells.dtype, pl.Datetime):
        zoned = isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None
        return TimeGuess("iso", str(cells.drop_nulls().first()), zoned=zoned)
    text = cells.cast(pl.String).set(cells.cast(pl.String) == "", None).drop_nulls()
    if text.is_empty() or isinstance(cells.dtype, pl.List | pl.Struct):
        return None
    example = str(text[0])
    number = text.str.contains(r"^-?\d+(\.\d+)?$")
    if number.all() and (epoch := _epoch(text)):
        return TimeGuess(epoch, example)
    if _share(text, r"^\d{4}-\d{2}-\d{2}") >= ENOUGH and _reads(text, "iso"):
        return TimeGuess("iso", example, zoned=_share(text, r":.*(Z|[+-]\d{2}:?\d{0,2})$") > 0.5)
    found = [pattern for pattern in PATTERNS if _reads(text, pattern)]
    if not found:
        return None
    rival = next((other for other in found[1:] if _swapped(found[0]) == other), None)
    return TimeGuess(found[0], example, rival, zoned="%z" in found[0] or found[0].endswith("Z"))


def guess_old_epoch(cells: pl.Series) -> TimeGuess | None:
    """The unit of epochs before 2001-09-09, which have a digit less.

    Any id may look so: ask only of a column whose name says time.

    >>> guess_old_epoch(pl.Series([881250949, 891717742]))
    TimeGuess(time_format='epoch_s', example='881250949', rival=None, zoned=True)
    """
    text = cells.cast(pl.String, strict=False).replace("", None).drop_nulls()
    if text.is_empty() or not text.str.contains(r"^\d+(\.\d+)?$").all():
        return None
    digits = text.str.extract(r"^(\d+)").str.len_chars()
    for name, (low, _) in _EPOCH_DIGITS.items():
        if (digits == low).all() and _plausible(text, name):
            return TimeGuess(name, str(text[0]))
    return None


def time_shares(cells: pl.Series) -> list[tuple[str, float]]:
    """The formats of a column that mixes some, each with the share of the filled cells that it reads, most first."""
    text = cells.drop_nulls() if cells.dtype == pl.String else pl.Series([], dtype=pl.String)
    text = text.filter(text != "")
    text = text.gather_every(max(len(text) // LOOKED_AT, 1))
    rest = text
    shares: list[tuple[str, float]] = []
    while len(rest) and len(shares) < MIXED:
        read = {name: _unread(rest, name) for name in ("iso", *PATTERNS)}
        best = min(read, key=lambda name: len(read[name]))
        taken = (len(rest) - len(read[best])) / len(text)
        if taken < RARE:
            break
        shares.append((best, taken))
        rest = read[best]
    return sorted(shares, key=lambda each: -each[1])


def main_format(shares: list[tuple[str, float]]) -> str | None:
    """The format of most cells where its share is clear: above that of all others, and far above what is no time."""
    junk = 1 - sum(share for _, share in shares)
    return shares[0][0] if shares and shares[0][1] >= max(MAIN, 3 * junk) else None


def _unread(text: pl.Series, name: str) -> pl.Series:
    shaped = text.str.contains(r"^\d{4}-\d{2}-\d{2}") if name == "iso" else True
    return text.filter(~(shaped & moments(text, name, "UTC").is_not_null()))


def _share(text: pl.Series, pattern: str) -> float:
    return float(text.str.contains(pattern).sum()) / len(text)


def _epoch(text: pl.Series) -> str | None:
    digits = text.str.extract(r"^(\d+)").str.len_chars()
    for name, (low, high) in _EPOCH_DIGITS.items():
        if digits.is_between(low, high).all() and digits.max() == high:
            return name if _plausible(text, name) else None
    return None


def _plausible(text: pl.Series, name: str) -> bool:
    return bool(moments(text, name, "UTC").is_between(EARLIEST, AFTER).all())


def _reads(text: pl.Series, pattern: str) -> bool:
    few = text.head(20)
    if moments(few, pattern, "UTC").null_count() > 1:
        return False
    return moments(text, pattern, "UTC").null_count() <= (1 - ENOUGH) * len(text)


def _swapped(pattern: str) -> str:
    """The same pattern with day and month changed about."""
    return pattern.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
