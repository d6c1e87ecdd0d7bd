"""Small parts that are committed together: each in or out by itself, reported by itself, known by its own batch."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.ingest import steps as ingest_steps
from segue.data.ingest.ingest import batch_id, batches_of, ingest_events, ingest_items, ingest_users
from segue.data.ingest.report import FileReport
from segue.data.interactions import interactions
from segue.data.lake import rows as lake_rows
from segue.data.lake.lake import Appended, Lake, Taken
from segue.data.read.files import parts
from segue.data.settings import EventColumns, EventSource, ItemColumns, ItemSource, UserColumns, UserSource
from segue.domain.errors import MissingColumn, ReadError
from tests.data_in.ingester import PARTS
from tests.data_in.reading import event_source
from tests.data_in.test_read_files import archive
from tests.waiting import started, waiting

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TIMED = event_source(columns=EventColumns(user="user", item="item", time="time"))
WITH_IDS = event_source(columns=EventColumns(user="user", item="item", id="id"))
KILLS = 14


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def day_files(folder: Path, days: int, files_of_a_day: int = 1, first: int = 0) -> list[Path]:
    """Files of one day each: three rows that are kept, and one without an item."""
    paths = []
    for number in range(first, days * files_of_a_day):
        day = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number // files_of_a_day)).date()
        rows = "".join(f"u{number},i{n},{day}T0{n}:00:00Z\n" for n in range(3))
        path = folder / f"{number:03d}.csv"
        path.write_text(f"user,item,time\n{rows}nobody,,{day}\n")
        paths.append(path)
    return paths


def take(lake: Lake, paths: list[Path], source: EventSource = TIMED) -> list[FileReport]:
    return ingest_events(lake, source, paths, lake.root.parent, NOW)


def commits(lake: Lake, table: str = "events") -> int:
    """How many commits a table has behind that which made it."""
    return len(list((lake.root / table / "_delta_log").glob("*.json"))) - 1


def rows_by_batch(lake: Lake) -> dict[str, int]:
    return dict(lake.snapshot().events().group_by("batch").len().collect().iter_rows())


@pytest.mark.slow
def test_small_files_share_a_commit_and_a_file_of_their_day(lake: Lake, tmp_path: Path) -> None:
    paths = day_files(tmp_path, days=4, files_of_a_day=3)
    reports = take(lake, paths)
    assert [report.path for report in reports] == [path.name for path in paths]
    assert {(report.rows, report.kept, report.duplicates, report.skipped) for report in reports} == {(4, 3, 0, False)}
    assert all(report.quarantined == {"no item": 1} for report in reports)
    assert (commits(lake), commits(lake, "quarantine")) == (1, 1)
    assert [(file.rows, file.batch) for file in lake.snapshot().files] == [(9, None)] * 4
    assert rows_by_batch(lake) == {report.batch: 3 for report in reports}
    assert all(Lake(lake.root).has_batch(report.batch) for report in reports)
    wrong = lake.snapshot().quarantine().collect()
    assert sorted(zip(wrong["file"], wrong["batch"], strict=True)) == [(r.path, r.batch) for r in reports]


def test_each_part_of_a_group_is_known_by_itself(lake: Lake, tmp_path: Path) -> None:
    paths = day_files(tmp_path, days=6)
    take(lake, paths[1:4])
    before = lake.snapshot().fingerprint
    assert [report.skipped for report in take(lake, [paths[2]])] == [True]
    assert lake.snapshot().fingerprint == before
    assert [report.skipped for report in take(lake, paths)] == [False, True, True, True, False, False]
    assert lake.snapshot().events_count == 18
    assert commits(lake) == 2


def test_the_batches_of_a_group_can_be_learned_from_by_themselves(lake: Lake, tmp_path: Path) -> None:
    paths = day_files(tmp_path, days=2, files_of_a_day=3)
    take(lake, paths)
    snapshot = lake.snapshot()
    chosen = batches_of([paths[1], paths[5]], TIMED, snapshot)
    assert len(chosen) == 2
    dataset = interactions(snapshot, TIMED, batches=chosen)
    people = {code for part in dataset.partitions(2) for batch in part for code in batch.column("user").to_pylist()}
    assert {snapshot.person_ids.ids[code] for code in people} == {"u:u1", "u:u5"}
    assert dataset.rows == 6


def test_an_id_in_two_parts_of_a_group_is_of_the_first(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,user,item\n1,ann,x\n2,ann,y\n2,ann,y\n")
    (tmp_path / "b.csv").write_text("id,user,item\n2,bob,x\n3,bob,y\n")
    (tmp_path / "c.csv").write_text("id,user,item\n1,cid,x\n3,cid,\n")
    reports = take(lake, [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")], WITH_IDS)
    assert [(report.rows, report.kept, report.duplicates) for report in reports] == [(3, 2, 1), (2, 1, 1), (2, 0, 1)]
    assert [report.quarantined for report in reports] == [{}, {}, {"no item": 1}]
    assert reports[2].note == "all of these ids are in the lake already"
    assert lake.snapshot().events().sort("id").select("id", "user").collect().rows() == [
        ("1", "ann"),
        ("2", "ann"),
        ("3", "bob"),
    ]
    assert commits(lake) == 1


def test_the_same_content_twice_in_one_group_is_skipped(lake: Lake, tmp_path: Path) -> None:
    (first,) = day_files(tmp_path, days=1)
    (tmp_path / "again.csv.gz").write_bytes(gzip.compress(first.read_bytes()))
    reports = take(lake, [first, tmp_path / "again.csv.gz"])
    assert [(report.kept, report.skipped) for report in reports] == [(3, False), (0, True)]
    assert lake.snapshot().events_count == 3


@pytest.mark.slow
def test_groups_are_bounded_by_parts_and_by_rows(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = day_files(tmp_path, days=10)
    monkeypatch.setattr(ingest_steps, "PARTS", 2)
    take(lake, paths[:5])
    assert commits(lake) == 3
    monkeypatch.setattr(ingest_steps, "PARTS", 100)
    monkeypatch.setattr(ingest_steps, "STEP", 8)  # two files: what is quarantined counts as well
    take(lake, paths[5:])
    assert commits(lake) == 6
    assert set(rows_by_batch(lake).values()) == {3}
    assert len(rows_by_batch(lake)) == 10


def test_a_damaged_file_takes_nothing_with_it_of_those_before(lake: Lake, tmp_path: Path) -> None:
    paths = day_files(tmp_path, days=5)
    whole = gzip.compress(paths[2].read_bytes() * 500)
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(whole[:-20])
    with pytest.raises(ReadError, match="none of its rows was taken"):
        take(lake, [*paths[:2], damaged, *paths[3:]])
    assert lake.snapshot().events_count == 6
    damaged.write_bytes(whole)
    reports = take(lake, [*paths[:2], damaged, *paths[3:]])
    assert [report.skipped for report in reports] == [True, True, False, False, False]


def test_a_file_without_a_needed_column_takes_nothing_with_it(lake: Lake, tmp_path: Path) -> None:
    paths = day_files(tmp_path, days=3)
    paths[1].write_text("user,thing\na,x\n")
    with pytest.raises(MissingColumn, match=r"001\.csv|thing"):
        take(lake, paths)
    assert lake.snapshot().events_count == 3


def test_a_group_whose_commit_fails_is_out_and_comes_in_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = day_files(tmp_path, days=4)
    into = lake.take

    def fails(name: Taken, batches: Mapping[str, pl.DataFrame]) -> dict[str, Appended]:
        if name == "events":
            raise OSError("the cable was pulled")
        return into(name, batches)

    monkeypatch.setattr(lake, "take", fails)
    with pytest.raises(OSError, match="cable"):
        take(lake, paths)
    assert lake.snapshot().events_count == 0
    monkeypatch.setattr(lake, "take", into)
    reports = take(lake, paths)
    assert [(report.rows, report.kept, report.skipped) for report in reports] == [(4, 3, False)] * 4
    assert lake.snapshot().quarantine().collect().height == 4, "what came first is not doubled"


@pytest.mark.slow
def test_a_new_day_costs_its_own_rows_only(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = day_files(tmp_path, days=30)
    take(lake, paths[:28])
    read: list[Any] = []
    monkeypatch.setattr(lake_rows.pl, "scan_parquet", lambda paths, **said: read.append(paths))
    assert [report.kept for report in take(lake, paths[28:])] == [3, 3]
    assert read == [], "ids that are made of content and line are not looked for in other files"
    assert len(lake.snapshot().files) == 30


def test_a_big_part_between_small_ones(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_steps, "STEP", 50)
    monkeypatch.setattr("segue.data.read.files.Part.blocks.__defaults__", (300,))
    paths = day_files(tmp_path, days=4)
    rows = "".join(f"big{n},i,2026-01-02\n" for n in range(230))
    paths[1].write_text(f"user,item,time\n{rows}")
    reports = take(lake, paths)
    assert [report.kept for report in reports] == [3, 230, 3, 3]
    names = batches_of([paths[1]], TIMED, lake.snapshot())
    assert len(names) > 3
    assert {name.split(".")[0] for name in names} == {reports[1].batch}
    assert [report.skipped for report in take(lake, paths)] == [True] * 4


def test_files_of_a_catalog_are_gathered_and_the_last_says(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,One\n2,Two\n2,Zwei\n")
    (tmp_path / "b.csv").write_text("id,name\n2,Deux\n3,Trois\n,None\n")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    source = ItemSource(columns=ItemColumns(title="name"))
    reports = ingest_items(lake, source, paths, tmp_path, NOW)
    assert [(report.kept, report.duplicates, report.quarantined) for report in reports] == [
        (2, 1, {}),
        (2, 0, {"no id": 1}),
    ]
    assert {key: item.title for key, item in lake.snapshot().catalog().items()} == {
        "1": "One",
        "2": "Deux",
        "3": "Trois",
    }
    assert commits(lake, "items") == 1
    users = UserSource(columns=UserColumns(id="id"))
    ingest_users(lake, users, paths, tmp_path, NOW)
    assert lake.snapshot().users().sort("id").collect()["attributes"].to_list() == [
        '{"name":"One"}',
        '{"name":"Deux"}',
        '{"name":"Trois"}',
    ]
    assert [report.skipped for report in ingest_users(lake, users, paths, tmp_path, NOW)] == [True, True]


def test_names_are_those_of_the_workspace_or_of_the_declaration(tmp_path: Path) -> None:
    workspace, outside = tmp_path / "w", tmp_path / "data"
    (workspace / "own").mkdir(parents=True)
    outside.mkdir()
    archive(outside / "days.tar.gz", {"1.csv": b"user,item\na,\n"})
    (outside / "other.csv").write_text("user,item\nb,\n")
    (outside / "third.csv").write_text("user,item\nc,\n")
    (workspace / "own" / "fourth.csv").write_text("user,item\nd,\n")
    (workspace / "link").symlink_to(outside)
    lake = Lake(workspace / "lake")
    paths = [
        workspace / "link/days.tar.gz",
        workspace / "../data/other.csv",
        outside / "third.csv",
        workspace / "own/fourth.csv",
    ]
    names = ["link/days.tar.gz/1.csv", "../data/other.csv", str(outside / "third.csv"), "own/fourth.csv"]
    assert [report.path for report in ingest_events(lake, event_source(), paths, workspace, NOW)] == names
    assert sorted(lake.snapshot().quarantine().collect()["file"]) == sorted(names)


def test_a_workspace_that_is_reached_over_a_link_or_from_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "door").symlink_to(tmp_path / "w")
    day_files(tmp_path / "w", days=2)
    monkeypatch.chdir(tmp_path / "w")
    lake = Lake(tmp_path / "w" / "lake")
    paths = [Path("000.csv"), tmp_path / "w" / "001.csv"]
    reports = ingest_events(lake, TIMED, paths, tmp_path / "door", NOW)
    assert [report.path for report in reports] == ["000.csv", "001.csv"]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    ids=st.lists(st.lists(st.integers(0, 12), max_size=6), min_size=1, max_size=6),
    parts_at_once=st.integers(1, 4),
    rows_at_once=st.integers(1, 9),
)
def test_however_parts_are_grouped_the_same_rows_come_in(
    tmp_path_factory: pytest.TempPathFactory, ids: list[list[int]], parts_at_once: int, rows_at_once: int
) -> None:
    folder = tmp_path_factory.mktemp("groups")
    paths = []
    for number, of_part in enumerate(ids):
        path = folder / f"{number}.csv"
        path.write_text("id,user,item\n" + "".join(f"{n},u{number},i\n" for n in of_part))
        paths.append(path)
    lake = Lake(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest_steps, "PARTS", parts_at_once)
        patch.setattr(ingest_steps, "STEP", rows_at_once)
        reports = take(lake, paths, WITH_IDS)
    owner: dict[str, str] = {}
    content: set[str] = set()
    for number, of_part in enumerate(ids):
        text = paths[number].read_text()
        fresh = [n for n in dict.fromkeys(of_part) if str(n) not in owner]
        owner |= {str(n): f"u{number}" for n in fresh}
        assert reports[number].skipped == (text in content)
        if not reports[number].skipped:
            assert (reports[number].kept, reports[number].duplicates) == (len(fresh), len(of_part) - len(fresh))
        content.add(text)
    assert dict(lake.snapshot().events().select("id", "user").collect().iter_rows()) == owner
    assert lake.snapshot().events_count == len(owner)


@pytest.mark.slow
def test_killed_anywhere_each_part_is_in_or_out(tmp_path: Path) -> None:
    paths = day_files(tmp_path, days=70, files_of_a_day=2)
    batches = [batch_id(part.digest(), event_source()) for path in paths for part in parts(path)]
    lake, chance = Lake(tmp_path / "lake"), random.Random(3)
    progress = []
    with ExitStack() as stack:
        upcoming = stack.enter_context(waiting("tests.data_in.ingester", tmp_path))
        for _ in range(KILLS):
            process, upcoming = upcoming, stack.enter_context(waiting("tests.data_in.ingester", tmp_path))
            started(process)
            wanted, until = commits(lake) + chance.randint(0, 2), time.monotonic() + 30
            while commits(lake) < wanted and time.monotonic() < until and process.poll() is None:
                time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 0.03))  # into the work on the next group
            process.kill()
            process.wait()
            found = rows_by_batch(lake)
            assert set(found.values()) <= {3}, "a part is in with all of its rows"
            assert {batch for batch in batches if lake.has_batch(batch)} == found.keys()
            wrong = lake.snapshot().quarantine().collect()["batch"]
            assert wrong.n_unique() == len(wrong), "nothing is quarantined twice"
            assert found.keys() <= set(wrong), "what is in is in with what was wrong in it"
            progress.append(len(found))
    assert progress == sorted(progress)
    assert len({count for count in progress if 0 < count < len(paths)}) >= 3, "the kills hit an ingestion at work"
    assert {count % PARTS for count in progress} == {0}, "whole groups"
    reports = ingest_events(lake, event_source(), paths, tmp_path, NOW)
    assert sum(report.skipped for report in reports) == progress[-1]
    assert rows_by_batch(lake) == dict.fromkeys(batches, 3)
    assert lake.snapshot().quarantine().collect().height == len(paths)
