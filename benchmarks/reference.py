"""The values that ranx, ir-measures and RecTools give for lists that are hard to measure, for tests/measure.

    python benchmarks/reference.py [--write]

Makes `.cache/peers-evaluation` with uv from `benchmarks/peers/reference.txt` where it is missing, computes the values
there (ranx compiles for minutes) and compares them with tests/measure/reference.json, or writes that file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE.parent / ".cache" / "peers-evaluation" / "venv"
REFERENCE = HERE.parent / "tests" / "measure" / "reference.json"


def main() -> None:
    """Compute, and compare or write."""
    command = [_python(), HERE / "peers" / "reference_metrics.py"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told = _rounded(json.loads(done.stdout))
    if "--write" in sys.argv[1:]:
        REFERENCE.write_text(json.dumps(told, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"wrote {REFERENCE}")
    elif told != json.loads(REFERENCE.read_text(encoding="utf-8")):
        raise SystemExit("the libraries give other values than tests/measure/reference.json: look, then --write")
    else:
        print("the libraries give what tests/measure/reference.json has")


def _rounded(told: object) -> object:
    """Every number to ten places: no library promises more."""
    match told:
        case float():
            return round(told, 10)
        case list():
            return [_rounded(each) for each in told]
        case dict():
            return {name: _rounded(each) for name, each in told.items()}
        case _:
            return told


def _python() -> Path:
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "reference.txt"
    wanted = HERE / "peers" / "reference.txt"
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted.read_text()):
        subprocess.run(["uv", "venv", "-q", "--clear", "--python", "3.11", ENVIRONMENT], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", python, "-r", wanted], check=True)
        stamp.write_text(wanted.read_text())
    return python


if __name__ == "__main__":
    main()
