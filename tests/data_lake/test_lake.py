"""The lake: whole batches or nothing, ids once, codes that keep their meaning, readable by anybody."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.data.lake import tables
from segue.data.lake.lake import Appended, Lake
from segue.data.lake.lease import lease
from segue.data.lake.upkeep import Upkeep
from segue.domain.catalog import Item
from segue.domain.errors import BusyError, DataError, ReadError
from tests.data_lake.world import START, frame, moment


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def ids(lake: Lake) -> list[str]:
    return sorted(lake.snapshot().events().collect()["id"])


def views(*people: str, first: int = 0) -> pl.DataFrame:
    return frame([{"id": f"e{first + n}", "user": person, "item": f"i{n}"} for n, person in enumerate(people)])


def test_an_empty_lake_answers_everything(lake: Lake) -> None:
    snapshot = lake.snapshot()
    assert snapshot.events_count == 0
    assert (snapshot.has_times, snapshot.has_order) == (False, False)
    assert len(snapshot.item_ids) == len(snapshot.person_ids) == 0
    assert snapshot.catalog() == {}
    for rows in (snapshot.events(), snapshot.decisions(), snapshot.items(), snapshot.users(), snapshot.quarantine()):
        assert rows.collect().height == 0
    assert not lake.has_batch("b")
    assert not lake.root.exists(), "looking changes nothing"
    lake.sync()


def test_a_batch_changes_nothing_the_second_time(lake: Lake) -> None:
    assert lake.append_events(views("ann", "bob"), "b1") == Appended(2, 0)
    before = lake.snapshot().fingerprint
    assert lake.append_events(views("ann", "bob"), "b1") == Appended(0, 2)
    assert lake.snapshot().fingerprint == before
    assert lake.has_batch("b1")
    assert not lake.has_batch("b2")
    assert Lake(lake.root).has_batch("b1")


def test_a_batch_without_rows_is_remembered(lake: Lake) -> None:
    assert lake.append_events(views(), "none") == Appended(0, 0)
    assert lake.has_batch("none")
    assert ids(lake) == []


def test_ids_that_the_lake_has_are_dropped_and_counted(lake: Lake) -> None:
    lake.append_events(views("ann", "bob", "cid"), "b1")
    assert lake.append_events(views("bob", "cid", "dan", first=1), "b2") == Appended(1, 2)
    twice = pl.concat([views("eve", first=9), views("eve", first=9)])
    assert lake.append_events(twice, "b3") == Appended(1, 1)
    assert ids(lake) == ["e0", "e1", "e2", "e3", "e9"]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.text(min_size=1, max_size=3), max_size=6), max_size=5))
@example([["𠀀"], ["𠀀"]])  # beyond the basic plane: statistics as escaped pairs were misread
@example([["\0"], ["\0"]])
def test_each_id_is_in_the_lake_once_whatever_comes(tmp_path_factory, batches: list[list[str]]) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    counts = [
        lake.append_events(frame([{"id": name, "user": name, "item": name} for name in batch]), f"batch {number}")
        for number, batch in enumerate(batches)
    ]
    met = {name for batch in batches for name in batch}
    assert ids(lake) == sorted(met)
    assert sum(count.rows for count in counts) == len(met)
    assert sum(count.rows + count.duplicates for count in counts) == sum(len(batch) for batch in batches)
    rows = lake.snapshot().events().collect()
    assert rows["user"].to_list() == rows["item"].to_list() == rows["id"].to_list()


def test_days_are_utc_and_of_time_or_else_received(lake: Lake) -> None:
    late = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    rows = frame(
        [
            {"user": "a", "item": "x", "time": late, "received": START},
            {"user": "a", "item": "x", "time": None, "received": START},
            {"user": "a", "item": "x", "time": datetime(1962, 2, 3, tzinfo=UTC), "received": START},
        ]
    )
    east = rows.with_columns(pl.col("time").dt.convert_time_zone("Asia/Tokyo"))
    lake.append_events(east, "b")
    found = lake.snapshot().events().sort("id").collect()
    assert found["day"].to_list() == [date(2026, 1, 1), date(2026, 3, 1), date(1962, 2, 3)]
    assert found["time"].to_list()[0] == late
    assert sorted(folder.name for folder in (lake.root / "events").glob("day=*")) == [
        "day=1962-02-03",
        "day=2026-01-01",
        "day=2026-03-01",
    ]


def test_as_of_is_what_was_received_by_then(lake: Lake) -> None:
    lake.append_events(
        frame([{"user": "a", "item": "x", "time": moment(0), "received": moment(n)} for n in range(4)]), "b"
    )
    assert lake.snapshot(moment(1)).events().collect().height == 2
    assert lake.snapshot(moment(1)).events_count == 2
    assert lake.snapshot(moment(1)).fingerprint != lake.snapshot().fingerprint
    with pytest.raises(DataError, match="no time zone"):
        lake.snapshot(datetime(2026, 1, 1))


def test_a_snapshot_stays_as_it_is(lake: Lake) -> None:
    lake.append_events(views("ann"), "b1")
    before = lake.snapshot()
    fingerprint = before.fingerprint
    lake.append_events(views("bob", first=5), "b2")
    assert before.events().collect()["id"].to_list() == ["e0"]
    assert before.person_ids.ids == ("u:ann",)
    assert before.fingerprint == fingerprint != lake.snapshot().fingerprint


def test_codes_keep_their_meaning(lake: Lake) -> None:
    lake.append_events(views("ann", "bob"), "b1")
    first = lake.snapshot()
    lake.append_events(views("cid", "ann", first=5), "b2")
    Lake(lake.root).append_events(views("dan", first=9), "b3")
    last = lake.snapshot()
    assert last.person_ids.ids[: len(first.person_ids)] == first.person_ids.ids == ("u:ann", "u:bob")
    assert last.person_ids.ids == ("u:ann", "u:bob", "u:cid", "u:dan")
    assert lake.append_events(views("ann", first=20), "b4").rows == 1
    assert len(lake.snapshot().person_ids) == 4


def test_a_crash_between_dictionary_and_events_is_harmless(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = tables.Table.commit

    def crash(self: tables.Table, *arguments: object) -> None:
        if self.layout.name == "events":
            raise KeyboardInterrupt
        commit(self, *arguments)

    monkeypatch.setattr(tables.Table, "commit", crash)
    with pytest.raises(KeyboardInterrupt):
        lake.append_events(views("ann", "bob"), "b1")
    monkeypatch.undo()
    assert lake.snapshot().person_ids.ids == ("u:ann", "u:bob")
    assert ids(lake) == []
    again = Lake(lake.root)
    again.append_events(views("bob", "cid"), "b2")
    again.append_events(views("ann", "bob", first=5), "b1")
    assert again.snapshot().person_ids.ids == ("u:ann", "u:bob", "u:cid")
    rows = again.snapshot().events().sort("id").collect()
    assert rows["user"].to_list() == ["bob", "cid", "ann", "bob"]


def test_a_damaged_dictionary_is_refused(lake: Lake) -> None:
    lake.append_events(views("ann"), "b1")
    wrong = pl.DataFrame({"id": ["x"], "code": pl.Series([7], dtype=pl.Int32)})
    lake.tables["item_ids"].append(wrong, {"codes": 99})
    with pytest.raises(ReadError, match="not 0, 1, 2"):
        _ = lake.snapshot().item_ids


def test_visitors_only_and_unicode(lake: Lake) -> None:
    odd = ["ünï", "日本", "😀", "a'b\"c", "u:x", " ", "a\0b"]
    lake.append_events(frame([{"visitor": name, "item": name} for name in odd]), "b")
    rows = lake.snapshot().events().sort("id").collect()
    assert rows["visitor"].to_list() == rows["item"].to_list() == odd
    assert rows["user"].null_count() == len(odd)
    assert lake.snapshot().person_ids.ids == tuple(f"v:{name}" for name in odd)


def test_a_user_and_a_visitor_of_one_name_are_two_people(lake: Lake) -> None:
    lake.append_events(frame([{"user": "7", "visitor": "7", "item": "x"}]), "b")
    row = lake.snapshot().coded_events().collect().row(0, named=True)
    assert row["user"] != row["visitor"]
    assert lake.snapshot().person_ids.ids == ("u:7", "v:7")


def test_person_columns_have_codes_and_no_statistics(lake: Lake) -> None:
    lake.append_events(views("secret-ann", "secret-bob"), "b1")
    lake.put_users(pl.DataFrame({"id": ["secret-ann"], "attributes": ["{}"]}), "b2")
    for name in ("events", "users", "person_ids"):
        table = DeltaTable(lake.root / name)
        actions = pl.DataFrame(table.get_add_actions(flatten=True))
        said = {column.split(".", 1)[1] for column in actions.columns if column.startswith(("min.", "max."))}
        assert said & {"user", "visitor", "session", "attributes"} == set()
        assert "id" not in said
        log = "".join(path.read_text() for path in (lake.root / name / "_delta_log").glob("*.json"))
        assert "secret" not in log
        for file in (lake.root / name).rglob("*.parquet"):
            meta = pq.read_metadata(file).row_group(0)
            for place in range(meta.num_columns):
                column = meta.column(place)
                if column.path_in_schema in ("user", "visitor") or (name, column.path_in_schema) == (
                    "person_ids",
                    "id",
                ):
                    assert column.statistics is None
    assert b"secret" not in b"".join(file.read_bytes() for file in (lake.root / "events").rglob("*.parquet"))


def test_polars_and_pyarrow_read_the_tables_as_they_are(lake: Lake) -> None:
    lake.append_events(views("ann", "bob"), "b1")
    lake.append_events(views("cid", first=7).with_columns(time=pl.lit(START)), "b2")
    path = str(lake.root / "events")
    assert pl.scan_delta(path).filter(pl.col("id") == "e7").collect().height == 1
    assert DeltaTable(path).to_pyarrow_table().num_rows == 3
    plain = arrow_dataset.dataset(path, partitioning="hive", exclude_invalid_files=True)
    assert plain.to_table(columns=["id", "day"]).num_rows == 3


@pytest.mark.slow
def test_duckdb_and_polars_read_the_same_rows(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHECKPOINT_EVERY", 2)
    for number in range(5):
        at = pl.Series([START + timedelta(days=number)] * 2)
        lake.append_events(views("ann", "bob", first=10 * number).with_columns(time=at), f"b{number}")
    Upkeep(lake).compact()  # leaves files behind that are no part of the table
    Upkeep(lake).vacuum(timedelta(0))
    lake.append_events(views("cid", first=99), "after")
    path = str(lake.root / "events")
    wanted = sorted(lake.snapshot().coded_events().select("id", "user", "day").collect().rows())
    assert sorted(pl.read_delta(path).select("id", "user", "day").rows()) == wanted
    files = DeltaTable(path).file_uris()
    said = 'SELECT id, "user", day FROM read_parquet(?, hive_partitioning = true)'
    assert sorted(duckdb.execute(said, [files]).fetchall()) == wanted
    assert sorted(ids(lake)) == sorted(row[0] for row in wanted)


def test_statistics_are_true(lake: Lake) -> None:
    lake.append_events(
        frame([{"id": "b", "user": "x", "item": "x", "time": moment(1)}, {"id": "a", "user": "x", "item": "x"}]), "b1"
    )
    actions = pl.DataFrame(DeltaTable(lake.root / "events").get_add_actions(flatten=True)).row(0, named=True)
    assert actions["num_records"] == 2
    assert not {"min.id", "max.id"} & set(actions), "an id may say who did it"
    assert actions["min.time"] == actions["max.time"] == moment(1)
    assert (actions["null_count.time"], actions["null_count.order"]) == (1, 2)


def test_has_times_and_has_order(lake: Lake) -> None:
    lake.append_events(frame([{"user": "a", "item": "x", "time": moment(1)}]), "timed")
    assert (lake.snapshot().has_times, lake.snapshot().has_order) == (True, True)
    lake.append_events(frame([{"id": "o", "user": "a", "item": "x", "order": 1}]), "ordered")
    assert (lake.snapshot().has_times, lake.snapshot().has_order) == (False, True)
    lake.append_events(frame([{"id": "n", "user": "a", "item": "x"}]), "neither")
    assert (lake.snapshot().has_times, lake.snapshot().has_order) == (False, False)


def test_the_latest_row_of_an_item_is_current_and_the_past_is_readable(lake: Lake) -> None:
    def items(price: float, minutes: float) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "id": ["x", "y"],
                "title": ["Ex", "Ypsilon"],
                "price": [price, 1.0],
                "categories": [["a", "b"], None],
                "attributes": ['{"colour": "red"}', None],
                "received": [moment(minutes)] * 2,
            }
        )

    lake.put_items(items(1.0, 0), "b1")
    lake.put_items(items(2.0, 10), "b2")
    lake.put_items(items(3.0, 5), "b3")  # an older catalog that came later does not win
    assert lake.snapshot().catalog() == {
        "x": Item("x", title="Ex", price=2.0, categories=("a", "b"), attributes={"colour": "red"}),
        "y": Item("y", title="Ypsilon", price=1.0),
    }
    assert lake.snapshot(moment(1)).catalog()["x"].price == 1.0
    twice = pl.concat([items(7.0, 20).head(1), items(8.0, 20).head(1)])
    lake.put_items(twice, "b4")
    assert lake.snapshot().catalog()["x"].price == 8.0, "of two rows of one moment the later row is current"
    assert lake.put_items(twice, "b4") == Appended(0, 2)


def test_users_and_quarantine(lake: Lake) -> None:
    lake.put_users(pl.DataFrame({"id": ["ann", "bob"], "attributes": ['{"age": 30}', None]}), "b1")
    users = lake.snapshot().users().sort("id").collect()
    assert users["id"].to_list() == ["ann", "bob"]
    assert json.loads(users["attributes"][0]) == {"age": 30}
    bad = pl.DataFrame({"file": ["f.csv"], "line": [3], "reason": ["no item"], "column": ["item"], "raw": ["a,,"]})
    assert lake.quarantine(bad, "b1") == Appended(1, 0)
    assert lake.quarantine(bad, "b1") == Appended(0, 1)
    row = lake.snapshot().quarantine().collect().row(0, named=True)
    assert (row["file"], row["line"], row["reason"], row["batch"]) == ("f.csv", 3, "no item", "b1")
    assert lake.has_batch("b1"), "by its users"
    assert not Lake(lake.root).has_batch("b3")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (views("ann").with_columns(itm=pl.lit("x")), "no column 'itm'"),
        (views("ann").drop("id"), "every row needs 'id'"),
        (views("ann").with_columns(type=pl.lit(None, dtype=pl.String)), "1 of 1 have none"),
    ],
)
def test_frames_that_do_not_fit_are_refused_by_name(lake: Lake, wrong: pl.DataFrame, words: str) -> None:
    with pytest.raises(DataError, match=words):
        lake.append_events(wrong, "b")
    assert not lake.has_batch("b")


def test_two_writers_at_once(lake: Lake) -> None:
    with lake.writer(), pytest.raises(BusyError, match=r"process \d+ .* is writing to the lake"):
        Lake(lake.root).append_events(views("ann"), "b1")
    assert Lake(lake.root).append_events(views("ann"), "b1").rows == 1


def test_a_writer_may_wait_and_the_lease_of_the_dead_is_free(lake: Lake) -> None:
    script = f"import fcntl, sys, time; f = open({str(lake.root / '.writer')!r}, 'w'); fcntl.flock(f, 2); print(); "
    lake.root.mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-uc", script + "time.sleep(60)"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert holder.stdout
    holder.stdout.readline()
    with pytest.raises(BusyError), lease(lake.root / ".writer", "writing", wait_s=0.1):
        pass
    holder.kill()
    with lake.writer(wait_s=5):
        pass
    holder.wait()
    holder.stdout.close()


def test_what_is_committed_was_synced_first(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append_events(views("ann"), "b0")
    synced: list[str] = []
    committed: list[int] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        if not committed and (lake.root / "events/_delta_log/00000000000000000002.json").exists():
            committed.append(len(synced) - 1)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    lake.append_events(views("ann", first=3), "b1")
    before, after = synced[: committed[0]], synced[committed[0] :]
    assert any("/events/day=" in path and path.endswith(".parquet") for path in before)
    assert any(path.endswith("/events/day=2026-03-01") for path in before)
    assert [Path(path).name for path in after] == ["00000000000000000002.json", "_delta_log"]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of this size, or, where mounting is refused, a limit on the size of files."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (megabytes << 20, limits[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def noise(rows: int, first: int = 0) -> pl.DataFrame:
    texts = [os.urandom(512).hex() for _ in range(rows)]
    return frame([{"id": f"n{first + n}", "user": f"p{n % 7}", "item": "x", "context": t} for n, t in enumerate(texts)])


def test_a_full_disk_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        lake = Lake(disk / "lake")
        lake.append_events(views("ann", "bob"), "b1")
        with pytest.raises(DataError, match="the disk is full"):
            lake.append_events(noise(20_000), "big")
        assert ids(lake) == ids(Lake(disk / "lake")) == ["e0", "e1"]
        assert not lake.has_batch("big")
        files = {path.name for path in (disk / "lake/events").rglob("*.parquet")}
        assert len(files) == 1, "what was half written is taken back"
        assert lake.append_events(noise(200), "big").rows == 200, "with fewer rows, as with more space, it goes"
        assert lake.has_batch("big")


def filled(disk: Path, but_pages: int) -> Path:
    """A file that takes all of the space but so many pages of 4 KiB."""
    ballast = disk / "ballast"
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    left = os.statvfs(disk)
    os.posix_fallocate(handle, 0, max(left.f_bavail * left.f_bsize - but_pages * 4096, 1))
    os.close(handle)
    return ballast


@pytest.mark.slow
def test_a_disk_that_is_full_when_the_log_is_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        lake = Lake(disk / "lake")
        lake.append_events(views("ann"), "b1")
        refused = 0
        for free in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24):
            ballast = filled(disk, but_pages=free)
            before = ids(lake)
            try:
                lake.append_events(views("ann", "bob", first=100 + 10 * free), f"free {free}")
            except DataError as error:
                refused += "disk is full" in error.problem
                assert not lake.has_batch(f"free {free}")
                assert ids(lake) == ids(Lake(disk / "lake")) == before
            else:
                assert lake.has_batch(f"free {free}")
            ballast.unlink()
        assert refused > 3
        lake.append_events(views("zoe", first=999), "after")
        assert "e999" in ids(Lake(disk / "lake"))


def test_a_log_entry_cut_off_by_a_power_cut_is_set_aside(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    lake.append_events(views("ann"), "b1")
    lake.append_events(views("bob", first=5), "b2")
    entry = lake.root / "events/_delta_log/00000000000000000002.json"
    entry.write_bytes(entry.read_bytes()[:100])
    with pytest.raises(ReadError, match="cannot be opened"):
        Lake(lake.root).snapshot()
    again = Lake(lake.root)
    assert again.append_events(views("bob", first=5), "b2").rows == 1
    assert ids(again) == ["e0", "e5"]
    assert entry.with_suffix(".json.torn").exists()
    assert "cut off by a crash" in caplog.text


def test_an_open_lake_says_of_a_torn_log_and_mends_it_when_it_writes(lake: Lake) -> None:
    lake.append_events(views("ann"), "b1")
    assert lake.has_batch("b1")
    Lake(lake.root).append_events(views("bob", first=5), "b2")
    entry = lake.root / "events/_delta_log/00000000000000000002.json"
    entry.write_bytes(entry.read_bytes()[:100])
    with pytest.raises(ReadError, match="cannot be opened"):
        lake.has_batch("b2")
    assert lake.append_events(views("bob", first=5), "b2").rows == 1
    assert ids(lake) == ids(Lake(lake.root)) == ["e0", "e5"]


def test_what_another_wrote_is_seen_when_the_lease_is_had_again(lake: Lake) -> None:
    other = Lake(lake.root)
    for number in range(3):
        assert lake.append_events(views("ann", first=10 * number), f"a{number}").rows == 1
        assert other.append_events(views("ann", "bob", first=10 * number), f"b{number}") == Appended(1, 1)
        with lake.writer():
            assert lake.has_batch(f"b{number}")
            assert lake.append_events(views("ann", "bob", first=10 * number), f"b{number}") == Appended(0, 2)
    assert len(ids(lake)) == 6
    assert lake.snapshot().person_ids.ids == ("u:ann", "u:bob")


def test_several_batches_in_one_commit(lake: Lake) -> None:
    lake.append_events(views("ann"), "b0")
    batches = {"b0": views("ann"), "b1": views("bob", "cid", first=0), "b2": views("dan", first=1), "b3": views()}
    assert lake.take("events", batches) == {
        "b0": Appended(0, 1),
        "b1": Appended(1, 1),
        "b2": Appended(0, 1),
        "b3": Appended(0, 0),
    }
    assert all(Lake(lake.root).has_batch(batch) for batch in batches)
    assert lake.take("events", batches)["b1"] == Appended(0, 2)
    assert lake.take("events", {}) == {}
    assert len(list((lake.root / "events/_delta_log").glob("*.json"))) == 3, "made, b0, the others"


def test_one_frame_that_does_not_fit_keeps_all_of_them_out(lake: Lake) -> None:
    with pytest.raises(DataError, match="no column 'itm'"):
        lake.take("events", {"b1": views("ann"), "b2": views("bob", first=1).with_columns(itm=pl.lit("x"))})
    assert not any(lake.has_batch(batch) for batch in ("b1", "b2"))
    assert ids(lake) == []


def test_a_commit_that_lands_though_it_raises_is_in(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append_events(views("ann"), "b1")
    write = DeltaTable.create_write_transaction

    def lands_and_raises(table: DeltaTable, *arguments: object, **said: object) -> None:
        write(table, *arguments, **said)  # type: ignore[arg-type]
        raise OSError("the connection broke after the log was written")

    monkeypatch.setattr(DeltaTable, "create_write_transaction", lands_and_raises)
    assert lake.append_events(views("bob", first=5), "b2") == Appended(1, 0)
    assert lake.append_events(views("bob", first=5), "b2") == Appended(0, 1)
    assert ids(lake) == ids(Lake(lake.root)) == ["e0", "e5"]


def test_files_stay_where_nobody_can_tell_whether_their_commit_landed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append_events(views("ann"), "b1")
    log = lake.root / "events/_delta_log"
    write = DeltaTable.create_write_transaction

    def lands_and_cannot_be_read(table: DeltaTable, *arguments: object, **said: object) -> None:
        write(table, *arguments, **said)  # type: ignore[arg-type]
        log.rename(log.with_name("away"))
        log.mkdir()
        (log / f"{0:020d}.json").write_text("{")
        raise OSError("the disk does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTable, "create_write_transaction", lands_and_cannot_be_read)
        with pytest.raises(OSError, match="does not answer"):
            lake.append_events(views("ann", first=5), "b2")  # no new ids, so that no dictionary is written
    (log / f"{0:020d}.json").unlink()
    log.rmdir()
    log.with_name("away").rename(log)
    assert lake.append_events(views("ann", first=5), "b2") == Appended(0, 1)
    assert ids(Lake(lake.root)) == ["e0", "e5"], "the commit was whole, and so are its files"


def test_a_checkpoint_that_cannot_be_written_is_only_said(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(table: DeltaTable) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(tables, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(DeltaTable, "create_checkpoint", refuse)
    for number in range(5):
        lake.append_events(views("ann", first=number), f"b{number}")
    assert "no checkpoint could be written" in caplog.text
    assert len(ids(Lake(lake.root))) == 5
    assert not (lake.root / "events/_delta_log/_last_checkpoint").exists()


def test_a_lease_is_free_again_after_an_error_and_its_file_names_nobody(lake: Lake) -> None:
    with lake.writer():
        assert f"process {os.getpid()}" in (lake.root / ".writer").read_text()
    with pytest.raises(DataError):
        lake.append_events(views("ann").drop("id"), "b1")
    assert (lake.root / ".writer").read_text() == ""
    with Lake(lake.root).writer():
        pass


def test_a_lease_of_one_who_left_no_name_is_said_all_the_same(lake: Lake) -> None:
    with lake.writer():
        (lake.root / ".writer").write_text("")
        with pytest.raises(BusyError, match="another process is writing to the lake"):
            Lake(lake.root).append_events(views("ann"), "b1")


def test_codes_of_many_at_once_and_of_none(lake: Lake) -> None:
    coded = lake.people_coded
    with lake.writer():
        assert coded.encode(pl.Series("user", [None, None], dtype=pl.String)).to_list() == [None, None]
        assert not coded.table.path.exists(), "nothing to remember is no commit"
        assert coded.encode(pl.Series("user", ["u:b", None, "u:a", "u:b"])).to_list() == [0, None, 1, 0]
        assert coded.encode(pl.Series("user", ["u:c", "u:a", None])).to_list() == [2, 1, None]
        assert coded.encode(pl.Series("user", [], dtype=pl.String)).to_list() == []
    other = Lake(lake.root)
    with other.writer():
        other.people_coded.encode(pl.Series("user", ["u:d"]))
    with lake.writer():
        assert coded.encode(pl.Series("user", ["u:e", "u:d"])).to_list() == [4, 3], "what another gave out stands"


@pytest.mark.slow
def test_many_commits_are_checkpointed_and_read_the_same(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHECKPOINT_EVERY", 5)
    for number in range(12):
        lake.append_events(views("ann", first=number), f"b{number}")
    assert (lake.root / "events/_delta_log/_last_checkpoint").exists()
    assert len(ids(Lake(lake.root))) == 12
    assert Lake(lake.root).has_batch("b3")
    assert lake.append_events(views("ann", first=3), "b3") == Appended(0, 1)


@pytest.mark.slow
def test_reading_goes_on_while_another_writes(lake: Lake) -> None:
    lake.append_events(views("ann"), "b0")
    for number in range(1, 20):
        snapshot = lake.snapshot()
        lake.append_events(views(f"p{number}", first=10 * number), f"b{number}")
        assert snapshot.events().collect().height == number
        assert snapshot.events().collect()["user"].null_count() == 0


@pytest.mark.slow
def test_events_of_many_days_in_one_batch(lake: Lake) -> None:
    rows = frame([{"user": "a", "item": "x", "time": START + timedelta(days=n)} for n in range(400)])
    assert lake.append_events(rows, "b") == Appended(400, 0)
    assert len(lake.snapshot().files) == 400
    assert lake.append_events(rows, "c") == Appended(0, 400)


@pytest.mark.slow
def test_a_lake_that_begins_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        for free in (0, 1, 2, 4, 6, 8, 10, 14, 20, 30):
            lake, ballast = Lake(disk / f"lake{free}"), filled(disk, but_pages=free)
            with contextlib.suppress(DataError):
                lake.append_events(views("ann", "bob"), "b")
            kept = ids(lake)
            assert kept in ([], ["e0", "e1"])
            assert lake.has_batch("b") == bool(kept)
            ballast.unlink()
            lake.append_events(views("ann", "bob"), "b")
            assert ids(Lake(lake.root)) == ["e0", "e1"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_lease_that_cannot_be_had_says_why(lake: Lake, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(self: Path, *arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"cannot be written|disk is full") as error:
        lake.append_events(views("ann"), "b")
    assert error.value.mend


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _hollow(path: Path) -> None:
    """A hole of zeros before a footer that is whole, as a power cut leaves pages that were not written yet."""
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(1_500) + content[1_600:])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_cut, _hollow, _empty, Path.unlink])
@pytest.mark.parametrize("what", ["*10.checkpoint.parquet", "_last_checkpoint"])
def test_a_checkpoint_cut_off_by_a_power_cut_is_set_aside(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], what: str
) -> None:
    monkeypatch.setattr(tables, "CHECKPOINT_EVERY", 5)
    for number in range(12):
        lake.append_events(views("ann", first=number), f"b{number}")
    log = lake.root / "events/_delta_log"
    for entry in sorted(log.glob("*.json"))[:5]:
        entry.unlink()  # so that the log cannot do without any checkpoint
    harm(next(log.glob(what)))
    again = Lake(lake.root)
    assert again.append_events(views("bob", first=99), "after").rows == 1
    assert again.append_events(views("ann", first=3), "b3") == Appended(0, 1)
    assert len(ids(Lake(lake.root))) == 13
    assert pl.read_delta(str(lake.root / "events")).height == 13
