"""Preparing: cached by content, memory-mapped, whole or not at all, in bounded memory."""

from __future__ import annotations

import os
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.domain import columns
from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.engines import drafts, local
from segue.engines.engine import INTERACTIONS, Key
from segue.engines.local import LocalEngine, Prepared, Table, histories
from segue.testing.datasets import empty, mixed, shuffled, table


def test_a_prepared_dataset_is_memory_mapped_and_read_only(tmp_path: Path) -> None:
    dataset = LocalEngine(tmp_path).prepare(mixed(), Key.USER)
    assert isinstance(dataset, Prepared)
    items = dataset.arrays[columns.ITEM]
    assert isinstance(items.base, np.memmap)
    assert not items.flags.writeable


def test_a_second_engine_takes_it_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = LocalEngine(tmp_path).prepare(mixed(), Key.ITEM)
    monkeypatch.setattr(local, "scatter", lambda *_: pytest.fail("prepared again"))
    second = LocalEngine(tmp_path).prepare(mixed(), Key.ITEM)
    assert second.fingerprint == first.fingerprint
    assert [folder.name for folder in tmp_path.iterdir()] == [f"{mixed().fingerprint}-item"]


@pytest.mark.parametrize("damaged", ["meta.json", "offsets.npy", "item.npy"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damaged: str) -> None:
    LocalEngine(tmp_path).prepare(mixed(), Key.USER)
    path = tmp_path / f"{mixed().fingerprint}-user" / damaged
    path.write_bytes(path.read_bytes()[:-9])
    again = LocalEngine(tmp_path).prepare(mixed(), Key.USER)
    assert np.array_equal(histories(again).items, histories(LocalEngine().prepare(mixed(), Key.USER)).items)


def test_an_interrupted_prepare_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(local.np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalEngine(tmp_path).prepare(mixed(), Key.USER)
    assert list(tmp_path.iterdir()) == []


def test_a_draft_of_a_killed_process_goes_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / f"{drafts.PREFIX}old", tmp_path / f"{drafts.PREFIX}new"
    for draft in (old, new):
        draft.mkdir()
        (draft / "half.npy").write_bytes(b"x")
    os.utime(old, (0, 0))
    LocalEngine(tmp_path).prepare(mixed(), Key.USER)
    assert not old.exists()
    assert new.exists()


def test_two_that_prepare_at_once_both_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scatter = local.scatter

    def while_another_does(*arguments: Any) -> Any:
        monkeypatch.setattr(local, "scatter", scatter)
        LocalEngine(tmp_path).prepare(mixed(), Key.USER)
        return scatter(*arguments)

    monkeypatch.setattr(local, "scatter", while_another_does)
    assert LocalEngine(tmp_path).prepare(mixed(), Key.USER).rows == mixed().rows
    assert [folder.name for folder in tmp_path.iterdir()] == [f"{mixed().fingerprint}-user"]


def test_what_another_finished_in_the_meantime_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, opened = tmp_path / f"{mixed().fingerprint}-user", local._opened
    made: list[int] = []

    def after_which_another_finishes(*arguments: Any) -> Any:
        monkeypatch.setattr(local, "_opened", opened)
        found = opened(*arguments)
        LocalEngine(tmp_path).prepare(mixed(), Key.USER)
        made.append(os.stat(folder).st_ino)
        return found

    monkeypatch.setattr(local, "_opened", after_which_another_finishes)
    assert LocalEngine(tmp_path).prepare(mixed(), Key.USER).rows == mixed().rows
    assert [os.stat(folder).st_ino] == made


@pytest.mark.slow
def test_many_that_prepare_in_a_small_cache_all_get_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "KEPT_ON_DISK", 1)
    seeds = [seed % 4 for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: LocalEngine(tmp_path, threads=1).prepare(mixed(seed), Key.USER), seeds))
    for seed, prepared in zip(seeds, found, strict=True):
        expected = histories(LocalEngine().prepare(mixed(seed), Key.USER))
        assert np.array_equal(histories(prepared).items, expected.items)


def test_a_cache_that_cannot_be_read_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_opened", lambda *_: None)
    with pytest.raises(DataError, match="the prepared data cannot be read back"):
        LocalEngine(tmp_path).prepare(mixed(), Key.USER)


def test_the_cache_keeps_what_was_last_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "KEPT_ON_DISK", 2)
    first, second, third = (mixed(seed) for seed in range(3))
    for age, dataset in ((30, first), (20, second)):
        LocalEngine(tmp_path).prepare(dataset, Key.USER)
        past = time.time() - age
        os.utime(tmp_path / f"{dataset.fingerprint}-user", (past, past))
    LocalEngine(tmp_path).prepare(first, Key.USER)
    LocalEngine(tmp_path).prepare(third, Key.USER)
    assert {folder.name for folder in tmp_path.iterdir()} == {f"{kept.fingerprint}-user" for kept in (first, third)}


