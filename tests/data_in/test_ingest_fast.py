"""The fast lane gives exactly what the careful way gives, whatever the lines are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.data.bulk import choice
from segue.data.ingest import steps
from segue.data.ingest.ingest import FileReport, ingest_events
from segue.data.lake.lake import Lake
from segue.data.read.files import Part
from segue.data.settings import EventColumns, EventSource

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALL = EventColumns(user="user", visitor="visitor", item="item", type="type", time="time", value="value")
HEADER = b"user,visitor,skipped,item,type,time,value\n"

ids = st.sampled_from([b"ann", b"bob", b"", b"NULL", b"nan", b"caf\xc3\xa9", b"\xff", b"17.0", b" x", b"u" * 300, b"a"])
times = st.sampled_from(
    [
        b"2026-05-01T10:00:00Z",
        b"2026-05-01 10:00:00.25",
        b"2026-02-30T10:00:00Z",
        b"2026-05-01T10:00:00+02:00",
        b"2026-05-01T10:00:00.1234567Z",
        b"2027-05-01T10:00:00Z",
        b"0001-01-01T00:00:00Z",
        b"1969-07-20T20:17:40Z",
        b"2026-05-01",
        b"",
        b"soon",
    ]
)
values = st.sampled_from(
    [b"", b"1", b"0.1", b"12.50", b"-3", b"1e3", b"5.", b".5", b" 7", b"NA", b"x", b"9" * 17, b"inf"]
)
types = st.sampled_from([b"view", b"search", b"", b"NULL", b"buy"])
skipped = st.sampled_from([b"", b"\xff", b"7"])
line = st.one_of(
    st.tuples(ids, ids, skipped, ids, types, times, values).map(b",".join),
    st.sampled_from([b"", b"a,b", b"\r", b"x" * 40, b'a,"b,c', b'ann,"bob",,"x",view,2026-05-01T10:00:00Z,1']),
)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is a big one."""
    monkeypatch.setattr(choice, "BIG", 0)


def taken(folder: Path, source: EventSource, name: str) -> tuple[Lake, FileReport]:
    """A new lake with the file of a folder."""
    lake = Lake(folder / name)
    (report,) = ingest_events(lake, source, [folder / "events.csv"], folder, NOW)
    return lake, report


def rows_of(lake: Lake) -> list[pl.DataFrame]:
    """Events with their ids, and quarantine; the order in which rows were first met does not count."""
    snapshot = lake.snapshot()
    return [snapshot.events().collect().sort("id"), snapshot.quarantine().collect().sort("line", "reason", "raw")]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    lines=st.lists(line, max_size=12),
    ends=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
    size=st.sampled_from([64, 300, 1 << 20]),
    ids_are=st.sampled_from(["exact", "integer"]),
)
def test_every_line_becomes_what_the_careful_way_makes_of_it(
    lines: list[bytes],
    ends: bytes,
    last: bool,
    size: int,
    ids_are: Literal["exact", "integer"],
    tmp_path_factory: pytest.TempPathFactory,
    fast: None,
) -> None:
    folder = tmp_path_factory.mktemp("lanes")
    text = HEADER + ends.join(lines) + (ends if last else b"")
    (folder / "events.csv").write_bytes(text)
    source = EventSource(columns=ALL, order="file", ids=ids_are)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segue.data.ingest.ingest.BLOCK", size)
        lake, report = taken(folder, source, "fast")
        patch.setattr(choice, "BIG", 1 << 40)
        careful, expected = taken(folder, source, "careful")
    assert report == expected
    for found, wanted in zip(rows_of(lake), rows_of(careful), strict=True):
        assert found.drop("received").equals(wanted.drop("received"))
    for name in ("person_ids", "item_ids"):
        words, others = (set(each.snapshot().dictionary(name)["id"]) for each in (lake, careful))
        assert words == others, "rows that are refused bring no words"


