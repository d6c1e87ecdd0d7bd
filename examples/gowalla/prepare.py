"""Takes the train.txt and test.txt of LightGCN's authors out of their archive, into `data`.

python prepare.py [WORKSPACE]     SEGUE_DATA names the folder with the data sets, ../../../shared/data if unset
"""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main(workspace: Path = HERE) -> None:
    """Write `data/train.txt` and `data/test.txt` into the workspace."""
    source = link(workspace / "data", "gowalla")
    with zipfile.ZipFile(source / "light_gcn_gowalla.zip") as archive:
        for part in ("train.txt", "test.txt"):
            (workspace / "data" / part).write_bytes(archive.read(f"light_gcn_gowalla/{part}"))


def link(folder: Path, name: str) -> Path:
    """Make `folder/source` point to the data set where it lies."""
    source = Path(os.environ.get("SEGUE_DATA") or HERE.parents[2] / "shared" / "data").resolve() / name
    if not source.is_dir():
        sys.exit(f"{source}: the data set is not here; SEGUE_DATA names the folder that holds {name}/")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "source").unlink(missing_ok=True)
    (folder / "source").symlink_to(source)
    return source


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
