"""Upkeep: small files merged, old rows and files let go; what is known stays known, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from segue.cli import main
from segue.data.histories.state import UserState
from segue.data.journal.drain import drain
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake import tables
from segue.data.lake.lake import Appended, Lake
from segue.data.lake.upkeep import Upkeep
from segue.data.settings import LakeSettings
from tests.data_lake.test_lake import ids, views
from tests.data_lake.world import START, TIME, event, moment

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def filled(lake: Lake, batches: int = 12) -> Lake:
    """Events of three days, a catalog, people and refusals, a few rows a batch."""
    for number in range(batches):
        rows = views("ann", f"p{number}", first=10 * number)
        received = moment(number)
        day = START + timedelta(days=number % 3)
        lake.append_events(rows.with_columns(time=pl.lit(day), received=pl.lit(received)), f"b{number}")
        some = pl.Series([received], dtype=TIME)
        lake.put_items(pl.DataFrame({"id": ["x"], "price": [float(number)], "received": some}), f"i{number}")
        said = pl.DataFrame({"id": ["ann"], "attributes": [f'{{"n":{number}}}'], "received": some})
        lake.put_users(said, f"u{number}")
        bad = {"file": ["f"], "line": [number], "reason": ["r"], "raw": ["?"], "received": some}
        lake.quarantine(pl.DataFrame(bad), f"b{number}")
    return lake


def content(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, as one reads them, and the catalog of every moment."""
    snapshot = lake.snapshot()
    rows = {
        "events": snapshot.events().sort("id"),
        "items": snapshot.item_changes(),
        "users": snapshot.user_changes(),
        "quarantine": snapshot.quarantine().sort("line"),
        "people": snapshot.dictionary("person_ids").lazy(),
        "item_ids": snapshot.dictionary("item_ids").lazy(),
        "then": lake.snapshot(moment(5)).items(),
    }
    return {name: [tuple(map(str, row)) for row in frame.collect().rows()] for name, frame in rows.items()}


def files(lake: Lake, name: str) -> int:
    return DeltaTable(lake.root / name).get_add_actions().num_rows


@pytest.mark.slow
def test_compaction_changes_nothing_but_the_number_of_files(lake: Lake) -> None:
    before = content(filled(lake))
    merged = Upkeep(lake).compact()
    assert {name: made.after for name, made in merged.items()} == {
        "item_ids": 1, "person_ids": 1, "events": 3, "items": 1, "users": 1, "quarantine": 1,
    }  # fmt: skip
    assert content(lake) == content(Lake(lake.root)) == before
    assert Upkeep(lake).compact() == {}, "there is nothing left to merge"
    for number in range(12):
        assert lake.append_events(views("ann", f"p{number}", first=10 * number), f"b{number}") == Appended(0, 2)
        assert lake.append_events(views("ann", f"p{number}", first=10 * number), f"again {number}") == Appended(0, 2)
        assert lake.put_items(pl.DataFrame({"id": ["x"]}), f"i{number}") == Appended(0, 1)
    assert content(lake) == before


@pytest.mark.slow
def test_what_drains_and_what_files_brought_is_merged_apart(lake: Lake, tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "journal")
    state = UserState(tmp_path, journal=journal)
    for number in range(4):
        journal.append([event(100 + number, time=moment(0))], moment(number))
        drain(lake, journal, state, START)
        lake.append_events(views("ann", first=number).with_columns(time=pl.lit(moment(0))), f"b{number}")
    index = state.is_behind(lake.snapshot())
    Upkeep(lake).compact()
    found = lake.snapshot().files
    assert sorted(file.batch or "several" for file in found) == sorted([journal.name, "several"])
    told = "events keeps 2 files: each holds one day, of 1; 1 more, as what the service took stays apart"
    assert str(next(each for each in Upkeep(lake).kept() if each.table == "events")).startswith(told)
    assert state.is_behind(lake.snapshot()) == index
    journal.close()


