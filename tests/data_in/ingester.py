"""A process that ingests the files of a folder in small groups, until it is done or killed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from segue.data.ingest import steps as ingest_steps
from segue.data.ingest.ingest import ingest_events
from segue.data.lake.lake import Lake
from tests.data_in.reading import event_source

PARTS = 7  # of one commit


def main(folder: Path) -> None:
    ingest_steps.PARTS = PARTS
    lake = Lake(folder / "lake")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ingest_events(lake, event_source(), sorted(folder.glob("*.csv")), folder, datetime.now(UTC))
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