def test_memory_is_bounded_by_the_bucket_and_not_by_the_rows(tmp_path: Path) -> None:
    rows = 400_000
    random = np.random.default_rng(0)
    dataset = table(random.integers(0, 5_000, rows), random.integers(0, 50, rows), 5_000, [str(i) for i in range(50)])
    tracemalloc.start()
    LocalEngine(tmp_path, threads=1, bucket_rows=10_000).prepare(dataset, Key.USER)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000  # the rows are 11.6 MB, and a sort of all would hold several copies


def test_the_prepared_row_is_in_the_order_of_time_and_then_of_the_source() -> None:
    dataset = table(np.array([0, 0, 0, 0]), np.array([3, 2, 1, 0]), 1, list("abcd"), times=np.array([9, 5, 9, 5]))
    assert histories(LocalEngine().prepare(dataset, Key.USER)).items.tolist() == [2, 0, 3, 1]


def test_equal_fingerprints_mean_equal_content() -> None:
    assert mixed().fingerprint == mixed().fingerprint
    assert mixed().fingerprint != shuffled(mixed()).fingerprint
    assert mixed().fingerprint != Table(mixed().table, mixed().items, mixed().users + 1, ("view", "buy")).fingerprint
    renamed = Items([f"x{item}" for item in mixed().items.ids])
    assert mixed().fingerprint != Table(mixed().table, renamed, mixed().users, ("view", "buy")).fingerprint


def test_histories_have_a_row_for_everybody_and_are_no_copies(tmp_path: Path) -> None:
    dataset = LocalEngine(tmp_path).prepare(mixed(), Key.USER)
    assert isinstance(dataset, Prepared)
    found = histories(dataset)
    assert len(found) == mixed().users
    assert np.shares_memory(found.items, dataset.arrays[columns.ITEM])
    last = histories(dataset, np.array([mixed().users - 1, 0]))
    assert np.diff(last.offsets).tolist() == [0, int(found.offsets[1])]


def test_histories_of_another_keyed_dataset_are_the_same() -> None:
    class Elsewhere:
        def __init__(self, source: Prepared) -> None:
            self.source = source

        def __getattr__(self, name: str) -> object:
            return getattr(self.source, name)

    dataset = LocalEngine().prepare(mixed(), Key.USER)
    assert isinstance(dataset, Prepared)
    here, there = histories(dataset), histories(Elsewhere(dataset))  # type: ignore[arg-type]
    for name in ("offsets", "items", "weights", "times", "types"):
        assert np.array_equal(getattr(here, name), getattr(there, name))


def test_histories_of_what_is_not_prepared_are_refused() -> None:
    with pytest.raises(DataError, match=r"keyed by nothing.*\n.*prepare\(dataset, Key.USER\)"):
        histories(mixed())


def test_the_fold_of_nothing_is_init() -> None:
    from segue.learn.gram import ItemCounts

    assert LocalEngine().fold(ItemCounts(), empty())["totals"].tolist() == [0, 0]


@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf, -0.5])
def test_bad_weights_are_refused_with_their_row(weight: float) -> None:
    with pytest.raises(DataError, match="row 2, column weight: expected a finite weight of at least 0"):
        Table.of(["a", "b", "c"], ["x", "y", "z"], weights=[1, 0, weight])


def test_codes_outside_of_the_vocabulary_are_refused_with_their_row() -> None:
    with pytest.raises(DataError, match="row 1, column item: expected a code from 0 to 1, found 7"):
        table(np.array([0, 0]), np.array([1, 7]), 1, ["a", "b"])
    with pytest.raises(DataError, match="row 0, column user"):
        table(np.array([-1]), np.array([0]), 1, ["a", "b"])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="no column time"):
        Table(mixed().table.drop_columns([columns.TIME]), mixed().items, mixed().users)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(-3, 3)), max_size=40),
    st.integers(1, 9),
    st.sampled_from(list(Key)),
)
def test_scattering_is_sorting(rows: list[tuple[int, int, int]], bucket_rows: int, key: Key) -> None:
    who, what, when = (np.array([row[at] for row in rows], np.int64) for at in range(3))
    dataset = table(who, what, 5, list("abcd"), times=when)
    prepared = LocalEngine(bucket_rows=bucket_rows).prepare(dataset, key)
    found = pa.Table.from_batches([b for part in prepared.partitions(3) for b in part], schema=INTERACTIONS)
    expected = dataset.table.sort_by([(key.value, "ascending"), ("time", "ascending"), ("order", "ascending")])
    assert found.equals(expected)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(-3, 3)), max_size=120),
    st.integers(1, 90),
    st.sampled_from(list(Key)),
)
def test_the_compiled_sort_is_the_same(rows: list[tuple[int, int, int]], bucket_rows: int, key: Key) -> None:
    who, what, when = (np.array([row[at] for row in rows], np.int64) for at in range(3))
    dataset = table(who, what, 5, list("abcd"), times=when)
    plain = LocalEngine(bucket_rows=bucket_rows).prepare(dataset, key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segue.engines.scatter.COMPILED_ROWS", 0)
        compiled = LocalEngine(bucket_rows=bucket_rows).prepare(dataset, key)
    found, expected = (
        pa.Table.from_batches([b for part in each.partitions(3) for b in part], schema=INTERACTIONS)
        for each in (compiled, plain)
    )
    assert found.equals(expected)
