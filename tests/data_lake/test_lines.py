"""Events by line come into the lake as the same events spelled out do, in the order of time, or are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.data.lake.lake import Appended, Lake
from segue.data.lake.lines import LINE, id_of, spelled

BATCH = "0123456789abcdef" * 3
NOW = datetime(2026, 11, 21, tzinfo=UTC)
KINDS = pl.Enum(["view", "cart"])


def by_line(minutes: list[int], first: int = 2) -> pl.DataFrame:
    """Events so many minutes after the first of November, of types in turn."""
    lines = range(first, first + len(minutes))
    frame = pl.DataFrame(
        {
            LINE: lines,
            "type": ["view" if line % 2 else "cart" for line in lines],
            "time": [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=each) for each in minutes],
            "value": [None if line % 3 else line / 4 for line in lines],
            "received": [NOW] * len(minutes),
        },
        schema={
            LINE: pl.Int64,
            "type": KINDS,
            "time": pl.Datetime("us", "UTC"),
            "value": pl.Float64,
            "received": pl.Datetime("us", "UTC"),
        },
    )
    return frame.with_columns(user_code=pl.lit(0, pl.Int32), item_code=pl.lit(0, pl.Int32))


def lake_in(folder: Path) -> Lake:
    """A lake that knows one person and one item."""
    lake = Lake(folder)
    with lake.writer():
        lake.people_coded.encode(pl.Series(["u:ann"]))
        lake.items_coded.encode(pl.Series(["x"]))
    return lake


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(minutes=st.lists(st.integers(-5_000, 90_000_000), max_size=30))
def test_they_are_the_events_that_they_spell(minutes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("lines")
    events, (fast, plain) = by_line(minutes), (lake_in(folder / "fast"), lake_in(folder / "plain"))
    assert fast.append_events(events, f"{BATCH}.f0") == Appended(len(minutes), 0)
    assert plain.append_events(spelled(events, f"{BATCH}.f0"), f"{BATCH}.f0") == Appended(len(minutes), 0)
    found, wanted = (lake.snapshot().events().sort("id").collect() for lake in (fast, plain))
    assert found.equals(wanted)
    stats = [_said(lake) for lake in (fast, plain)]
    assert stats[0].equals(stats[1])
    for file in fast.snapshot().files:
        assert pl.read_parquet(file.path)["time"].is_sorted()
        assert str(pq.read_schema(file.path).field("type").type) == "string"


def _said(lake: Lake) -> pl.DataFrame:
    """What the log says of the files, but for their names and sizes."""
    files = lake.tables["events"].files()
    told = [name for name in files.columns if name.startswith(("min.", "max.", "null", "num_", "partition"))]
    return files.select(sorted(told)).sort("partition.day") if told else files


def test_the_same_lines_under_another_batch_are_known(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    lake.append_events(by_line([1, 2, 3]), f"{BATCH}.f0")
    again = BATCH[:16] + "f" * 32
    assert lake.append_events(by_line([1, 2, 3, 4]), again) == Appended(1, 3)
    assert lake.snapshot().events_count == 4


def test_a_line_that_came_with_others_among_many_ids_is_known(tmp_path: Path) -> None:
    """The index of ids knows files of many beginnings id by id: one beginning alone tells nothing of them."""
    lake = lake_in(tmp_path)
    ids = [id_of(3, BATCH), *(f"{number:04}-of-another-kind" for number in range(50))]
    lake.append_events(
        pl.DataFrame({"id": ids}).with_columns(user=pl.lit("ann"), item=pl.lit("x"), type=pl.lit("view")), "others"
    )
    assert lake.append_events(by_line([1, 2, 3]), f"{BATCH}.f0") == Appended(2, 1)


def test_several_batches_at_once_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    lake = lake_in(tmp_path)
    batches = {f"{BATCH}.f0": by_line([1, 2, 3]), BATCH[:16] + "f" * 32: by_line([1, 2, 3, 4])}
    assert list(lake.take("events", batches).values()) == [Appended(3, 0), Appended(1, 3)]
