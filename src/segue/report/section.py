"""What a report is made of: sections with a sentence to remember, more sentences, and figures with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup


@dataclass(frozen=True)
class Figure:
    """A plot with its numbers.

    plot    the drawing; nothing where the table says it better
    table   the same as rows, for who cannot see it, or wants the numbers
    key     what the first and the second colour (or mark) stand for, where there are two
    python  an expression that gives `value`, with `project` at hand; a test runs each
    """

    title: str
    plot: Markup
    table: Sequence[dict[str, Any]]
    python: str
    value: Any
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One idea: `lead` is what to remember of it."""

    key: str
    title: str
    lead: str
    sentences: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    columns: tuple[Any, ...] = field(default=(), repr=False)  # rows of the column table, as the page draws them


@dataclass(frozen=True)
class Report:
    """A whole report. `facts` are the few numbers at its head: what, and how many."""

    name: str
    made: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...] = ()
    kind: str = "Data report"
    maker: str = "segue report"

    def rows(self) -> list[dict[str, Any]]:
        """One row a sentence, for a terminal and for JSON."""
        return [
            {"section": section.title, "sentence": sentence}
            for section in self.sections
            for sentence in (section.lead, *section.sentences)
        ]
