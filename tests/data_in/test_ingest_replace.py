"""A changed mapping: what a content was read as before goes as the new rows come, whole or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest

from segue.data.histories.state import UserState
from segue.data.ingest import steps as ingest_steps
from segue.data.ingest.ingest import batches_of, ingest_events, ingest_items, ingest_users
from segue.data.ingest.report import FileReport
from segue.data.lake.lake import Lake
from segue.data.lake.snapshot import Snapshot
from segue.data.settings import EventColumns, EventSource, ItemColumns, ItemSource, UserColumns, UserSource
from segue.domain.errors import ReadError
from tests.data_in.reading import event_source

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WRONG = event_source(columns=EventColumns(user="user", item="item", time="time"), time_format="%d/%m/%Y")
RIGHT = msgspec.structs.replace(WRONG, time_format="%m/%d/%Y")
NUMBERED = event_source(columns=EventColumns(user="user", item="item", id="order"))
NAMED = event_source(columns=EventColumns(user="user", item="item", id="event"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def take(lake: Lake, paths: list[Path], source: EventSource) -> list[FileReport]:
    return ingest_events(lake, source, paths, lake.root.parent, NOW)


def dated(folder: Path, files: int, rows: int = 30) -> list[Path]:
    """Files whose dates are of the American kind: read the other way round, most are no dates."""
    paths = []
    for number in range(files):
        path = folder / f"{number:03d}.csv"
        lines = "".join(f"u{number},i{n},01/{n % 28 + 1:02d}/2024\n" for n in range(rows))
        path.write_text(f"user,item,time\n{lines}nobody,,01/01/2024\n")
        paths.append(path)
    return paths


def content(snapshot: Snapshot) -> list[tuple[object, ...]]:
    return snapshot.events().select("user", "item", "time", "type").sort(pl.all()).collect().rows()


def whole(folder: Path, paths: list[Path], source: EventSource) -> list[tuple[object, ...]]:
    """What a lake holds that never knew another mapping."""
    fresh = Lake(folder / f"fresh-{random.getrandbits(64):x}" / "lake")
    take(fresh, paths, source)
    return content(fresh.snapshot())


@pytest.mark.slow
def test_the_rows_of_a_wrong_mapping_go_as_the_right_ones_come(lake: Lake, tmp_path: Path) -> None:
    paths = dated(tmp_path, files=3)
    assert [report.kept for report in take(lake, paths, WRONG)] == [14] * 3
    assert lake.snapshot().quarantine().collect().height == 17 * 3
    before = lake.snapshot()
    state = UserState(tmp_path)
    state.update(before)
    reports = take(lake, paths, RIGHT)
    assert [(report.rows, report.kept, report.duplicates, report.replaced) for report in reports] == [
        (31, 30, 0, 14)
    ] * 3
    assert {report.note for report in reports} == {"replaced 14 rows that it was read as before"}
    after = lake.snapshot()
    assert content(after) == whole(tmp_path, paths, RIGHT)
    assert after.quarantine().collect()["reason"].to_list() == ["no item"] * 3, (
        "refusals that do not stand are not shown"
    )
    assert after.fingerprint != before.fingerprint
    assert before.events().collect().height == 14 * 3, "who reads the old rows reads on"
    assert state.is_behind(after)
    assert [report.skipped for report in take(lake, paths, RIGHT)] == [True] * 3
    state.journal.close()


@pytest.mark.slow
def test_back_to_the_first_mapping(lake: Lake, tmp_path: Path) -> None:
    paths = dated(tmp_path, files=2)
    for source, kept, wrong in ((WRONG, 14, 17), (RIGHT, 30, 1), (WRONG, 14, 17), (RIGHT, 30, 1)):
        assert [report.kept for report in take(lake, paths, source)] == [kept] * 2
        assert content(lake.snapshot()) == whole(tmp_path, paths, source)
        assert lake.snapshot().quarantine().collect().height == 2 * wrong
        assert len(batches_of(paths, source, lake.snapshot())) == 2
        assert [report.skipped for report in take(Lake(lake.root), paths, source)] == [True] * 2


@pytest.mark.slow
def test_what_shares_files_with_old_rows_stays(lake: Lake, tmp_path: Path) -> None:
    paths = dated(tmp_path, files=3)
    take(lake, paths, WRONG)
    (report,) = take(lake, [paths[1]], RIGHT)
    assert (report.kept, report.replaced) == (30, 14)
    expected = [*whole(tmp_path, [paths[0], paths[2]], WRONG), *whole(tmp_path, [paths[1]], RIGHT)]
    assert content(lake.snapshot()) == sorted(expected)
    assert lake.snapshot().events_count == 58


def test_all_refused_before_or_after(lake: Lake, tmp_path: Path) -> None:
    paths = dated(tmp_path, files=1)
    hopeless = msgspec.structs.replace(WRONG, time_format="iso")
    assert take(lake, paths, hopeless)[0].kept == 0
    assert (take(lake, paths, RIGHT)[0].kept, lake.snapshot().events_count) == (30, 30)
    assert (take(lake, paths, hopeless)[0].replaced, lake.snapshot().events_count) == (30, 0)
    assert lake.snapshot().quarantine().collect().height == 31
    assert take(lake, paths, hopeless)[0].skipped


def test_ids_of_rows_that_go_do_not_stand_in_the_way(lake: Lake, tmp_path: Path) -> None:
    """The numbers of orders are those of other events: file by file, the right rows would be taken for known."""
    paths = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"]
    paths[0].write_text("user,item,event,order\nann,x,5,100\nann,y,6,101\n")
    paths[1].write_text("user,item,event,order\nbob,x,900,5\nbob,y,6,6\n")
    paths[2].write_text("user,item,event,order\ncid,x,7,900\n")
    take(lake, paths[:2], NUMBERED)
    lake.append_events(pl.DataFrame({"id": ["7"], "user": ["dan"], "item": ["x"], "type": ["view"]}), "other")
    reports = take(lake, paths, NAMED)
    assert [(report.kept, report.duplicates, report.replaced) for report in reports] == [
        (2, 0, 2),
        (1, 1, 2),
        (0, 1, 0),
    ]
    assert lake.snapshot().events().select("id", "user").sort("id").collect().rows() == [
        ("5", "ann"), ("6", "ann"), ("7", "dan"), ("900", "bob"),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_big_part_is_replaced_in_one_step(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_steps, "STEP", 100)
    monkeypatch.setattr("segue.data.read.files.Part.blocks.__defaults__", (600,))
    paths = [*dated(tmp_path, files=1, rows=700), tmp_path / "ids.csv"]
    paths[1].write_text("user,item,event,order\n" + "".join(f"u,i,{n % 500},{n}\n" for n in range(600)))
    take(lake, paths[:1], WRONG)
    take(lake, paths[1:], NUMBERED)
    (report,) = take(lake, paths[:1], RIGHT)
    assert (report.kept, report.replaced) == (700, 300)
    before = commits(lake)
    (report,) = take(lake, paths[1:], NAMED)
    assert (report.kept, report.duplicates, report.replaced) == (500, 100, 600), "an id is of its first row"
    assert commits(lake) == before + 1
    assert lake.snapshot().events_count == 1_200
    take(lake, paths[:1], WRONG)
    assert lake.snapshot().events_count == 800, "steps of long ago are no reason to leave rows out"


@pytest.mark.slow
def test_a_file_that_became_damaged_replaces_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = dated(tmp_path, files=2)
    take(lake, paths, WRONG)
    before, files = content(lake.snapshot()), sorted((lake.root / "events").rglob("*.parquet"))
    damaged = tmp_path / "z.csv.gz"
    damaged.write_bytes(b"\x1f\x8b\x08\x00 no more")
    with pytest.raises(ReadError):
        take(lake, [*paths, damaged], RIGHT)
    assert content(lake.snapshot()) == before
    monkeypatch.setattr(lake.tables["events"], "commit", _breaks)
    with pytest.raises(OSError, match="cable"):
        take(lake, paths, RIGHT)
    monkeypatch.undo()
    assert content(lake.snapshot()) == before
    assert set(files) <= set((lake.root / "events").rglob("*.parquet"))
    assert [report.replaced for report in take(lake, paths, RIGHT)] == [14, 14]


def _breaks(*_: object) -> None:
    raise OSError("the cable was pulled")


def test_a_catalog_and_users_of_a_wrong_mapping_go(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,sku,name\n1,a,One\n2,b,Two\n")
    lake.put_items(pl.DataFrame({"id": ["1", "c"], "title": ["Eins", "C"]}), "other")

    def items(column: str) -> Mapping[str, str]:
        ingest_items(lake, ItemSource(columns=ItemColumns(id=column, title="name")), [path], tmp_path, NOW)
        return {key: item.title for key, item in lake.snapshot().catalog().items()}

    def users(column: str) -> list[str]:
        ingest_users(lake, UserSource(columns=UserColumns(id=column)), [path], tmp_path, NOW)
        return sorted(lake.snapshot().users().collect()["id"])

    assert items("id").keys() == {"1", "2", "c"}
    assert items("sku") == {"1": "Eins", "c": "C", "a": "One", "b": "Two"}
    assert (users("id"), users("name"), users("sku")) == (["1", "2"], ["One", "Two"], ["a", "b"])


INGEST = """
import sys
from pathlib import Path
from segue.data.ingest import steps as ingest_steps
from segue.data.lake.lake import Lake
from tests.data_in.test_ingest_replace import RIGHT, WRONG, take
ingest_steps.PARTS = 4
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
take(Lake(folder / "lake"), sorted(folder.glob("*.csv")), {"right": RIGHT, "wrong": WRONG}[sys.argv[2]])
"""


def commits(lake: Lake) -> int:
    return len(list((lake.root / "events" / "_delta_log").glob("*.json")))


@pytest.mark.slow
def test_killed_anywhere_the_old_rows_or_the_new_are_there(lake: Lake, tmp_path: Path) -> None:
    paths, chance = dated(tmp_path, files=12), random.Random(4)
    expected = {name: whole(tmp_path, paths, source) for name, source in (("wrong", WRONG), ("right", RIGHT))}
    take(lake, paths, WRONG)
    stands, outcomes = "wrong", set()
    for attempt in range(9):
        wanted = "right" if stands == "wrong" else "wrong"
        process = subprocess.Popen(
            [sys.executable, "-c", INGEST, str(tmp_path), wanted],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        before, until = commits(lake), time.monotonic() + (chance.uniform(0.0, 0.9) if attempt % 3 else 30)
        while time.monotonic() < until and commits(lake) == before:
            time.sleep(0.002)
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        found = content(lake.snapshot())
        assert found in (expected[stands], expected[wanted])
        outcomes.add(found == expected[wanted])
        stands = wanted if found == expected[wanted] else stands
        wrong = lake.snapshot().quarantine().collect().height
        assert wrong == 12 * {"wrong": 17, "right": 1}[stands], "and what was refused of them"
    assert outcomes == {True, False}, "the kills hit before and after"


def test_quarantine_as_of_a_moment_before_the_mapping_changed_has_nothing_of_the_file(lake: Lake) -> None:
    path = lake.root.parent / "a.csv"
    path.write_text("user,item,time\nann,x,01/02/2026\nbob,y,13/14/2026\ncid,z,02/13/2026\n")
    take(lake, [path], WRONG)
    between = datetime.now(UTC)
    assert lake.snapshot(between).quarantine().collect()["line"].to_list() == [3, 4]
    take(lake, [path], RIGHT)
    assert lake.snapshot().quarantine().collect()["line"].to_list() == [3]
    before = lake.snapshot(between)
    assert (before.events().collect().height, before.quarantine().collect().height) == (2, 0)