@pytest.mark.slow
def test_a_big_lake_is_merged_in_rounds_of_bounded_size(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(filled(lake))
    size = max(lake.tables["events"].files()["size_bytes"])
    monkeypatch.setattr(tables, "MERGED_BYTES", 3 * size)
    monkeypatch.setattr("segue.data.lake.compact.ROUND_BYTES", 2 * size)
    made = Upkeep(lake).compact()["events"]
    assert 3 <= made.after < made.before <= 12
    assert lake.tables["events"].committed("compaction") == 12 + 3, "a commit for each round"
    assert content(lake) == before


@pytest.mark.slow
def test_vacuum_leaves_what_the_lake_needs_and_nothing_else(lake: Lake) -> None:
    upkeep = Upkeep(filled(lake))
    before = content(lake)
    orphan = lake.root / "events" / "day=2026-03-01" / "left-by-a-crash.parquet"
    orphan.write_bytes(b"PAR1")
    upkeep.compact()
    assert upkeep.vacuum() == {}, "a week is kept"
    assert orphan.exists()
    told = upkeep.stale(timedelta(0))
    assert any("left-by-a-crash" in name for name in told["events"])
    assert orphan.exists(), "only said"
    gone = upkeep.vacuum(timedelta(0))
    assert set(told["events"]) <= set(gone["events"])
    assert not orphan.exists()
    for name in ("events", "items", "users", "quarantine", "item_ids", "person_ids"):
        table = DeltaTable(lake.root / name)
        on_disk = {str(path.relative_to(lake.root / name)) for path in (lake.root / name).rglob("*.parquet")}
        active = set(pl.DataFrame(table.get_add_actions())["path"])
        assert {path for path in on_disk if not path.startswith("_delta_log")} == active
        assert len(list((lake.root / name / "_delta_log").glob("*.json"))) == 1, "the log begins at a checkpoint"
    again = Lake(lake.root)
    assert content(again) == before
    assert again.append_events(views("ann", first=0), "b0") == Appended(0, 1)
    assert again.has_batch("b3")
    assert again.append_events(views("zoe", first=990), "new") == Appended(1, 0)
    assert upkeep.vacuum(timedelta(0)).keys() == {"events", "person_ids"}, "the log of what came since"
    assert "e990" in ids(Lake(lake.root))


@pytest.mark.slow
def test_retention_takes_out_whole_days_and_says_so_first(lake: Lake) -> None:
    filled(lake)
    settings = LakeSettings(keep_events_days=18, keep_quarantine_days=19)
    upkeep = Upkeep(lake, settings)
    assert [each.row() for each in upkeep.leaving(NOW)] == [
        {"table": "events", "before": "2026-03-02", "rows": 8, "files": 4}
    ]
    assert lake.snapshot().events_count == 24, "only said"
    assert [each.table for each in upkeep.retain(NOW)] == ["events"]
    assert lake.snapshot().events().collect()["day"].min() == datetime(2026, 3, 2).date()
    assert lake.snapshot().events_count == 16
    assert upkeep.retain(NOW) == []
    assert lake.append_events(views("ann"), "b0") == Appended(0, 1), "what left does not come back"
    assert Upkeep(lake).leaving(NOW) == [], "nothing leaves where nothing is said"


def test_old_refusals_leave_row_by_row(lake: Lake) -> None:
    for days in (0, 1, 2):
        received = pl.Series([START + timedelta(days=days)] * 2, dtype=TIME)
        bad = pl.DataFrame({"line": [days, days], "reason": ["r"] * 2, "received": received})
        lake.quarantine(bad, f"b{days}")
    Upkeep(lake).compact()
    gone = Upkeep(lake, LakeSettings(keep_quarantine_days=18)).retain(NOW)
    assert [(each.rows, each.before.isoformat()) for each in gone] == [(2, "2026-03-02")]
    assert sorted(lake.snapshot().quarantine().collect()["line"]) == [1, 1, 2, 2]


@pytest.mark.slow
def test_status_counts_what_there_is(lake: Lake) -> None:
    assert Upkeep(lake).status() == []
    filled(lake)
    told = {status.table: status for status in Upkeep(lake).status()}
    assert (told["events"].rows, told["events"].files, told["events"].small) == (24, 12, 12)
    assert (told["events"].oldest, told["events"].newest) == (START.date(), START.date() + timedelta(days=2))
    assert (told["items"].rows, told["items"].oldest) == (12, START.date())
    assert told["events"].version == 12
    assert told["events"].nbytes > 0
    assert told["person_ids"].oldest is None


@pytest.mark.slow
@pytest.mark.parametrize("step", [lambda upkeep: upkeep.compact(), lambda upkeep: upkeep.retain(NOW)])
def test_a_step_that_is_cut_off_before_its_commit_changes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, step: Callable[[Upkeep], object]
) -> None:
    before = content(filled(lake))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tables.Table, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            step(Upkeep(lake, LakeSettings(keep_events_days=18)))
    assert content(Lake(lake.root)) == before


@pytest.mark.slow
def test_the_commands_of_the_lake(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text("[lake]\nkeep_events_days = 100\n")
    filled(Lake(tmp_path / "lake"))

    def told(*words: str) -> Any:
        done = CliRunner().invoke(main, ["-C", str(tmp_path), "lake", *words, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert {row["table"]: row["rows"] for row in told("status")}["events"] == 24
    assert told("compact")
    said = CliRunner().invoke(main, ["-C", str(tmp_path), "lake", "compact"]).output
    assert said.endswith("events keeps 3 files: each holds one day, of 3\n"), said
    assert told("index") == [{"events": 24, "people": 13}]
    assert told("vacuum", "--dry-run", "--days", "0")
    assert told("vacuum", "--days", "0")
    assert told("retain", "--dry-run")[0]["rows"] == 24
    assert told("retain")[0]["rows"] == 24
    assert told("retain") == []
