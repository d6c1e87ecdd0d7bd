"""Guesses how a column writes times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from segue.data.convert.times import EPOCHS, moments

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
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}"
_CLOCKS = (" %H:%M:%S.%f", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "")
_OTHERS = (
    *("%Y%m%d%H%M%S", "%Y%m%dT%H%M%SZ", "%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S %z"),
    "%a, %d %b %Y %H:%M:%S %z",
)
PATTERNS = tuple(day + clock for day in _DAYS for clock in _CLOCKS) + _OTHERS
WRITTEN = ("iso", *PATTERNS)
NAMED = (*WRITTEN, *EPOCHS)  # of a column whose name says time: any id may look like an epoch


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
    if epoch := next((name for name in EPOCHS if _plausible(text, name, *_EPOCH_DIGITS[name])), None):
        return TimeGuess(epoch, _example(text, epoch))
    if _share(text, _ISO_DAY) >= MAIN and _reads(text, "iso"):
        return TimeGuess("iso", _example(text, "iso"), zoned=_share(text, r":.*(Z|[+-]\d{2}:?\d{0,2})$") > 0.5)
    found = [pattern for pattern in PATTERNS if _reads(text, pattern)]
    if not found:
        return None
    rival = next((other for other in found[1:] if _swapped(found[0]) == other), None)
    zoned = "%z" in found[0] or found[0].endswith("Z")
    return TimeGuess(found[0], _example(text, found[0]), rival, zoned)


def guess_old_epoch(cells: pl.Series) -> TimeGuess | None:
    """The unit of epochs before 2001-09-09, which have a digit less.

    Any id may look so: ask only of a column whose name says time.

    >>> guess_old_epoch(pl.Series([881250949, 891717742]))
    TimeGuess(time_format='epoch_s', example='881250949', rival=None, zoned=True)
    """
    text = cells.cast(pl.String, strict=False).replace("", None).drop_nulls()
    if text.is_empty():
        return None
    units = (name for name, (low, _) in _EPOCH_DIGITS.items() if _plausible(text, name, low, low))
    return next((TimeGuess(name, _example(text, name)) for name in units), None)


def unread(cells: pl.Series, time_format: str) -> pl.Series:
    """The filled cells that ingesting does not read as times of this format.

    >>> unread(pl.Series(["2012-05-01", "2012", "soon"]), "iso").to_list()
    ['soon']
    """
    text = cells.drop_nulls()
    return text.filter(moments(text, time_format, "UTC").is_null())


def far_off(cells: pl.Series, time_format: str) -> pl.Series:
    """The cells that an epoch reads as times which nobody means: 0 where no time is known is 1970.

    >>> far_off(pl.Series(["1700000000", "0"]), "epoch_s").to_list()
    ['0']
    """
    text = cells.drop_nulls()
    if time_format not in EPOCHS:
        return text.clear()
    return text.filter(~moments(text, time_format, "UTC").is_between(EARLIEST, AFTER))


def time_shares(cells: pl.Series, formats: Sequence[str] = NAMED) -> list[tuple[str, float]]:
    """The formats of a column that mixes some, each with the share of the filled cells that it reads, most first."""
    known = cells.dtype == pl.String or cells.dtype.is_numeric()
    text = cells.drop_nulls().cast(pl.String) if known else pl.Series([], dtype=pl.String)
    text = text.filter(text != "")
    text = text.gather_every(max(len(text) // LOOKED_AT, 1))
    rest = text
    shares: list[tuple[str, float]] = []
    while len(rest) and len(shares) < MIXED:
        best = max(formats, key=lambda name: int(_shaped(rest, name).sum()))
        if int(_shaped(rest, best).sum()) < RARE * len(text):
            break
        left = unread(rest, best)  # iso reads "2012" too, which alone would not speak for it
        shares.append((best, (len(rest) - len(left)) / len(text)))
        rest = left
    return sorted(shares, key=lambda each: -each[1])


def main_format(shares: list[tuple[str, float]]) -> str | None:
    """The format of most cells where its share is clear: above that of all others, and far above what is no time."""
    junk = 1 - sum(share for _, share in shares)
    return shares[0][0] if shares and shares[0][1] >= max(MAIN, 3 * junk) else None


def _shaped(text: pl.Series, name: str) -> pl.Series:
    """Which cells speak for a format: it reads them, and they look like it."""
    if name in EPOCHS:
        return _epochs(text, name, *_EPOCH_DIGITS[name])
    shaped = text.str.contains(_ISO_DAY) if name == "iso" else True
    return shaped & moments(text, name, "UTC").is_not_null()


def _share(text: pl.Series, pattern: str) -> float:
    return float(text.str.contains(pattern).sum()) / len(text)


def _example(text: pl.Series, name: str) -> str:
    """The first cell that speaks for a format."""
    return str(text.filter(_shaped(text, name))[0])


def _plausible(text: pl.Series, name: str, low: int, high: int) -> bool:
    """Whether enough cells are such epochs, and one of them has all the digits."""
    epochs = _epochs(text, name, low, high)
    return bool(epochs.sum() >= ENOUGH * len(text) and _digits(text.filter(epochs)).max() == high)


def _epochs(text: pl.Series, name: str, low: int, high: int) -> pl.Series:
    inside = _digits(text).is_between(low, high) & moments(text, name, "UTC").is_between(EARLIEST, AFTER)
    return inside.fill_null(value=False)


def _digits(text: pl.Series) -> pl.Series:
    return text.str.extract(r"^(\d+)(?:\.\d+)?$").str.len_chars()


def _reads(text: pl.Series, pattern: str) -> bool:
    few = text.head(20)
    if moments(few, pattern, "UTC").null_count() > 1:
        return False
    return moments(text, pattern, "UTC").null_count() <= (1 - ENOUGH) * len(text)


def _swapped(pattern: str) -> str:
    """The same pattern with day and month changed about."""
    return pattern.replace("%d", "\0").replace("%m", "%d").replace("\0", "%m")
