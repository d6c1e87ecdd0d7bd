"""Turns what a file says of time into moments in UTC, to the microsecond; what is no time becomes null."""

from __future__ import annotations

import re
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from segue.domain.errors import DeclarationError

MOMENT: Final = pl.Datetime("us", "UTC")
EPOCHS: Final = {"epoch_s": 1_000_000.0, "epoch_ms": 1_000.0, "epoch_us": 1.0, "epoch_ns": 0.001}
FORMATS: Final = ("iso", *EPOCHS)
FIRST, LAST = -30_610_224_000_000_000, 253_402_300_799_999_999  # the years 1000 to 9999, in microseconds

_CLOCKS = ("%H:%M:%S%.f", "%H:%M")
_ISO_ZONED = tuple(
    f"%Y-%m-%d{mark}{clock}{zone}" for clock in _CLOCKS for mark in "T " for zone in ("%#z", "Z", " %#z", " UTC")
)
_ISO_PLAIN = (
    *(f"%Y-%m-%d{mark}{clock}" for clock in _CLOCKS for mark in "T "),
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d",
)

_ISO_HOUR = r"^(\d{4}-\d{2}-\d{2}[T ]\d{2})(Z|[+-]\d{2}(?::?\d{2})?)?$"  # without its minutes: as Arrow reads it
_ISO_SHORT = ((r"^\d{4}-\d{2}$", "-01"), (r"^\d{4}$", "-01-01"))  # reduced precision: the first moment of it

_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "M": 2, "S": 2}  # of a number that another one follows
_ADJACENT = re.compile(r"(?:%[YymdjHMS]){2,}")


def moments(column: pl.Series, time_format: str, timezone: str) -> pl.Series:
    """The column as `datetime[us, UTC]`, null where a cell is empty or is no time of that format.

    time_format  "iso", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", or a strptime pattern; a column that holds times
                 by its type (Parquet) needs none
    timezone     of times that carry none. An hour that a clock change repeats is its first one; one that it skips is
                 no time.
    Digits beyond the microsecond are cut off. Years have four digits: one before 1000 is a year cut short, or what a
    program writes for no time (0001-01-01), and so it is no time.
    """
    zone = checked_zone(timezone)
    if column.dtype == pl.Date:
        return _in_range(_local(column.cast(pl.Datetime("us")), zone))
    if isinstance(column.dtype, pl.Datetime):
        return _in_range(_typed(column, zone))
    if time_format in EPOCHS:
        return _epoch(column, EPOCHS[time_format])
    text = column.cast(pl.String)
    return _iso(text, zone) if time_format == "iso" else _pattern(text, time_format, zone)


def checked_zone(timezone: str) -> str:
    """The name of a time zone that there is; a `DeclarationError` where there is none of that name."""
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        raise DeclarationError(
            f"no time zone is called '{timezone}'", where="timezone", mend='use a name such as "Europe/Berlin" or "UTC"'
        ) from error
    return timezone


_SIGNS = frozenset("YCyGgmbBhdeaAwuUWVjDxFvHkIlPpMSfRTXrZzcstn+%")  # what a pattern may have behind its percent signs


def rust_pattern(pattern: str) -> str:
    """Python's strptime pattern as polars reads it: `.%f` is a fraction of any length there.

    >>> rust_pattern("%d.%m.%Y %H:%M:%S.%f")
    '%d.%m.%Y %H:%M:%S%.f'
    """
    return pattern.replace(".%f", "%.f")


def _typed(column: pl.Series, zone: str) -> pl.Series:
    dtype = column.dtype
    assert isinstance(dtype, pl.Datetime)
    if dtype.time_zone is None:
        return _local(column.cast(pl.Datetime("us")), zone)
    return column.dt.convert_time_zone("UTC").cast(MOMENT)


def _local(column: pl.Series, zone: str) -> pl.Series:
    """Times of a clock on the wall as moments."""
    placed = column.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return placed.dt.convert_time_zone("UTC").cast(MOMENT)


