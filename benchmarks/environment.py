"""Where peers run: an environment of their own for each list of requirements, so that theirs never meet ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def environment(name: str, requirements: str) -> Path:
    """The interpreter of `.cache/NAME`, made with uv where it is missing or of other versions than
    `benchmarks/peers/REQUIREMENTS` says."""
    folder, wanted = ROOT / ".cache" / name, ROOT / "benchmarks" / "peers" / requirements
    python, stamp = folder / "bin" / "python", folder / requirements
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted.read_text()):
        print(f"making the peers' environment in .cache/{name}", file=sys.stderr)
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", "3.11", str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(wanted)], check=True)
        stamp.write_text(wanted.read_text())
    return python
