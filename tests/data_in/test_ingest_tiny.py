"""Tiny files that are read together become what they become one by one: the same rows, places, reports and order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

import msgspec
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue.data.ingest import ingest as ingest_room
from segue.data.ingest.ingest import ingest_events, ingest_items
from segue.data.ingest.report import FileReport
from segue.data.lake.lake import Lake
from segue.data.read import joined as joined_files
from segue.data.settings import EventColumns, EventSource, FileSource, ItemColumns, ItemSource
from segue.domain.errors import MissingColumn, SegueError
from tests.data_in.reading import event_source

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ROWS = st.sampled_from(
    [
        "ann,x,2026-05-01,1.5",
        'bob,"y, or z",2026-05-01T10:00:00Z,',
        'cid,"""q""",2026-05-02 10,7',
        "dee,,2026-05-02,1",
        "eve,x,no time,1",
        "too,few",
        ",x,2026-05-03,2",
        'fay,5" disk,2026-05-01,1',
        'gus,"open,2026-05-01,1',
        "",
        "  ",
        "h\udce9l,x,2026-05-01,3",
    ]
)
FILES = st.lists(
    st.tuples(
        st.sampled_from(["user,item,time,value\n"] * 6 + ["item,user,time,value\n", "user,item,time,value\r\n", ""]),
        st.lists(ROWS, max_size=5),
        st.sampled_from(["\n", "\n", "\r\n", ""]),
    ),
    min_size=1,
    max_size=40,
)
FIELDS = st.fixed_dictionaries(
    {"user": st.sampled_from(["ann", 7, None, 1.50]), "item": st.sampled_from(["x", 12, ["y"]])},
    optional={"value": st.sampled_from([1.25, "2", None]), "note": st.text(max_size=3), "time": st.just("2026-05-01")},
)


def both_ways(folder: Path, paths: Sequence[Path], source: EventSource) -> None:
    """Ingest the files together, and one by one; what comes of it must be the same."""
    together = _outcome(folder, "together", paths, source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest_room, "can_join", _never)
        alone = _outcome(folder, "alone", paths, source)
    assert together == alone


def _never(source: FileSource) -> bool:
    del source
    return False


def _outcome(folder: Path, name: str, paths: Sequence[Path], source: EventSource) -> tuple[object, ...]:
    lake = Lake(folder / name)
    reports: list[FileReport] | str
    try:
        reports = ingest_events(lake, source, paths, folder, NOW)
    except SegueError as error:
        reports = str(error)
    snapshot = lake.snapshot()
    rows = snapshot.events().collect().sort("id")
    context = [
        text and msgspec.json.encode(msgspec.json.decode(text), order="deterministic") for text in rows["context"]
    ]
    rows = rows.with_columns(pl.Series("context", context, dtype=pl.Binary))
    quarantine = snapshot.quarantine().collect().sort("file", "line", "batch")
    return reports, rows.rows(), quarantine.select(pl.exclude("received", "day")).rows()


@settings(max_examples=5)
@given(FILES, st.sampled_from(["file", "time"]))
@example(
    [("user,item,time,value\n", ["ann,x,2026-05-01,1"], ""), ("user,item,time,value\n", ["bob,y,2026-05-01,"], "")],
    "file",
)
@pytest.mark.slow
def test_delimited_files_become_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, list[str], str]], order: str
) -> None:
    folder = tmp_path_factory.mktemp("tiny")
    paths = []
    for number, (header, rows, end) in enumerate(files):
        path = folder / f"{number}.csv"
        lines = (end or "\n").join(rows) + (end if rows else "")
        path.write_bytes((header + lines).encode("utf-8", "surrogateescape"))
        paths.append(path)
    columns = EventColumns(user="user", item="item", time="time", value="value")
    both_ways(folder, paths, event_source(columns=columns, order=cast(Literal["file", "time"], order)))


@settings(max_examples=5)
@given(st.lists(st.lists(FIELDS, max_size=4), min_size=1, max_size=30), st.booleans())
@pytest.mark.slow
def test_json_lines_become_the_same(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[dict[str, object]]], broken: bool
) -> None:
    folder = tmp_path_factory.mktemp("tiny")
    paths = []
    for number, rows in enumerate(files):
        path = folder / f"{number}.jsonl"
        text = b"\n".join([*map(msgspec.json.encode, rows), *([b"{broken", b"[1]"] if broken else [])])
        path.write_bytes(text)
        paths.append(path)
    both_ways(folder, paths, event_source(columns=EventColumns(user="user", item="item", value="value", context="*")))


def test_a_file_that_lacks_a_column_is_named_and_those_before_it_are_in(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.jsonl").write_text(f'{{"user": "u{number}", "item": "x"}}\n')
    (tmp_path / "4.jsonl").write_text('{"user": "u4", "product": "x"}\n')
    paths = [tmp_path / f"{number}.jsonl" for number in range(6)]
    lake = Lake(tmp_path / "lake")
    with pytest.raises(MissingColumn) as refused:
        ingest_events(lake, event_source(), paths, tmp_path, NOW)
    assert refused.value.where == "4.jsonl"
    assert "the files before it are in, and are not read twice" in refused.value.mend
    assert sorted(lake.snapshot().events().collect()["user"]) == ["u0", "u1", "u2", "u3"]


def test_catalog_files_are_read_together_and_the_last_row_of_an_id_is_current(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.csv").write_text(f"id,title\na,title {number}\na,again {number}\ni{number},own\n")
    (tmp_path / "5.csv").write_text((tmp_path / "1.csv").read_text())  # the newest is as the second was
    source = ItemSource(columns=ItemColumns(id="id", title="title"))
    paths = [tmp_path / f"{number}.csv" for number in range(6)]
    lake = Lake(tmp_path / "lake")
    reports = ingest_items(lake, source, paths, tmp_path, NOW)
    assert [(each.kept, each.duplicates, each.skipped) for each in reports] == [(2, 1, False)] * 5 + [(2, 0, False)]
    titles = dict(lake.snapshot().items().select("id", "title").collect().iter_rows())
    assert titles == {"a": "again 1", **{f"i{number}": "own" for number in range(5)}}


@pytest.mark.slow
def test_three_thousand_files_come_in_with_one_commit_and_each_refused_row_has_its_place(tmp_path: Path) -> None:
    for number in range(3_000):
        refused = f"nobody{number},,2026-05-01\n" if number % 100 == 0 else ""
        (tmp_path / f"{number:04}.csv").write_text(f"user,item,time\nu{number},x,2026-05-01\n{refused}v{number},y,\n")
    os.link(tmp_path / "0007.csv", tmp_path / "9999.csv")
    source = event_source(columns=EventColumns(user="user", item="item", time="time"))
    paths = sorted(tmp_path.glob("*.csv"))
    lake = Lake(tmp_path / "lake")
    reports = ingest_events(lake, source, paths, tmp_path, NOW)
    assert [each.path for each in reports if each.skipped] == ["9999.csv"]
    assert sorted(lake.snapshot().events().collect()["user"]) == sorted(f"u{number}" for number in range(3_000))
    refused_rows = lake.snapshot().quarantine().collect().select("file", "line", "reason", "bytes").rows()
    wanted = [(f"{n:04}.csv", 3, "no item", f"nobody{n},,2026-05-01".encode()) for n in range(0, 3_000, 100)]
    wanted += [(f"{n:04}.csv", 3 + (n % 100 == 0), "no time", f"v{n},y,".encode()) for n in range(3_000)]
    assert sorted(refused_rows) == sorted(wanted)
    for table in ("events", "quarantine"):
        log = lake.root / table / "_delta_log"
        assert len(list(log.glob("*.json"))) == 2, "the table's own, and one"
    assert all(each.skipped for each in ingest_events(lake, source, paths, tmp_path, NOW))


def test_a_file_that_is_not_tiny_is_read_by_itself_in_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_files, "TINY", 60)
    for number in range(5):
        rows = "".join(f"u{number}-{row},x\n" for row in range(20 if number == 2 else 2))
        (tmp_path / f"{number}.csv").write_text("user,item\n" + rows)
    lake = Lake(tmp_path / "lake")
    ingest_events(lake, event_source(order="file"), [tmp_path / f"{n}.csv" for n in range(5)], tmp_path, NOW)
    users = lake.snapshot().events().collect().sort("order")["user"].to_list()
    assert users == [f"u{number}-{row}" for number in range(5) for row in range(20 if number == 2 else 2)]
