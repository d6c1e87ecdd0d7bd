"""Runs the fenced examples of a page, in order, as a reader would type them.

    ```python    runs; the blocks of a page share their names, and the working folder is the page's
    ```console   lines that begin with "$ " run; what follows is what they print
    ```toml      must be a declaration that can be read
    ```text, ```json, ```sh   are not run

In the output of a console block a run of digits stands for any number, a line "…" for any lines, and a "…" inside a
line for anything on it. Runs of blanks and of lines are one. A command has to end well, but where what it prints begins
with "segue: ": that is a refusal. One that ends in "&" is stopped at the page's end.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """One fenced example: its language, its text, and where it stands."""

    language: str
    text: str
    place: str


def blocks(page: Path) -> list[Block]:
    """The fenced examples of a page."""
    found, language, lines, start = [], None, [], 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip().startswith("```"):
            if language is None:
                language, lines, start = line.strip()[3:].strip(), [], number
            else:
                found.append(Block(language, "\n".join(lines) + "\n", f"{page.name}:{start}"))
                language = None
        elif language is not None:
            lines.append(line)
    return found


@dataclass
class Reader:
    """A person with a terminal and a Python prompt in one folder."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def read(self, block: Block) -> None:
        """Do what the block says, and hold what it prints against what it says."""
        if block.language == "python":
            self._python(block)
        elif block.language == "console":
            for command, expected in commands(block.text):
                self._console(command, expected, block.place)

    def stop(self) -> None:
        """End what runs in the background."""
        for process in self.running:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def _python(self, block: Block) -> None:
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            exec(compile(block.text, block.place, "exec", dont_inherit=True), self.names)
        finally:
            os.chdir(before)

    def _console(self, command: str, expected: str, place: str) -> None:
        if command.startswith("cd "):
            self.folder = (self.folder / command.removeprefix("cd ").strip()).resolve()
            return
        environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "200"}
        if command.endswith("&"):
            self._background(command.removesuffix("&"), environment)
            return
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300
        )
        shown = done.stdout + done.stderr
        refused = expected.startswith("segue: ")
        assert done.returncode == (2 if refused else 0), f"{place}: {command} ended with {done.returncode}\n{shown}"
        if expected.strip():
            assert matches(shown, expected), f"{place}: {command}\nprints\n{shown}\nand the page says\n{expected}"

    def _background(self, command: str, environment: dict[str, str]) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.running.append(process)
        port = re.search(r"--port (\d+)", command)
        until = time.monotonic() + 60
        while port and time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/readyz", timeout=2)
            except OSError:
                time.sleep(0.1)
            else:
                return


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader whose background commands end with the page."""
    someone = Reader(folder)
    try:
        yield someone
    finally:
        someone.stop()


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of a console block, continued lines joined, with the output that the page shows for it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (found[-1][0][:-1] + line.strip(), "")
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line + "\n")
    return found


def matches(shown: str, expected: str) -> bool:
    """Whether what was printed is what the page says, up to numbers, blanks and what "…" stands for."""
    pattern = ""
    for line in filter(None, map(plain, expected.splitlines())):
        part = ".*" if line == "…" else ".*?".join(map(re.escape, line.split("…")))
        pattern += part + ("\n" if part != ".*" else "")
    return re.search(pattern, "\n".join(filter(None, map(plain, shown.splitlines()))) + "\n", re.DOTALL) is not None


def plain(line: str) -> str:
    """A line with every number as 0 and every run of blanks or rules as one blank."""
    line = re.sub(r"\d{8}-\d{6}-[0-9a-f]+", "0", line)
    return re.sub(r"[\s─━]+", " ", re.sub(r"[+-]?\d[\d,.:TZ+-]*", "0", line)).strip()
