"""Times are told from most cells of a column, and what is said of the others is what ingesting does."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from segue.data.guess.guess import Guess, guess_events
from segue.data.guess.times import guess_old_epoch, guess_time
from segue.data.settings import EventSource

ROWS = 200


def _guess(folder: Path, cells: list[str], name: str = "timestamp") -> Guess[EventSource]:
    rows = [f"u{n % 19},i{n % 23},{cell}" for n, cell in enumerate(cells)]
    path = folder / "a.csv"
    path.write_text("\n".join([f"user,item,{name}", *rows, ""]))
    return guess_events([path])


def _epochs(unit: int, first: int = 1_700_000_000) -> list[str]:
    return [str((first + 60 * n) * unit) for n in range(ROWS)]


@pytest.mark.parametrize("place", [0, ROWS // 2])
@pytest.mark.parametrize("bad", ["bad", "0", "-5", "n/a"])
@pytest.mark.parametrize(("unit", "time_format"), [(1, "epoch_s"), (1000, "epoch_ms")])
def test_one_bad_cell_does_not_hide_an_epoch(tmp_path: Path, place: int, bad: str, unit: int, time_format: str) -> None:
    cells = _epochs(unit)
    cells[place] = bad
    guess = _guess(tmp_path, cells)
    assert guess.source.time_format == time_format
    assert any(reason.startswith(f"time_format: {time_format}, such as '17") for reason in guess.reasons)
    [doubt] = [doubt for doubt in guess.doubts if doubt.startswith("time: ")]
    assert f"1 of {ROWS} cells" in doubt
    assert repr(bad) in doubt
    assert ("they are read as they stand" if bad in ("0", "-5") else "they will wait in quarantine") in doubt


def test_one_bad_cell_does_not_hide_an_old_epoch() -> None:
    cells = _epochs(1, first=881_250_949)
    cells[0] = "bad"
    guess = guess_old_epoch(pl.Series(cells))
    assert guess is not None
    assert (guess.time_format, guess.example) == ("epoch_s", "881251009")


def test_an_epoch_of_most_cells_is_taken_where_the_name_says_time(tmp_path: Path) -> None:
    cells = ["bad" if n % 10 == 0 else cell for n, cell in enumerate(_epochs(1))]
    named = _guess(tmp_path, cells)
    assert named.source.time_format == "epoch_s"
    assert any("20 of 200 cells" in doubt for doubt in named.doubts)
    assert _guess(tmp_path, cells, name="code").source.columns.time is None


def test_whole_numbers_with_a_few_zeros_are_epochs() -> None:
    guess = guess_time(pl.Series([0, *range(1_700_000_000, 1_700_000_099)]))
    assert guess is not None
    assert (guess.time_format, guess.example) == ("epoch_s", "1700000000")


@pytest.mark.parametrize("few", [6, 30])
def test_years_and_months_among_days_are_read_and_nothing_else_is_said(tmp_path: Path, few: int) -> None:
    cells = [f"2012-05-{n % 28 + 1:02d}" for n in range(ROWS)]
    cells[50 : 50 + 2 * few] = ["2012", "2012-05"] * few
    guess = _guess(tmp_path, cells, name="date")
    assert guess.source.time_format == "iso"
    assert not any("quarantine" in doubt for doubt in guess.doubts)


def test_the_example_of_a_format_is_a_cell_that_it_reads(tmp_path: Path) -> None:
    guess = _guess(tmp_path, ["bad", *(f"2012-05-{n % 28 + 1:02d}T10:00:00Z" for n in range(ROWS))])
    assert "time_format: iso, such as '2012-05-01T10:00:00Z'" in guess.reasons
    assert any("'bad': they will wait in quarantine" in doubt for doubt in guess.doubts)
