"""A process that drains a folder again and again, in many small steps, until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from segue.data.histories import state as histories
from segue.data.histories.state import UserState
from segue.data.journal import drain as draining
from segue.data.journal import journal as journaling
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake import tables
from segue.data.lake.lake import Lake


def main(folder: Path) -> None:
    draining.AT_ONCE = 150
    draining.DECISIONS_AT_ONCE = 20
    tables.SMALL_FILES = 6
    journaling.TRIMMED_AT_ONCE = 100
    histories.BEHIND_AT_LEAST = 200
    histories.BEHIND_SHARE = 0.0
    journal = SQLiteJournal(folder / "journal")
    lake, state = Lake(folder / "lake"), UserState(folder, journal=journal)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    while True:
        draining.drain(lake, journal, state)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
