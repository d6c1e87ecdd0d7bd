"""A dictionary of the lake in memory, for coding many ids at once: the ids that it has, and those that are to come."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from segue.data.bulk.kernels import FNV_PRIME, FNV_START, encode, hashes, mark_odd, mark_words_for_nothing, move
from segue.data.lake.codes import Codes

Codings = npt.NDArray[np.int32]
START = 1 << 12  # words that there is room for at first


class Words:
    """Codes of ids as a hash table; a new id gets the next code, which `commit` makes the lake's.

    Several threads may use it. While one is in use, nobody else gives out codes of the same dictionary.
    """

    def __init__(self, codes: Codes | None = None) -> None:
        self._codes = codes
        self._lock = threading.Lock()
        self._slots = np.zeros((START * 2, 2), np.uint64)
        self._arena = np.zeros(START * 16, np.uint8)
        self._offsets = np.zeros(START, np.int64)
        self._count = self._committed = 0
        if codes is not None:
            self.of(codes.ids)
            self._committed = self._count

    def __len__(self) -> int:
        return self._count

    def of(self, ids: pl.Series) -> Codings:
        """int32 codes of ids; `kernels.NOTHING` where one is null."""
        found = [self._of(ids.slice(start, START * 64)) for start in range(0, len(ids), START * 64)]
        return np.concatenate(found) if found else np.empty(0, np.int32)

    def of_fields(
        self,
        text: npt.NDArray[np.uint8],
        starts: Codings,
        ends: Codings,
        odd: npt.NDArray[np.bool_],
        prefix: str = "",
    ) -> Codings:
        """int32 codes of fields of a text, `prefix` before each; `kernels.NOTHING` where one is empty or odd."""
        return self._encoded(text, starts, ends, odd, prefix.encode(), empty=False)

    def mark_odd(
        self,
        text: npt.NDArray[np.uint8],
        starts: Codings,
        ends: Codings,
        odd: npt.NDArray[np.bool_],
        prefix: str = "",
    ) -> None:
        """Mark in `odd` the fields that are not plainly ids; no code is given out for any."""
        if not mark_words_for_nothing(text, starts, ends, odd):
            return
        before = np.frombuffer(prefix.encode(), np.uint8)
        with self._lock:
            mark_odd(text, starts, ends, _hash(before), before, self._slots, self._arena, self._offsets, odd)

    def all(self) -> pl.Series:
        """The ids in the order of their codes."""
        return self.between(0, self._count)

    def between(self, first: int, last: int) -> pl.Series:
        """The ids with the codes from `first` up to, but not with, `last`."""
        begin, end = int(self._offsets[first]), int(self._offsets[last])
        offsets = (self._offsets[first : last + 1] - begin).astype(np.int32)
        text = self._arena[begin:end].tobytes()
        array = pa.Array.from_buffers(
            pa.string(), last - first, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text)]
        )
        series = pl.from_arrow(array)
        assert isinstance(series, pl.Series)
        return series

    def commit(self) -> None:
        """Put the ids that are new into the lake's dictionary: before rows that use their codes."""
        assert self._codes is not None
        with self._lock:
            first, last = self._committed, self._count
            new = self.between(first, last) if last > first else None
        if new is not None:
            self._codes.extend(new, first)
            self._committed = last

    def _of(self, ids: pl.Series) -> Codings:
        array = ids.fill_null("").to_arrow().cast(pa.large_string())
        _, offsets, data = array.buffers()
        places = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
        text, places = text[places[0] : places[-1]] if len(text) else text, (places - places[0]).astype(np.int32)
        odd = ids.is_null().to_numpy().astype(np.bool_)
        return self._encoded(text, places[:-1].copy(), places[1:].copy(), odd, b"", empty=True)

    def _encoded(
        self,
        text: npt.NDArray[np.uint8],
        starts: Codings,
        ends: Codings,
        odd: npt.NDArray[np.bool_],
        prefix: bytes,
        *,
        empty: bool,
    ) -> Codings:
        found = np.empty(len(starts), np.uint64)
        hashes(text, starts, ends, _hash(prefix), found)
        codes = np.empty(len(starts), np.int32)
        before = np.frombuffer(prefix, np.uint8)
        with self._lock:
            self._grow(len(starts), len(text) + len(starts) * len(prefix))
            self._count = encode(
                text, starts, ends, found, before, empty,
                self._slots, self._arena, self._offsets, self._count, codes, odd, np.zeros(1, np.uint64),
            )  # fmt: skip
        return codes

    def _grow(self, words: int, size: int) -> None:
        """Make room for this many words of this many bytes in all. What is being read from the old room stays there."""
        needed = self._count + words + 1
        if needed > len(self._offsets):
            self._offsets = _larger(self._offsets, needed)
        if self._offsets[self._count] + size > len(self._arena):
            self._arena = _larger(self._arena, int(self._offsets[self._count]) + size)
        if needed * 2 > len(self._slots):
            slots = np.zeros((1 << (needed * 2 - 1).bit_length(), 2), np.uint64)
            move(self._slots, slots)
            self._slots = slots


def _larger(room: npt.NDArray[Any], needed: int) -> npt.NDArray[Any]:
    larger = np.zeros(max(needed, len(room) * 3 // 2), room.dtype)
    larger[: len(room)] = room
    return larger


def _hash(prefix: bytes | npt.NDArray[np.uint8]) -> int:
    value = FNV_START
    for byte in prefix:
        value = ((value ^ int(byte)) * FNV_PRIME) % (1 << 64)
    return value


__all__ = ["Words"]
