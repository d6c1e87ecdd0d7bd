"""The source keeps its word: the examples in docstrings run, and whatever can be called from outside is typed."""

from __future__ import annotations

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.house.test_arrows import FILES, SOURCE, parsed


def module(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SAYING = [path for path in FILES if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", SAYING, ids=module)
def test_the_examples_in_docstrings_run(path: Path) -> None:
    result = doctest.testmod(import_module(module(path)), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0


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