def _epoch(column: pl.Series, microseconds: float) -> pl.Series:
    """Integers exactly; numbers with a fraction to the nearest microsecond."""
    whole = column.cast(pl.Int64, strict=False) if column.dtype == pl.String else _integers(column)
    exact = whole // 1000 if microseconds < 1 else whole * int(microseconds)
    limit = min(int(LAST / microseconds), (1 << 63) - 1)
    inside = whole.is_between(-limit, limit)
    number = column.cast(pl.Float64, strict=False) * microseconds
    usable = whole.is_null() & number.is_between(FIRST, LAST)
    rounded = number.zip_with(usable, pl.Series([None], dtype=pl.Float64)).round().cast(pl.Int64)
    count = exact.zip_with(inside.fill_null(value=False), rounded)
    return count.zip_with(count.is_between(FIRST, LAST), pl.Series([None], dtype=pl.Int64)).cast(MOMENT)


def _integers(column: pl.Series) -> pl.Series:
    if column.dtype.is_integer():
        return column.cast(pl.Int64, strict=False)
    return pl.Series(column.name, [None], dtype=pl.Int64).new_from_index(0, len(column))


def _iso(text: pl.Series, zone: str) -> pl.Series:
    """ISO 8601 dates and times. Arrow reads a column of one kind at once; what is left is tried form by form."""
    fast = _arrow_iso(text, zone)
    if fast is not None:
        return fast
    text = text.str.replace(_ISO_HOUR, "${1}:00${2}")
    found = pl.Series(text.name, [None], dtype=MOMENT).new_from_index(0, len(text))
    for pattern in _ISO_ZONED:
        found = _fill(found, text, pattern, zone)
    for pattern in _ISO_PLAIN:
        found = _fill(found, text, pattern, zone)
    for shape, rest in _ISO_SHORT:
        found = _fill(found, text.set(~text.str.contains(shape), None) + rest, "%Y-%m-%d", zone)
    return found


def _arrow_iso(text: pl.Series, zone: str) -> pl.Series | None:
    array = text.to_arrow()
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            times = pl.from_arrow(pc.cast(array.cast(pa.string()), kind))
        except pa.ArrowInvalid:
            continue
        assert isinstance(times, pl.Series)
        return _in_range(_typed(times.alias(text.name), zone))
    return None


def _in_range(moments: pl.Series) -> pl.Series:
    count = moments.cast(pl.Int64)
    return count.zip_with(count.is_between(FIRST, LAST), pl.Series([None], dtype=pl.Int64)).cast(MOMENT)


def _fill(found: pl.Series, text: pl.Series, pattern: str, zone: str) -> pl.Series:
    open_cells = found.is_null() & text.is_not_null()
    if not open_cells.any():
        return found
    rows = open_cells.arg_true()
    return found.scatter(rows, _parsed(text.gather(rows), pattern, zone))


def _pattern(text: pl.Series, pattern: str, zone: str) -> pl.Series:
    odd = [sign for sign in re.findall(r"%[-_0]?:*[.369]*(.?)", pattern) if sign not in _SIGNS or not sign]
    if odd or "%" not in pattern:
        said = f"%{odd[0]} is no part of a time" if odd else "no part of it is a time"
        raise DeclarationError(
            f"'{pattern}' is no pattern for times ({said})",
            where="time_format",
            mend='see strptime, such as "%d.%m.%Y %H:%M"; or iso, epoch_s, epoch_ms, epoch_us, epoch_ns',
        )
    return _parsed(text, rust_pattern(pattern), zone)


def _parsed(text: pl.Series, pattern: str, zone: str) -> pl.Series:
    for run in _ADJACENT.findall(pattern):  # polars would read 2020115 as 2020-11-05
        text = text.set(~text.str.contains(rf"\d{{{sum(_DIGITS[sign] for sign in run[1::2])}}}"), None)
    try:
        times = text.str.to_datetime(pattern, time_unit="us", strict=False)
    except pl.exceptions.PolarsError as error:
        raise DeclarationError(
            f"'{pattern}' is no pattern for times ({error})",
            where="time_format",
            mend='see strptime, such as "%d.%m.%Y %H:%M"',
        ) from error
    return _in_range(_typed(times, zone))
