"""How the demo tells what it does: one heading a step, a sentence about what it means, tables, and the seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from segue.domain.tables import cell

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 116


class Teller:
    """Prints steps, sentences and tables to a console, and remembers how long everything took."""

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self.console = console or Console(highlight=False)
        if console is None and not self.console.is_terminal:
            self.console = Console(highlight=False, width=WIDTH)
        self._started = time.perf_counter()
        self._steps = 0

    @contextmanager
    def step(self, heading: str, meaning: str) -> Iterator[None]:
        """One step: its heading and meaning before, its seconds after."""
        self._steps += 1
        self.console.print(f"\n[bold cyan]{self._steps:>2}  {heading}[/]")
        self.say(f"[dim]{meaning}[/]")
        started = time.perf_counter()
        yield
        self.say(f"[dim]{time.perf_counter() - started:.1f} s[/]")

    def say(self, text: str) -> None:
        """A sentence, indented below its heading. Rich markup is read as such."""
        from rich.padding import Padding

        self.console.print(Padding(text, (0, 0, 0, 4), expand=False))

    def table(self, rows: Sequence[Mapping[str, Any]], *, title: str = "") -> None:
        """Rows of one shape: numbers to the right."""
        from rich.box import SIMPLE_HEAD
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        if not rows:
            return
        drawn = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="", pad_edge=False)
        for name in rows[0]:
            numeric = all(isinstance(row.get(name), (int, float)) for row in rows)
            drawn.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            drawn.add_row(*(Text(cell(row.get(name))) for name in rows[0]))
        self.console.print(Padding(drawn, (0, 0, 0, 4), expand=False))

    def done(self) -> None:
        """How long everything took."""
        self.console.print(f"\n[bold]{time.perf_counter() - self._started:.0f} s in all.[/]")
