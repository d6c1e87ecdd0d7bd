"""Every benchmark in turn, with the machine and the commit that the numbers belong to: what `make bench` runs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALL = (
    "quality",
    "learners",
    "neighbours",
    "top",
    "als",
    "gram",
    "sequence",
    "metrics",
    "journal",
    "serving",
    "commands",
    "ingest",
    "lake",
)


def main() -> None:
    """Run those that are named, or all; one that fails is said at the end."""
    chosen = sys.argv[1:] or ALL
    print(_machine(), flush=True)
    failed = []
    for name in chosen:
        print(f"\n## {name}\n", flush=True)
        if subprocess.run([sys.executable, HERE / f"{name}.py"], cwd=HERE.parent, check=False).returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _machine() -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    cores = len(os.sched_getaffinity(0))
    today = datetime.now(UTC).date()
    return f"{cores} cores of {model}, Python {platform.python_version()}, commit {commit.strip()}, {today}"


if __name__ == "__main__":
    main()
