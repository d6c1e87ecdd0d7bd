"""Times of every kind become moments in UTC; what is no time becomes nothing, never another time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.convert.times import moments
from segue.domain.errors import DeclarationError


def read(cells: list[object], time_format: str = "iso", zone: str = "UTC") -> list[datetime | None]:
    return moments(pl.Series(cells), time_format, zone).to_list()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2024-03-01", utc(2024, 3, 1)),
        ("2024-03-01T10:20:30Z", utc(2024, 3, 1, 10, 20, 30)),
        ("2024-03-01 10:20:30.5+02:00", utc(2024, 3, 1, 8, 20, 30, 500_000)),
        ("2024-03-01T10:20:30+0200", utc(2024, 3, 1, 8, 20, 30)),
        ("2024-03-01 10:20", utc(2024, 3, 1, 10, 20)),
        ("2024-03-01 10:20:30 UTC", utc(2024, 3, 1, 10, 20, 30)),
        ("2024-03-01T10:20:30.123456789Z", utc(2024, 3, 1, 10, 20, 30, 123_456)),
        ("1890-03-01T10:20:30Z", utc(1890, 3, 1, 10, 20, 30)),
        ("1000-01-01", utc(1000, 1, 1)),
        ("0001-01-01", None),
        ("0999-12-31T23:59:59Z", None),
        ("20201105", utc(2020, 11, 5)),
        ("2020115", None),
        ("12-01-02", None),
        ("120-01-02", None),
        ("2024-03", utc(2024, 3, 1)),
        ("2024", utc(2024, 1, 1)),
        ("2026-02-31T10:00:00Z", None),
        ("yesterday", None),
        ("31/13/2026 25:61", None),
        ("", None),
        (None, None),
    ],
)
def test_iso_times(cell: str | None, moment: datetime | None) -> None:
    assert read([cell, "2020-01-01T00:00:00Z"]) == [moment, utc(2020, 1, 1)]
    if cell is not None:
        assert read([cell]) == [moment]


@pytest.mark.parametrize(
    ("cell", "time_format", "moment"),
    [
        ("1700000000", "epoch_s", utc(2023, 11, 14, 22, 13, 20)),
        ("1700000000.25", "epoch_s", utc(2023, 11, 14, 22, 13, 20, 250_000)),
        (1700000000, "epoch_s", utc(2023, 11, 14, 22, 13, 20)),
        (1700000000.5, "epoch_s", utc(2023, 11, 14, 22, 13, 20, 500_000)),
        ("1700000000123", "epoch_ms", utc(2023, 11, 14, 22, 13, 20, 123_000)),
        ("1700000000123456", "epoch_us", utc(2023, 11, 14, 22, 13, 20, 123_456)),
        ("1700000000123456789", "epoch_ns", utc(2023, 11, 14, 22, 13, 20, 123_456)),
        ("-1", "epoch_s", utc(1969, 12, 31, 23, 59, 59)),
        ("-1", "epoch_ns", utc(1969, 12, 31, 23, 59, 59, 999_999)),
        ("99999999999999999", "epoch_s", None),
        ("1e400", "epoch_s", None),
        ("nan", "epoch_s", None),
        ("2024-01-01", "epoch_s", None),
        ("31.12.2023 23:59", "%d.%m.%Y %H:%M", utc(2023, 12, 31, 23, 59)),
        ("12/31/2023 11:59 PM", "%m/%d/%Y %I:%M %p", utc(2023, 12, 31, 23, 59)),
        ("31.12.2023 23:59:01.25", "%d.%m.%Y %H:%M:%S.%f", utc(2023, 12, 31, 23, 59, 1, 250_000)),
        ("01/Jan/2024:10:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z", utc(2024, 1, 1, 9)),
        ("31.12.2023", "%d.%m.%Y", utc(2023, 12, 31)),
        ("12.31.2023", "%d.%m.%Y", None),
        ("01.02.20", "%d.%m.%Y", None),
        ("01.02.20", "%d.%m.%y", utc(2020, 2, 1)),
        ("2020115", "%Y%m%d", None),
        ("20201105", "%Y%m%d", utc(2020, 11, 5)),
        ("2020110510300", "%Y%m%d%H%M%S", None),
        ("20201105103000", "%Y%m%d%H%M%S", utc(2020, 11, 5, 10, 30)),
        ("-62135596800", "epoch_s", None),
    ],
)
def test_epochs_and_patterns(cell: object, time_format: str, moment: datetime | None) -> None:
    assert read([cell], time_format) == [moment]


def test_a_zone_belongs_to_times_that_carry_none() -> None:
    assert read(["2024-07-01 12:00", "2024-01-01 12:00"], zone="Europe/Berlin") == [
        utc(2024, 7, 1, 10),
        utc(2024, 1, 1, 11),
    ]
    assert read(["2024-07-01T12:00:00Z"], zone="Europe/Berlin") == [utc(2024, 7, 1, 12)]
    assert read(["2024-07-01T12:00:00Z", "2024-07-01 12:00"], zone="Europe/Berlin") == [
        utc(2024, 7, 1, 12),
        utc(2024, 7, 1, 10),
    ]


def test_an_hour_that_is_skipped_is_no_time_and_one_that_repeats_is_the_first() -> None:
    skipped, repeated = "2024-03-31 02:30", "2024-10-27 02:30"
    assert read([skipped, repeated], zone="Europe/Berlin") == [None, utc(2024, 10, 27, 0, 30)]


def test_columns_that_are_times_by_their_type_need_no_format() -> None:
    plus_two = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert read([plus_two], "epoch_s") == [utc(2024, 1, 1, 10)]
    assert read([datetime(2024, 1, 1, 12)], zone="Europe/Berlin") == [utc(2024, 1, 1, 11)]
    assert read([date(2024, 1, 1)]) == [utc(2024, 1, 1)]
    assert read([datetime(1, 1, 1)]) == read([date(1, 1, 1)]) == [None]


def test_unknown_zones_and_patterns_are_refused() -> None:
    with pytest.raises(DeclarationError, match="no time zone is called 'Mars/Base'"):
        read(["2024-01-01"], zone="Mars/Base")


@given(
    st.lists(st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)), min_size=1, max_size=10),
    st.sampled_from(["T", " "]),
)
def test_every_moment_that_python_writes_is_read_as_it_was(times: list[datetime], mark: str) -> None:
    assert read([time.isoformat(mark) for time in times]) == times


@given(st.lists(st.integers(-30_000_000_000, 250_000_000_000), min_size=1, max_size=10))
def test_every_second_is_read_as_it_was(seconds: list[int]) -> None:
    epoch = utc(1970, 1, 1)
    wanted = [epoch + timedelta(seconds=second) for second in seconds]
    assert read([str(second) for second in seconds], "epoch_s") == wanted
    assert read([str(second * 1000) for second in seconds], "epoch_ms") == wanted


DAYS = st.sampled_from(["2026-05-01", "2026-05", "2026", "2024-02-29", "2026-02-30", "0999-01-01", "20260501"])
CLOCKS = st.sampled_from(["", "10", "10:20", "10:20:30", "10:20:30.123456789", "24:00", "1020", "10:2"])
ZONES = st.sampled_from(["", "Z", "+02", "+0200", "-12:00", " UTC", "z"])


@given(st.builds("".join, st.tuples(DAYS, st.sampled_from("T "), CLOCKS, ZONES)))
def test_a_time_is_the_same_whatever_stands_beside_it(cell: str) -> None:
    (alone,) = moments(pl.Series([cell]), "iso", "Europe/Berlin")
    assert moments(pl.Series([cell, "no time"]), "iso", "Europe/Berlin").to_list() == [alone, None]


def test_an_hour_without_its_minutes_is_a_time_also_beside_what_is_none() -> None:
    # found by the fuzz: Arrow took it in a column of good times only, and so did the fast lane
    read = moments(pl.Series(["2026-05-01 10", "2026-05-01T10+02", "no time"]), "iso", "UTC").to_list()
    assert read == [datetime(2026, 5, 1, 10, tzinfo=UTC), datetime(2026, 5, 1, 8, tzinfo=UTC), None]
