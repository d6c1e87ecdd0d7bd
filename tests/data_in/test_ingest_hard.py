"""Hard inputs: endless lines, very many files or columns, two at once, a full disk, a read-only folder, clocks."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from segue.data.ingest.ingest import ingest_events
from segue.data.lake.lake import Lake
from segue.domain.errors import BusyError, SegueError
from tests.data_in.reading import event_source

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def child(folder: Path, file: Path, largest: int = 0) -> dict[str, Any]:
    """What a process of its own says of ingesting a file."""
    command = [sys.executable, "-m", "tests.data_in.hard_child", str(folder), str(file), str(largest)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def users(folder: Path) -> list[str]:
    """The users of all events of a lake."""
    return Lake(folder / "lake").snapshot().events().collect()["user"].to_list()


def written(path: Path, rows: range) -> Path:
    """A file of one event a row."""
    path.write_text("user,item\n" + "".join(f"u{row},i{row % 7}\n" for row in rows))
    return path


@pytest.mark.slow
def test_a_line_of_a_gigabyte_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "events.csv").open("wb") as file:
        file.write(b"user,item\nann,x\n")
        file.truncate(1 << 30)  # a hole: nothing but zeros, and no line end
    said = child(tmp_path, tmp_path / "events.csv")
    assert said["error"] == "ReadError"
    assert "a line is longer than 32 MB" in said["problem"]
    assert said["peak_mb"] < 1_000


@pytest.mark.slow
def test_very_many_tiny_files_are_each_taken_once(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{number:06}.csv", range(number, number + 1)) for number in range(3_000)]
    told: list[object] = []
    reports = ingest_events(Lake(tmp_path / "lake"), event_source(), paths, tmp_path, NOW, told.append)
    assert len(reports) == 3_000 <= len(told)
    assert sorted(users(tmp_path)) == sorted(f"u{number}" for number in range(3_000))
    assert len(list((tmp_path / "lake" / "events" / "_delta_log").glob("*.json"))) < 10


def test_five_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(5_000)]
    lines = [",".join([f"u{row}", "x", *names]) for row in range(40)]
    (tmp_path / "events.csv").write_text("\n".join([",".join(["user", "item", *names]), *lines, "short,row"]))
    (report,) = ingest_events(Lake(tmp_path / "lake"), event_source(), [tmp_path / "events.csv"], tmp_path, NOW)
    assert report.kept == 40
    assert report.quarantined == {"5002 columns were expected, 2 found": 1}


@pytest.mark.slow
def test_of_two_at_once_one_is_told_to_wait(tmp_path: Path) -> None:
    file = written(tmp_path / "events.csv", range(10))
    with Lake(tmp_path / "lake").writer():
        assert child(tmp_path, file)["error"] == BusyError.__name__
    assert child(tmp_path, file)["kept"] == 10


@pytest.mark.slow
def test_a_full_disk_takes_nothing_and_what_follows_takes_all(tmp_path: Path) -> None:
    file = written(tmp_path / "events.csv", range(30_000))
    said = child(tmp_path, file, largest=8_000)
    assert said["error"] == "DataError"
    assert child(tmp_path, file)["kept"] == 30_000
    assert sorted(users(tmp_path)) == sorted(f"u{row}" for row in range(30_000))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Where the kernel shows its devices nobody makes a folder, root neither."""
    file = written(tmp_path / "events.csv", range(3))
    with pytest.raises(SegueError, match="lake"):
        ingest_events(Lake(Path("/sys/segue/lake")), event_source(), [file], tmp_path, NOW)


def test_a_clock_that_is_set_back_loses_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for number, now in enumerate([NOW, NOW - timedelta(days=40), NOW]):
        file = written(tmp_path / f"{number}.csv", range(number * 10, number * 10 + 10))
        (report,) = ingest_events(lake, event_source(), [file], tmp_path, now)
        assert report.kept == 10
    assert sorted(users(tmp_path)) == sorted(f"u{row}" for row in range(30))
    before = lake.snapshot(NOW - timedelta(days=1)).events().collect()
    assert sorted(before["user"]) == sorted(f"u{row}" for row in range(10, 20))


def test_a_file_of_mixed_line_ends_and_encodings_keeps_each_good_row(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_bytes(b"user,item\r\nann,x\nbob,y\r\n\r\ncaf\xe9,z\r\ncaf\xc3\xa9,z\n")
    lake = Lake(tmp_path / "lake")
    (report,) = ingest_events(lake, event_source(), [tmp_path / "events.csv"], tmp_path, NOW)
    assert sorted(users(tmp_path)) == ["ann", "bob", "café"]
    assert report.quarantined == {"not utf-8": 1}
    assert lake.snapshot().quarantine().collect()["line"].to_list() == [5]
