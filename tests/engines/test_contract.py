"""The local engine under the contract suite, in memory and memory-mapped, with tiny buckets and with one thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.engines import mapped, prepared
from segue.engines.local import LocalEngine
from segue.testing import check_engine


def test_in_memory() -> None:
    check_engine(lambda partitions: LocalEngine(partitions=partitions))


def test_memory_mapped(tmp_path: Path) -> None:
    check_engine(lambda partitions: LocalEngine(tmp_path, partitions=partitions))


def test_results_of_maps_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "SPILL_BYTES", 0)
    check_engine(lambda partitions: LocalEngine(tmp_path, partitions=partitions))
    assert not list(tmp_path.glob(".map-*"))


def test_one_thread(tmp_path: Path) -> None:
    check_engine(lambda partitions: LocalEngine(tmp_path, partitions=partitions, threads=1))


@pytest.mark.parametrize("bucket_rows", [1, 50])
def test_buckets_smaller_than_the_data(bucket_rows: int) -> None:
    check_engine(lambda partitions: LocalEngine(partitions=partitions, bucket_rows=bucket_rows))


def test_batches_smaller_than_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "BATCH_ROWS", 3)
    check_engine(lambda partitions: LocalEngine(partitions=partitions))
