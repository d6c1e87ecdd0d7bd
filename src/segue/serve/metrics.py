"""What the service counts, for Prometheus: each worker in its own slot of a shared file, summed when asked."""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segue.domain.errors import BusyError
from segue.serve.problems import KINDS

MEDIA_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
ROUTES = ("events", "surfaces", "decisions", "page", "system", "other")
STATUSES = (200, 303, *sorted({kind.status for kind in KINDS.values()}))
ALIVE_SECONDS = 5.0
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
COUNTS = {
    "events_new": ("segue_events_total", 'known="no"', "Events acknowledged, on disk."),
    "events_known": ("segue_events_total", 'known="yes"', "Events acknowledged, on disk."),
    "decisions": ("segue_decisions_total", 'repeated="no"', "Lists decided, or found by their request id."),
    "decisions_repeated": ("segue_decisions_total", 'repeated="yes"', "Lists decided, or found by their request id."),
    "fallbacks": ("segue_fallbacks_total", "", "Lists that were not personal, and said so."),
    "releases": ("segue_release_loads_total", "", "Releases that workers loaded."),
    "starts": ("segue_worker_starts_total", "", "Workers that started, and started again."),
}

_SLOT = np.dtype(
    [
        ("answers", np.int64, (len(ROUTES), len(STATUSES))),
        ("times", np.int64, (len(ROUTES), len(BUCKETS) + 1)),
        ("seconds", np.float64, (len(ROUTES),)),
        ("counts", np.int64, (len(COUNTS),)),
        ("beat", np.float64, ()),
    ]
)
_ROUTE = {route: place for place, route in enumerate(ROUTES)}
_STATUS = {status: place for place, status in enumerate(STATUSES)}
_COUNT = {name: place for place, name in enumerate(COUNTS)}


class Board:
    """The shared file, made before the workers are, with slots for two generations of them. A worker that is started
    again takes over a free slot with what it holds, so that counters never fall."""

    def __init__(self, workers: int = 1, path: Path | None = None) -> None:
        self._workers = workers
        self._count = 2 * workers
        self.path = path or _temporary()
        size = self._count * _SLOT.itemsize
        self._file = os.open(self.path, os.O_RDWR)
        if os.fstat(self._file).st_size < size:
            os.truncate(self._file, size)
        self._map = mmap.mmap(self._file, size)
        self.slots: npt.NDArray[np.void] = np.frombuffer(self._map, _SLOT)

    def __reduce__(self) -> tuple[type[Board], tuple[int, Path]]:
        """Sent to another process, it is the same file."""
        return Board, (self._workers, self.path)

    def claim(self) -> Counters:
        """A slot that no living worker has: the lock of its first byte goes with the process that took it."""
        for slot in range(self._count):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            return Counters(self.slots[slot])
        raise BusyError(
            f"all {self._count} slots of the counters are taken", mend="stop the service and start it again"
        )

    def alive(self) -> int:
        """How many workers gave a sign of life lately."""
        return int((self.slots["beat"] > time.time() - ALIVE_SECONDS).sum())


def _temporary() -> Path:
    handle, path = tempfile.mkstemp(prefix="segue-counters-")
    os.close(handle)
    return Path(path)


class Counters:
    """What one worker counts."""

    def __init__(self, slot: np.void) -> None:
        self._slot = slot
        self._answers, self._times = slot["answers"], slot["times"]
        self._seconds, self._counts = slot["seconds"], slot["counts"]

    def answered(self, route: str, status: int, seconds: float) -> None:
        """One request answered."""
        row = _ROUTE[route]
        self._answers[row, _STATUS[status]] += 1
        self._times[row, bisect_left(BUCKETS, seconds)] += 1
        self._seconds[row] += seconds

    def beat(self) -> None:
        """This worker is alive."""
        self._slot["beat"] = time.time()

    def count(self, name: str, by: int = 1) -> None:
        """One of `COUNTS` grew."""
        self._counts[_COUNT[name]] += by


def exposition(board: Board, gauges: Mapping[str, tuple[float, str]]) -> bytes:
    """All counters of all workers in Prometheus' text format; `gauges` are name -> (value, help)."""
    lines = [*_requests(board.slots), *_durations(board.slots), *_counts(board.slots)]
    for name, (value, text) in gauges.items():
        lines += [*_header(name.partition("{")[0], "gauge", text), f"{name} {value:.15g}"]
    return ("\n".join(lines) + "\n").encode()


def _header(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _requests(slots: npt.NDArray[np.void]) -> Iterator[str]:
    name = "segue_requests_total"
    yield from _header(name, "counter", "Requests answered, by route and status.")
    answers = slots["answers"].sum(axis=0)
    for row, column in np.argwhere(answers):
        yield f'{name}{{route="{ROUTES[row]}",status="{STATUSES[column]}"}} {answers[row, column]}'


def _durations(slots: npt.NDArray[np.void]) -> Iterator[str]:
    name = "segue_request_seconds"
    yield from _header(name, "histogram", "From the first byte of a request to its answer, by route.")
    times, seconds = slots["times"].sum(axis=0).cumsum(axis=1), slots["seconds"].sum(axis=0)
    for row, route in enumerate(ROUTES):
        for column, bound in enumerate([*map(str, BUCKETS), "+Inf"]):
            yield f'{name}_bucket{{route="{route}",le="{bound}"}} {times[row, column]}'
        yield f'{name}_sum{{route="{route}"}} {seconds[row]:.6f}'
        yield f'{name}_count{{route="{route}"}} {times[row, -1]}'


def _counts(slots: npt.NDArray[np.void]) -> Iterator[str]:
    totals = slots["counts"].sum(axis=0)
    told = ""
    for place, (name, label, text) in enumerate(COUNTS.values()):
        if name != told:
            yield from _header(name, "counter", text)
            told = name
        yield f"{name}{{{label}}} {totals[place]}" if label else f"{name} {totals[place]}"
