"""A process that starts workers and kills them: each word that it reads is a step of a lake, done until it is killed.

It imports all that they need but starts no thread, so that a worker is there in a few milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from segue.data.histories import state as histories
from segue.data.histories.state import UserState
from segue.data.ingest import steps
from segue.data.ingest.ingest import ingest_events, ingest_items
from segue.data.journal import drain as draining
from segue.data.journal import journal as journaling
from segue.data.journal.journal import SQLiteJournal
from segue.data.lake import tables
from segue.data.lake.lake import Lake
from segue.data.lake.upkeep import Upkeep
from segue.data.settings import EventColumns, EventSource, ItemColumns, ItemSource
from tests.data_lake.world import START

LATER = START + timedelta(days=9)
EVENTS = EventSource(columns=EventColumns(user="user", item="item", id="id", time="time"))
ITEMS = ItemSource(columns=ItemColumns(id="id", price="price"))


def small() -> None:
    """Many commits where there would be few."""
    steps.STEP, steps.PARTS = 60, 2
    tables.CHECKPOINT_EVERY = 7
    tables.SMALL_FILES = 6
    draining.AT_ONCE, draining.DECISIONS_AT_ONCE, journaling.TRIMMED_AT_ONCE = 50, 5, 40
    histories.BEHIND_AT_LEAST, histories.BEHIND_SHARE = 150, 0.0


def ingest(folder: Path) -> None:
    """Read all files, of which most are known."""
    lake = Lake(folder / "lake")
    ingest_items(lake, ITEMS, sorted(folder.glob("items-*.csv")), folder, LATER)
    ingest_events(lake, EVENTS, sorted(folder.glob("events-*.csv")), folder, LATER)


def compact(folder: Path) -> None:
    """Merge what is small, and delete what nobody needs."""
    upkeep = Upkeep(Lake(folder / "lake"))
    upkeep.compact()
    upkeep.vacuum(timedelta(0))


def drain(folder: Path) -> None:
    """Move the journal into the lake."""
    journal = SQLiteJournal(folder / "journal")
    draining.drain(Lake(folder / "lake"), journal, UserState(folder, journal=journal))
    journal.close()


STEPS = {"ingest": ingest, "compact": compact, "drain": drain}


def main(folder: Path) -> None:
    """Each line: a step, and after how many seconds to kill it. Answers whether it was killed or came to its end."""
    small()
    say("ready")
    for line in sys.stdin:
        step, seconds = line.split()
        if (worker := os.fork()) == 0:
            status = 1
            try:
                STEPS[step](folder)
                status = 0
            finally:
                os._exit(status)
        until = time.monotonic() + float(seconds)
        done, status = 0, 0
        while done == 0 and time.monotonic() < until:
            done, status = os.waitpid(worker, os.WNOHANG)
            time.sleep(0.001)
        if done == 0:
            os.kill(worker, signal.SIGKILL)
            _, status = os.waitpid(worker, 0)
        say("killed" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}")


def say(word: str) -> None:
    """One line to who asks."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
