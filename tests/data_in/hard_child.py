"""A process that ingests one file under a limit and says what came of it: `FOLDER FILE [largest-file-in-bytes]`."""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from segue.data.ingest.ingest import ingest_events
from segue.data.lake.lake import Lake
from segue.domain.errors import SegueError
from tests.data_in.reading import event_source


def main(folder: Path, file: Path, largest: int) -> None:
    if largest:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    said: dict[str, object] = {}
    try:
        (report,) = ingest_events(Lake(folder / "lake"), event_source(), [file], folder, datetime.now(UTC))
        said |= {"kept": report.kept, "duplicates": report.duplicates}
    except SegueError as error:
        said |= {"error": type(error).__name__, "problem": error.problem}
    # getrusage would count what the parent held when it forked
    held = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    said["peak_mb"] = int(held[1]) >> 10 if held else None
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