@pytest.mark.slow
def test_epochs_are_read_as_the_careful_way_reads_them(tmp_path: Path, fast: None) -> None:
    cells = ["1767225600", "1767225600.5", "", "x", "99999999999999999999", "-5", "0", "1767225600000", "007"]
    text = "user,item,time\n" + "".join(f"u{row},i,{cell}\n" for row, cell in enumerate(cells))
    (tmp_path / "events.csv").write_text(text)
    for unit in ("s", "ms", "us", "ns"):
        source = EventSource(columns=EventColumns(user="user", item="item", time="time"), time_format=f"epoch_{unit}")
        lake, report = taken(tmp_path, source, f"fast-{unit}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choice, "BIG", 1 << 40)
            careful, expected = taken(tmp_path, source, f"careful-{unit}")
        assert report == expected
        for found, wanted in zip(rows_of(lake), rows_of(careful), strict=True):
            assert found.drop("received").equals(wanted.drop("received"))


def test_codes_go_on_where_the_lake_has_them(tmp_path: Path, fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    source = EventSource(columns=EventColumns(user="user", item="item"))
    monkeypatch.setattr(steps, "STEP", 50)
    lake = Lake(tmp_path / "lake")
    for start in (0, 60):
        text = "user,item\n" + "".join(f"u{row},i{row % 7}\n" for row in range(start, start + 100))
        (tmp_path / "events.csv").write_text(text)
        monkeypatch.setattr(choice, "BIG", 1 << 40 if start else 0)
        ingest_events(lake, source, [tmp_path / "events.csv"], tmp_path, NOW)
    snapshot = lake.snapshot()
    assert snapshot.dictionary("person_ids")["id"].to_list() == [f"u:u{row}" for row in range(160)]
    events = snapshot.events().collect()
    assert sorted(events["user"]) == sorted([f"u{row}" for row in [*range(100), *range(60, 160)]])


def test_the_same_big_file_twice_changes_nothing(tmp_path: Path, fast: None) -> None:
    source = EventSource(columns=EventColumns(user="user", item="item"))
    (tmp_path / "events.csv").write_text("user,item\n" + "".join(f"u{row},i\n" for row in range(1_000)))
    lake, first = taken(tmp_path, source, "lake")
    _, again = taken(tmp_path, source, "lake")
    assert (first.kept, again.kept, again.skipped) == (1_000, 0, True)
    assert lake.snapshot().events().collect().height == 1_000


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(1 << 40, 0), (0, 1 << 40)])
def test_a_file_broken_off_in_one_lane_is_finished_in_the_other(
    before: int, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their steps end at other lines, and no line comes twice or is left out."""
    source = EventSource(columns=EventColumns(user="user", item="item"))
    (tmp_path / "events.csv").write_text("user,item\n" + "".join(f"u{row},i{row % 7}\n" for row in range(1_000)))
    monkeypatch.setattr(steps, "STEP", 100)
    monkeypatch.setattr("segue.data.ingest.ingest.BLOCK", 1_700)
    monkeypatch.setattr(Part.blocks, "__defaults__", (1_100,))
    monkeypatch.setattr(choice, "BIG", before)
    lake, commits = Lake(tmp_path / "lake"), []
    whole = lake.tables["events"].append

    def cut_off(*said: Any) -> Any:
        commits.append(said)
        if len(commits) == 4:
            raise KeyboardInterrupt
        return whole(*said)

    monkeypatch.setattr(lake.tables["events"], "append", cut_off)
    with pytest.raises(KeyboardInterrupt):
        ingest_events(lake, source, [tmp_path / "events.csv"], tmp_path, NOW)
    monkeypatch.setattr(choice, "BIG", after)
    ingest_events(Lake(tmp_path / "lake"), source, [tmp_path / "events.csv"], tmp_path, NOW)
    users = Lake(tmp_path / "lake").snapshot().events().collect()["user"].to_list()
    assert sorted(users) == sorted(f"u{row}" for row in range(1_000))
