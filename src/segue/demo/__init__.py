"""The whole loop on a living shop, in about a minute: what `make demo` runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from segue.domain.errors import SegueError

if TYPE_CHECKING:
    from rich.console import Console

MARK = ".segue-demo"  # lies in a folder that the demo made, and may make anew


def run(folder: Path, data: Path | None = None, *, serve: bool = True, console: Console | None = None) -> None:
    """Show the loop in `folder`: on a simulated shop, or on the workspace `data` of real data, without the visits.

    With `serve` the service stays up until Ctrl-C; `SERVE=0` in the environment says no.
    """
    from segue.demo.real import on_real_data
    from segue.demo.shop import on_a_shop
    from segue.demo.telling import Teller

    make_fresh(folder)
    teller = Teller(console)
    stay = serve and os.environ.get("SERVE") != "0"
    if data is None:
        on_a_shop(folder, teller, stay=stay)
    else:
        on_real_data(folder, data, teller, stay=stay)


def make_fresh(folder: Path) -> None:
    """An empty folder for the demo. What the demo made before is removed, anything else refused."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise SegueError(
            "the folder is not empty, and no demo made it",
            where=str(folder),
            mend="name another folder: `segue demo DIR`",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
