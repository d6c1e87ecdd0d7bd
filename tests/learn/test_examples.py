"""The examples in the docstrings of the rooms of learning and engines are run."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import segue.engines
import segue.learn
import segue.testing

ROOMS = (segue.engines, segue.learn, segue.testing)
MODULES = [f"{room.__name__}.{module.name}" for room in ROOMS for module in pkgutil.iter_modules(room.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    failed, _ = doctest.testmod(import_module(name))
    assert failed == 0
