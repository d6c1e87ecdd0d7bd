"""The ranges of a model: its learner's own, and over them what the declaration says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from segue.domain.errors import DeclarationError, SegueError, unknown
from segue.learn.learner import Learner
from segue.learn.ranges import Choice, Range, Real, Whole
from segue.learn.registry import refused
from segue.operate.tune.settings import Between


def ranges_of(learner: Learner, said: Mapping[str, Between | tuple[Any, ...]], where: str) -> dict[str, Range]:
    """The learner's own ranges, and over them what the declaration says; what it keeps at one value is not in them.

    Refused are names that the learner does not have (`UnknownName`, with the nearest), and values that it would not
    take (`DeclarationError`).

    >>> from segue.learn.learner import learner
    >>> ranges_of(learner("ease", {}), {"dropout": (0.0,), "regularization": Between(1, 10)}, "segue.toml")
    {'regularization': Real(low=1.0, high=10.0, log=False)}
    """
    found: dict[str, Range] = dict(type(learner).ranges)
    known = [name for name in learner.__struct_fields__ if name != "seed"]
    for name, values in said.items():
        if name not in known:
            raise unknown(f"parameter of {learner.name}", name, known, where=where)
        found[name] = _range(learner, name, values, f"{where} {name}")
        for value in _ends(found[name]):
            _taken(learner, name, value, f"{where} {name}")
    return {name: each for name, each in sorted(found.items()) if not _single(each)}


def _range(learner: Learner, name: str, said: Between | tuple[Any, ...], where: str) -> Range:
    if isinstance(said, tuple):
        if not said:
            raise DeclarationError("a choice needs at least one value", where=where, mend="such as [10, 20, 50]")
        return Choice(said)
    if not (math.isfinite(said.low) and math.isfinite(said.high) and said.low < said.high):
        raise DeclarationError(
            f"expected low < high, found {said.low} and {said.high}", where=where, mend="such as { low = 1, high = 10 }"
        )
    if said.log and said.low <= 0:
        raise DeclarationError(
            f"with log = true, low is above 0, found {said.low}", where=where, mend="raise low, or leave log out"
        )
    if isinstance(said.low, int) and isinstance(said.high, int) and _is_whole(learner, name):
        return Whole(said.low, said.high, said.log)
    return Real(float(said.low), float(said.high), said.log)


def _is_whole(learner: Learner, name: str) -> bool:
    """Whether the parameter takes whole numbers only: it is declared as one."""
    told = msgspec.inspect.type_info(type(learner))
    assert isinstance(told, msgspec.inspect.StructType)
    field = next(each for each in told.fields if each.name == name)
    kinds = getattr(field.type, "types", (field.type,))
    numbers = [each for each in kinds if isinstance(each, msgspec.inspect.IntType | msgspec.inspect.FloatType)]
    return bool(numbers) and all(isinstance(each, msgspec.inspect.IntType) for each in numbers)


def _taken(learner: Learner, name: str, value: Any, where: str) -> None:
    try:
        changed(learner, {name: value})
    except SegueError as error:
        raise DeclarationError(error.problem, where=where, mend="stay within what the parameter may be") from error


def changed(learner: Learner, parameters: Mapping[str, Any]) -> Learner:
    """The learner with some parameters set anew, checked as those of the declaration are.

    >>> from segue.learn.learner import learner
    >>> changed(learner("ease", {"min_people": 3}), {"regularization": 7}).min_people
    3
    """
    said = msgspec.structs.asdict(learner) | dict(parameters)
    try:
        return msgspec.convert(said, type(learner))
    except msgspec.ValidationError as error:
        raise refused(type(learner), said, error, learner.name) from error


def _ends(each: Range) -> tuple[Any, ...]:
    return each.values if isinstance(each, Choice) else (each.low, each.high)


def _single(each: Range) -> bool:
    return isinstance(each, Choice) and len(each.values) == 1


__all__ = ["changed", "ranges_of"]
