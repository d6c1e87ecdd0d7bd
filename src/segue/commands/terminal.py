"""How tables and progress look on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from segue.domain.tables import cell, is_number

WIDTH = 160  # of what goes into a file or a pipe
NAME = 24  # characters
GAP = 2  # between columns where there is little room
UNBOUND = 10_000  # characters
Advance = Callable[[str, float], None]


def table(rows: Sequence[dict[str, Any]], *, title: str) -> None:
    """Print rows of one shape as a table: numbers to the right, what is too wide wrapped."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    if not rows:
        console.print(f"{title}: nothing")
        return
    console.print(Text(title, style="bold"))
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(rows[0]):
        drawn.add_column(name.replace("_", " "), justify="right" if is_number(rows, name) else "left", overflow="fold")
        if place == 0:  # what a row is about stays in one piece, where it is a name and no sentence
            drawn.columns[0].no_wrap = max(len(cell(row.get(name))) for row in rows) <= NAME
    for row in rows:
        drawn.add_row(*(Text(cell(row.get(name))) for name in rows[0]))
    wide = console.measure(drawn, options=console.options.update(width=UNBOUND)).maximum
    if wide > console.width >= least_width(rows):
        drawn.collapse_padding = True
        for column, name in zip(drawn.columns, rows[0], strict=True):
            if is_number(rows, name):  # numbers stay whole, and their heads break between words
                column.header, column.no_wrap = "\n".join(name.split("_")), True
    console.print(drawn)


def least_width(rows: Sequence[dict[str, Any]]) -> int:
    """How many characters a table takes where each column is as wide as its longest word.

    >>> least_width([{"fit_seconds": 0.5, "interval": "0.1 to 0.2"}])
    17
    """
    told = (" ".join([name.replace("_", " "), *(cell(row.get(name)) for row in rows)]) for name in rows[0])
    return sum(max(map(len, text.split()), default=0) for text in told) + GAP * (len(rows[0]) - 1)


@contextmanager
def progress(verb: str) -> Iterator[Advance]:
    """A line that says what is being done and how far it is; silent where nobody watches."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    )
    with bar:
        task = bar.add_task(verb, total=1.0)
        yield lambda what, share: bar.update(task, description=f"{verb} {what}", completed=share)


def _silent(what: str, share: float) -> None:
    """Nobody watches."""
