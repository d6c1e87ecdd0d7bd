"""The report as one HTML page that needs nothing else: no scripts, no fonts, no pictures from elsewhere."""

from __future__ import annotations

from functools import cache

import jinja2
from markupsafe import Markup

from segue.report.section import Report


def page(told: Report) -> str:
    """The whole page as text."""
    return _environment().get_template("report.html").render(report=told, style=_style())


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("segue.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["set"] = _set
    return made


def _set(text: str) -> str:
    """A sentence as it is set: no line begins with a percent sign."""
    return text.replace(" %", "\u202f%")


@cache
def _style() -> Markup:
    loader = _environment().loader
    assert loader is not None
    return Markup(loader.get_source(_environment(), "report.css")[0])
