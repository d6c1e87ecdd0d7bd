"""What a table's log says of transactions is what deltalake says, however the log came about."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from segue.data.lake import tables
from segue.data.lake.lake import Lake
from segue.data.lake.transactions import Transactions


def _events(lake: Lake, name: str) -> None:
    lake.append_events(pl.DataFrame({"id": [name], "user": ["ann"], "item": ["x"], "type": ["view"]}), name)


def _as_deltalake_says(lake: Lake, names: list[str]) -> None:
    table = lake.tables["events"]
    opened = table.open()
    assert opened is not None
    for name in [*names, "never"]:
        assert table.committed(name) == opened.transaction_version(name)


@pytest.mark.slow
def test_transactions_are_those_of_checkpoints_and_of_the_entries_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHECKPOINT_EVERY", 3)
    lake = Lake(tmp_path / "lake")
    names = [f"batch-{number}" for number in range(8)]
    for place, name in enumerate(names):
        _events(lake, name)
        _as_deltalake_says(lake, names[: place + 1])
        _as_deltalake_says(Lake(lake.root), names)  # read from the beginning, by another process
    assert list((lake.root / "events" / "_delta_log").glob("*.checkpoint.parquet"))


def test_what_another_writer_commits_is_seen(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "lake")
    _events(lake, "first")
    assert not other.has_batch("second")
    _events(lake, "second")
    assert other.has_batch("second")


def test_a_log_that_was_cut_off_is_read_anew(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    _events(lake, "first")
    _events(lake, "second")
    log = lake.root / "events" / "_delta_log"
    found = Transactions(log)
    assert (found.of("second", 2), found.of("second", 1), found.of("first", 1)) == (1, None, 1)
    (log / f"{1:020d}.json").unlink()
    with pytest.raises(OSError, match="00001"):
        Transactions(log).of("second", 2)
