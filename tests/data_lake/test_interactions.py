"""Interactions: the rows that weigh something, the same whatever the partition, streamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.interactions import NO_ORDER, Interactions, interactions, weigh
from segue.data.lake import pieces
from segue.data.lake.lake import Lake
from segue.data.settings import EventSource
from segue.domain.errors import DataError
from segue.domain.requests import NO_TIME
from segue.engines.engine import INTERACTIONS, Key
from segue.engines.local import LocalEngine
from tests.data_lake.world import START, dataset, frame, moment


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def rows_of(data: Interactions, count: int = 1) -> list[dict[str, object]]:
    batches = [batch for part in data.partitions(count) for batch in part]
    return pa.Table.from_batches(batches, schema=INTERACTIONS).to_pylist()


def test_what_comes_out_of_one_event(lake: Lake) -> None:
    lake.append_events(frame([{"user": "ann", "visitor": "v", "item": "x", "type": "buy", "time": moment(1)}]), "b")
    data = dataset(lake)
    row = {"user": 0, "item": 0, "type": 0, "weight": 1.0, "time": 1_772_366_460_000_000, "order": NO_ORDER}
    assert rows_of(data) == [row]
    assert (data.types, data.rows, data.users, data.items.ids) == (("buy",), 1, 2, ("x",))
    assert data.schema == INTERACTIONS
    assert data.key is None


def test_what_is_left_out(lake: Lake) -> None:
    lake.append_events(
        frame(
            [
                {"user": "a", "item": "x", "value": 2.0},
                {"user": "a", "item": None, "value": 2.0},
                {"user": None, "item": "x", "value": 2.0},
                {"user": "a", "item": "x", "value": 0.0},
                {"user": "a", "item": "x", "value": -1.0},
                {"user": "a", "item": "x", "value": float("nan")},
                {"user": "a", "item": "x", "value": float("inf")},
                {"user": "a", "item": "x", "value": 1e300},
                {"user": "a", "item": "x", "value": None},
                {"user": "a", "item": "x", "value": 2.0, "type": "impression"},
                {"user": "a", "item": "x", "value": 2.0, "type": "return"},
                {"visitor": "a", "item": "x", "value": 3.0},
            ]
        ),
        "b",
    )
    source = EventSource(weight="value", types={"view": 2.0, "return": 0.0})
    data = dataset(lake, source)
    assert [(row["user"], row["weight"]) for row in rows_of(data)] == [(0, 4.0), (1, 6.0)]
    assert (data.rows, data.types) == (2, ("view",))
    plain = dataset(lake, EventSource(types={"return": 0.0}))
    assert {row["weight"] for row in rows_of(plain)} == {1.0}
    assert plain.rows == 8


def test_no_time_and_no_order(lake: Lake) -> None:
    lake.append_events(frame([{"user": "a", "item": "x"}, {"user": "a", "item": "y", "order": 5}]), "b")
    assert [(row["time"], row["order"]) for row in rows_of(dataset(lake))] == [(NO_TIME, NO_ORDER), (NO_TIME, 5)]


def test_an_empty_lake_and_one_where_nothing_weighs(lake: Lake) -> None:
    for _ in range(2):
        data = dataset(lake)
        assert (data.rows, data.types, data.partitions(3)) == (0, (), []) or rows_of(data) == []
        assert LocalEngine().prepare(data, Key.USER).rows == 0
        lake.append_events(frame([{"user": "a", "item": "x", "type": "impression"}]), "b")


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(-3, 9), st.sampled_from("abc")), max_size=40)
)
def test_the_same_rows_whatever_the_partition(tmp_path_factory, events) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    rows = [{"user": f"u{u}", "item": f"i{i}", "value": float(v), "type": t} for u, i, v, t in events]
    half = len(rows) // 2
    lake.append_events(frame(rows[:half]), "b1")
    lake.append_events(frame([{"id": f"second{n}", **row} for n, row in enumerate(rows[half:])]), "b2")
    data = dataset(lake, EventSource(weight="value", types={"c": 0.0}))
    whole = rows_of(data)
    names = lake.snapshot().person_ids, lake.snapshot().item_ids
    found = [(names[0][row["user"]], names[1][row["item"]], row["weight"], data.types[row["type"]]) for row in whole]
    assert found == [(f"u:u{u}", f"i{i}", float(v), t) for u, i, v, t in events if v > 0 and t != "c"]
    assert data.rows == len(whole)
    for count in (2, 3, 7):
        assert rows_of(data, count) == whole
        assert len(data.partitions(count)) <= count


def test_columns_may_be_chosen(lake: Lake) -> None:
    lake.append_events(frame([{"user": "a", "item": "x", "time": moment(1)}]), "b")
    for chosen in (["item"], ["time", "user"], ["weight", "type", "order"]):
        batch = next(dataset(lake).partitions(1, chosen)[0])
        assert batch.schema.names == chosen
        assert batch.schema == pa.schema([INTERACTIONS.field(name) for name in chosen])


def test_batches_choose_files(lake: Lake) -> None:
    lake.append_events(frame([{"id": "1", "user": "a", "item": "x"}]), "train")
    lake.append_events(frame([{"id": "2", "user": "a", "item": "y"}]), "test")
    snapshot = lake.snapshot()
    parts = {name: interactions(snapshot, EventSource(), batches=[name]) for name in ("train", "test")}
    assert [row["item"] for row in rows_of(parts["train"])] == [0]
    assert [row["item"] for row in rows_of(parts["test"])] == [1]
    assert parts["train"].items == parts["test"].items
    assert parts["train"].fingerprint != parts["test"].fingerprint != interactions(snapshot, EventSource()).fingerprint


def test_as_of(lake: Lake) -> None:
    lake.append_events(frame([{"user": "a", "item": f"i{n}", "received": moment(n)} for n in range(5)]), "b")
    assert interactions(lake.snapshot(moment(2)), EventSource()).rows == 3


def test_fingerprints_name_content(lake: Lake) -> None:
    lake.append_events(frame([{"user": "a", "item": "x"}]), "b")
    first = dataset(lake)
    assert first.fingerprint == dataset(lake).fingerprint
    assert first.fingerprint != dataset(lake, EventSource(types={"view": 2.0})).fingerprint
    assert first.fingerprint != dataset(lake, EventSource(weight="value")).fingerprint
    lake.append_events(frame([{"id": "other", "user": "a", "item": "x"}]), "c")
    assert first.fingerprint != dataset(lake).fingerprint


def test_the_count_is_remembered(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append_events(frame([{"user": "a", "item": "x"}]), "b")
    assert dataset(lake, cache=tmp_path / "cache").rows == 1
    monkeypatch.setattr(pq, "ParquetFile", None)
    again = dataset(lake, cache=tmp_path / "cache")
    assert (again.rows, again.types) == (1, ("view",))


def test_too_many_types_are_refused(lake: Lake) -> None:
    lake.append_events(frame([{"user": "a", "item": "x", "type": f"t{n}"} for n in range(200)]), "b")
    with pytest.raises(DataError, match="200 event types weigh something"):
        _ = dataset(lake).rows


def test_parts_are_about_equal_and_files_are_read_a_batch_at_a_time(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "ROW_GROUP", 1_000)
    many = 20_000
    lake.append_events(
        pl.DataFrame({"id": [f"e{n}" for n in range(many)], "type": "view"}).with_columns(
            user=pl.lit("a"), item=pl.lit("x"), received=pl.lit(START), order=pl.int_range(many)
        ),
        "b",
    )
    parts = dataset(lake).partitions(4, ["order"])
    sizes = [[batch.num_rows for batch in part] for part in parts]
    assert [sum(part) for part in sizes] == [5_000] * 4
    orders = np.concatenate([b.column(0).to_numpy() for part in dataset(lake).partitions(4, ["order"]) for b in part])
    np.testing.assert_array_equal(orders, np.arange(many))


@pytest.mark.parametrize("amount", [None, 0.5])
def test_weigh(amount: float | None) -> None:
    source = EventSource(types={"buy": 3.0, "seen": 0.0})
    amounts = None if amount is None else np.full(4, amount)
    found = weigh(source, ("buy", "seen", "view"), np.array([0, 1, 2, -1], np.int8), amounts)
    assert found.dtype == np.float32
    assert found.tolist() == [3.0 * (amount or 1), 0.0, 1.0 * (amount or 1), 0.0]
