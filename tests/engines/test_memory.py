"""Pages of mapped columns that were let go count for the system, and hold what was written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from segue.engines.local import file_columns
from segue.engines.memory import give_back, let_go


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much of a mapping is in memory")
def test_what_was_written_is_let_go_and_still_there(tmp_path: Path) -> None:
    column = file_columns(tmp_path)("times", 1_000_000, np.dtype(np.int64))
    column[:] = np.arange(1_000_000)
    before = resident_kb(tmp_path / "times.npy")
    let_go([column, np.arange(3)])
    assert before >= 7_800 > 100 > resident_kb(tmp_path / "times.npy")
    assert (column == np.arange(1_000_000)).all()
    give_back()
    assert (np.load(tmp_path / "times.npy") == column).all()


def resident_kb(path: Path) -> int:
    """How much of a mapped file counts as memory of this process."""
    told = Path("/proc/self/smaps").read_text()
    found = re.findall(rf"{re.escape(str(path))}\n(?:[A-Z]\w+:.*\n)*?Rss: +(\d+) kB", told)
    return sum(map(int, found))
