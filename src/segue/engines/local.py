"""The engine of one machine: threads over partitions, prepared datasets memory-mapped and cached by content."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.engines.drafts import drafting, locked
from segue.engines.engine import INTERACTIONS, Aggregate, BatchFunction, Dataset, Key, State
from segue.engines.mapped import Mapped, kept
from segue.engines.prepared import Prepared, histories
from segue.engines.scatter import BUCKET_ROWS, scatter
from segue.engines.table import Table

ATTEMPTS = 3  # at a prepared dataset that others remove while it is made
KEPT = 4  # prepared datasets that an engine remembers
KEPT_ON_DISK = 12  # prepared datasets that a cache folder holds

Part = TypeVar("Part")
Result = TypeVar("Result")


class LocalEngine:
    """Runs the three verbs in threads of this process.

    cache       where prepared datasets are kept, `<fingerprint>-<key>` each; in memory where None
    partitions  how many parts a fold or a map works on; as many as threads where None
    threads     as many as this process may use cores where None
    bucket_rows how many rows a sort holds in memory at a time

    >>> engine = LocalEngine()
    >>> by_item = engine.prepare(Table.of(["ann", "bob", "ann"], ["x", "x", "y"]), Key.ITEM)
    >>> by_item.offsets.tolist()
    [0, 2, 3]
    """

    def __init__(
        self,
        cache: Path | None = None,
        partitions: int | None = None,
        threads: int | None = None,
        bucket_rows: int = BUCKET_ROWS,
    ) -> None:
        self.cache = cache
        self.threads = threads or len(os.sched_getaffinity(0))
        self.partitions = partitions or self.threads
        self.bucket_rows = bucket_rows
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        self._preparing = threading.Lock()

    def prepare(self, dataset: Dataset, key: Key) -> Dataset:
        """The dataset sorted by (key, time, order); made once, then taken from memory or from the cache folder."""
        if dataset.key is key:
            return dataset
        name = f"{dataset.fingerprint}-{key.value}"
        with self._preparing:
            prepared = self._kept.get(name) or self._made(dataset, key, name)
            self._kept[name] = prepared
            self._kept.move_to_end(name)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return replace(prepared, source=dataset)  # the same rows, with the catalog of today

    def fold(self, aggregate: Aggregate[State], dataset: Dataset) -> State:
        """Each part in a thread from its own `init()`; the states merge as they come, in order."""
        if aggregate.key is not None:
            dataset = self.prepare(dataset, aggregate.key)

        def fold_part(part: Iterator[pa.RecordBatch]) -> State:
            state = aggregate.init()
            for batch in part:
                state = aggregate.update(state, batch)
            return state

        states = self._each(fold_part, dataset.partitions(self.partitions, aggregate.columns))
        whole = next(states, None)
        if whole is None:
            return aggregate.init()
        for state in states:
            whole = aggregate.merge(whole, state)
        return whole

    def map(self, function: BatchFunction, dataset: Dataset) -> Dataset:
        """Each part in a thread; the batches that come out are kept in the order of those that went in.

        With a cache folder, results that are large lie there, memory-mapped, for as long as they are used.
        """

        def map_part(part: Iterator[pa.RecordBatch]) -> list[pa.RecordBatch]:
            return kept(map(function, part), self.cache)

        parts = self._each(map_part, dataset.partitions(self.partitions))
        batches = [batch for part in parts for batch in part]
        schema = batches[0].schema if batches else function(_empty(dataset.schema)).schema
        return Mapped(batches, schema, dataset)

    def _each(self, function: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
        if self.threads == 1 or len(parts) == 1:
            yield from map(function, parts)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            yield from pool.map(function, parts)

    def _made(self, dataset: Dataset, key: Key, name: str) -> Prepared:
        if self.cache is None:
            offsets, arrays = scatter(dataset, key, lambda _, rows, dtype: np.empty(rows, dtype), self.bucket_rows)
            return _prepared(dataset, key, offsets, arrays)
        folder = self.cache / name
        prepared = _opened(folder, dataset, key)
        for _ in range(ATTEMPTS):
            prepared = prepared or self._written(dataset, key, folder)
        if prepared is None:
            raise DataError(
                "the prepared data cannot be read back",
                where=str(folder),
                mend="does something else remove files there? look, and run the same command again",
            )
        return prepared

    def _written(self, dataset: Dataset, key: Key, folder: Path) -> Prepared | None:
        """What is under its name is never half-written; where two write it at once, the second takes the first's."""
        with drafting(folder.parent) as draft:
            offsets, arrays = scatter(dataset, key, file_columns(draft), self.bucket_rows)
            np.save(draft / "offsets.npy", offsets)
            for array in arrays.values():
                if isinstance(array, np.memmap):
                    array.flush()
            (draft / "meta.json").write_text(json.dumps({"rows": int(offsets[-1])}))
            with locked(folder.parent):
                prepared = _opened(folder, dataset, key)
                if prepared is None:
                    shutil.rmtree(folder, ignore_errors=True)  # damaged, if it is there at all
                    draft.rename(folder)
                    prepared = _opened(folder, dataset, key)
                _forget_oldest(folder.parent)
        return prepared


def _forget_oldest(cache: Path) -> None:
    """Keep the prepared datasets that were last used; a process that has one mapped keeps it."""
    prepared = [meta.parent for key in Key for meta in cache.glob(f"*-{key.value}/meta.json")]
    for folder in sorted(prepared, key=lambda folder: folder.stat().st_mtime)[:-KEPT_ON_DISK]:
        shutil.rmtree(folder, ignore_errors=True)


def file_columns(folder: Path) -> Callable[[str, int, np.dtype[Any]], npt.NDArray[Any]]:
    """What makes columns for `scatter`, each a mapped file in a folder."""

    def allocate(name: str, rows: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        path = folder / f"{name}.npy"
        if rows == 0:  # an empty file cannot be mapped
            np.save(path, np.empty(0, dtype))
            return np.empty(0, dtype)
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(rows,))
        _reserve(path)
        return array

    return allocate


def _reserve(path: Path) -> None:
    """Have room for a mapped file, or raise `OSError`: a page that finds none when it is written ends the process."""
    if hasattr(os, "posix_fallocate"):  # macOS has none
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _opened(folder: Path, dataset: Dataset, key: Key) -> Prepared | None:
    """The prepared dataset in this folder, or None where there is none or it is not whole."""
    try:
        rows = json.loads((folder / "meta.json").read_text())["rows"]
        os.utime(folder)  # used now: see `_forget_oldest`
        offsets = np.load(folder / "offsets.npy")
        mode: Literal["r"] | None = "r" if rows else None  # an empty file cannot be mapped
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode=mode).view(np.ndarray) for name in INTERACTIONS.names}
    except (OSError, ValueError, KeyError):
        return None
    keys = dataset.users if key is Key.USER else len(dataset.items)
    whole = len(offsets) == keys + 1 and offsets[-1] == rows and all(len(array) == rows for array in arrays.values())
    return _prepared(dataset, key, offsets, arrays) if whole else None


def _prepared(
    dataset: Dataset, key: Key, offsets: npt.NDArray[np.int64], arrays: dict[str, npt.NDArray[Any]]
) -> Prepared:
    name = f"{dataset.fingerprint}-{key.value}"
    return Prepared(offsets, arrays, key, dataset.items, dataset.users, dataset.types, name)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


__all__ = ["Items", "LocalEngine", "Prepared", "Table", "histories"]
