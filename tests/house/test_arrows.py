"""The house holds together: imports point one way, third parties stay in their rooms, what is public is typed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "segue"
FILES = sorted(SOURCE.rglob("*.py"))

# room -> the rooms of Segue that it may import besides itself
LINE = ("domain", "engines", "data", "learn", "find", "decide", "operate", "serve", "project", "commands", "cli")
ARROWS = {room: set(LINE[:place]) for place, room in enumerate(LINE)}
ARROWS["measure"] = {"domain", "engines", "data"}
ARROWS["simulate"] = {"domain"}
ARROWS["report"] = {"domain", "data", "measure"}
ARROWS["testing"] = {"domain", "engines", "data", "learn", "decide"}
for above in ("project", "commands"):
    ARROWS[above] |= {"report"}
for above in ("operate", "serve", "project", "commands", "cli"):
    ARROWS[above] |= {"measure"}
ARROWS["project"] |= {"simulate"}
ARROWS["commands"] |= {"simulate"}
ARROWS["cli"] |= {"simulate"}
ARROWS["domain"] = set()

# files at the top, and the demo, belong to the room of the line that they are part of
PLACED = dict.fromkeys(
    ("declaration", "starter", "recommendations", "comparison", "results", "doctor", "project"), "project"
)
PLACED |= {"demo": "commands"} | dict.fromkeys(("cli", "__main__", "__init__"), "cli")

THIRD_PARTIES = {
    "numpy": set(LINE) | {"measure", "simulate", "testing"},
    "msgspec": set(LINE) | {"measure", "simulate", "testing"},
    "pyarrow": {"engines", "data", "learn", "measure", "project", "testing"},
    "polars": {"data", "measure", "operate", "serve", "project", "commands", "cli", "testing"},
    "deltalake": {"data"},
    "narwhals": {"data"},  # called by narwhals itself
    "duckdb": {"data"},
    "adbc_driver_manager": {"data"},
    "optuna": {"operate"},
    "adbc_driver_postgresql": {"data"},
    "scipy": {"learn", "measure", "testing"},
    "numba": {"engines", "data", "learn", "find"},  # data: big files are read at the speed of the disk
    "llvmlite": {"learn"},  # comes with numba; the innermost loops are written in its words
    "granian": {"serve"},
    "jinja2": {"serve", "report"},
    "markupsafe": {"serve", "report"},
    "click": {"commands", "cli"},
    "rich": {"commands", "cli"},
}


def room(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return PLACED.get(first, first)


@cache
def parsed(path: Path) -> ast.Module:
    """A source file as its tree: all tests of the house look at the same one."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import; relative ones are made absolute."""
    package = ("segue", *path.relative_to(SOURCE).parts[:-1])
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, ".".join([*base, *([node.module] if node.module else [])])


def test_imports_point_one_way() -> None:
    wrong = []
    for path in FILES:
        here = room(path)
        if path == SOURCE / "__init__.py":
            continue  # the public names, imported when they are used
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] != "segue" or len(parts) == 1:
                continue
            there = PLACED.get(parts[1], parts[1])
            if there != here and there not in ARROWS[here]:
                wrong.append(f"{path}:{line}: {here} must not import {there}")
    assert not wrong


def test_third_parties_stay_in_their_rooms() -> None:
    wrong = []
    for path in FILES:
        for line, name in imports(path):
            package = name.split(".")[0]
            if package in sys.stdlib_module_names or package == "segue":
                continue
            if package not in THIRD_PARTIES:
                wrong.append(f"{path}:{line}: {package} is no dependency of Segue")
            elif room(path) not in THIRD_PARTIES[package]:
                wrong.append(f"{path}:{line}: {package} has no place in {room(path)}")
    assert not wrong


def test_a_file_says_what_it_is_for_and_stays_small() -> None:
    wrong = []
    for path in FILES:
        said = ast.get_docstring(parsed(path)) or ""
        if not said.split("\n")[0].rstrip().endswith((".", "`.")):
            wrong.append(f"{path}: open with one sentence")
        if len(path.read_text(encoding="utf-8").splitlines()) > 800:
            wrong.append(f"{path}: split it along an idea")
    assert not wrong


def test_no_place_for_odds_and_ends() -> None:
    dumps = {"utils", "util", "common", "core", "helpers", "misc", "shared"}
    assert not [path for path in SOURCE.rglob("*") if path.stem in dumps]


def test_every_room_has_something_in_it() -> None:
    for folder in SOURCE.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert len(list(folder.glob("*.py"))) > 1, f"{folder} is empty"


def test_nothing_is_pickled_evaluated_or_left_to_do() -> None:
    banned = {"pickle", "shelve", "marshal", "dill", "joblib"}
    wrong = []
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        wrong += [f"{path}:{line}: {name}" for line, name in imports(path) if name.split(".")[0] in banned]
        wrong += [
            f"{path}:{node.lineno}: {node.func.id}()"
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
        ]
        wrong += [f"{path}: {word}" for word in ("allow_pickle=True", "TODO", "FIXME", "XXX") if word in text]
    assert not wrong


def test_what_can_be_called_from_outside_is_typed() -> None:
    wrong = []
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                said = node.args
                given = [*said.posonlyargs, *said.args, *said.kwonlyargs, *filter(None, (said.vararg, said.kwarg))]
                bare = [each.arg for each in given if each.annotation is None and each.arg not in ("self", "cls")]
                if bare:
                    wrong.append(f"{path}:{node.lineno}: {node.name}({', '.join(bare)}) lacks types")
                if node.returns is None:
                    wrong.append(f"{path}:{node.lineno}: {node.name} does not say what it returns")
    assert not wrong
