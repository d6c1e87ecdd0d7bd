"""Has atheris make the inputs of readers, guided by which code they reach: `python -m tests.fuzz.guided [libFuzzer's]`.

atheris is installed by hand; `-runs=100000` is how many inputs there are.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Begin with the seeds of `readers`, in a folder that is removed afterwards."""
    importlib.import_module("segue.data.bulk.kernels")  # before atheris rewrites what numba compiles
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["segue.data.read", "segue.data.convert"]):
        readers = importlib.import_module("tests.fuzz.readers")
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(readers.SEEDS):
            for place in range(len(readers.CHECKS)):
                (Path(folder) / f"{number}-{place}").write_bytes(bytes([place, number, number]) + seed)
        atheris.Setup([sys.argv[0], "-max_len=600", "-rss_limit_mb=0", *sys.argv[1:], folder], readers.tolerant)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
