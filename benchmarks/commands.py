"""Seconds and peak memory of `import segue`, `segue --help` and each command of the main job, on ml-1m.

    python benchmarks/commands.py [--example ml-1m] [--json]

Each command runs once in a process of its own, in a copy of `examples/NAME` that is removed afterwards. Peak memory is
the largest resident set of that process, as the kernel counted it; pages of mapped files count where they were touched.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEGUE = (sys.executable, "-m", "segue")
DATA = Path(os.environ.get("SEGUE_DATA") or ROOT.parent / "shared" / "data")
COMMANDS = {
    "import segue": (sys.executable, "-c", "import segue"),
    "segue --help": (*SEGUE, "--help"),
    "ingest": (*SEGUE, "ingest"),
    "check": (*SEGUE, "check"),
    "train popularity": (*SEGUE, "train", "popularity"),
    "train item_knn": (*SEGUE, "train", "item_knn"),
    "train ease": (*SEGUE, "train", "ease"),
    "train als": (*SEGUE, "train", "als"),
    "evaluate": (*SEGUE, "evaluate"),
    "recommend --user": (*SEGUE, "recommend", "--user", "1", "--explain"),
    "recommend --all": (*SEGUE, "recommend", "--all", "--out", "lists.parquet"),
    "release": (*SEGUE, "release"),
}


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / arguments.example
        shutil.copytree(
            ROOT / "examples" / arguments.example,
            workspace,
            ignore=lambda _, names: set(names) - {"prepare.py", "segue.toml"},
        )
        environment = os.environ | {"SEGUE_DATA": str(DATA)}
        subprocess.run([sys.executable, "prepare.py"], cwd=workspace, env=environment, check=True)
        rows = [measured(name, command, workspace) for name, command in COMMANDS.items()]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'command':20} {'seconds':>9} {'peak MB':>9}   on {arguments.example}")
    for row in rows:
        print(f"{row['command']:20} {row['seconds']:9.2f} {row['peak_mb']:9.0f}")


def measured(name: str, command: tuple[str, ...], folder: Path) -> dict[str, float | str]:
    """Seconds and peak resident memory (MB) of one process; its output is thrown away, its failure is not."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}")
    return {"command": name, "seconds": seconds, "peak_mb": used.ru_maxrss / 1024}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", default="ml-1m")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
