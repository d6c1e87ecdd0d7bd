"""The demo's headings, tables and ports."""

from __future__ import annotations

import io
import re
import socket

import pytest
from rich.console import Console

from segue.demo.service import free_port
from segue.demo.telling import Teller


@pytest.fixture
def telling():
    out = io.StringIO()
    return Teller(Console(file=out, width=80, highlight=False)), out


def test_steps_are_numbered_and_timed(telling):
    teller, out = telling
    with teller.step("First", "What it means."):
        teller.say("something")
    with teller.step("Second", "More."):
        pass
    lines = [re.sub(r"^\d+\.\d s$", "time", line.strip()) for line in out.getvalue().splitlines() if line.strip()]
    assert lines == ["1  First", "What it means.", "something", "time", "2  Second", "More.", "time"]


def test_a_table_puts_numbers_to_the_right_and_leaves_brackets_alone(telling):
    teller, out = telling
    teller.table([{"name": "[bold]x", "rows": 7}, {"name": "y", "rows": 1234}], title="a title")
    text = out.getvalue()
    assert "a title" in text
    assert "[bold]x       7" in text
    assert "y         1,234" in text


def test_a_table_of_nothing_is_not_drawn(telling):
    teller, out = telling
    teller.table([])
    assert out.getvalue() == ""


def test_a_free_port_is_the_wanted_one_or_another():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) not in (0, port)
    assert free_port(port) == port
