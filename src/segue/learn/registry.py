"""Which learners there are. The built-in ones come in by the same door as anybody's: the entry points of a package."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import msgspec

from segue.domain.errors import DeclarationError, ModelError, UnknownName, unknown

if TYPE_CHECKING:
    from segue.learn.learner import Learner

GROUP = "segue.learners"


def learners() -> dict[str, type[Learner]]:
    """Every learner that an installed package offers under the entry point group `segue.learners`, by name.

    >>> "ease" in learners()
    True
    """
    return {name: learner_type(name) for name in offered()}


@cache
def offered() -> dict[str, EntryPoint]:
    """The entry points of the learners by name, nothing loaded yet."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def learner(name: str, params: Mapping[str, Any]) -> Learner:
    """The learner of this name with these parameters; names and values that cannot be are refused.

    >>> learner("ease", {"regularization": 100}).regularization
    100.0
    """
    kind = learner_type(name)
    for given in params:
        if given not in kind.__struct_fields__:
            raise _declaration(unknown(f"parameter of {name}", given, kind.__struct_fields__), name)
    kind.refuse(params)
    try:
        return msgspec.convert(dict(params), kind)
    except msgspec.ValidationError as error:
        raise refused(kind, params, error, name) from error


def refused(
    kind: type[msgspec.Struct], params: Mapping[str, Any], error: msgspec.ValidationError, name: str
) -> DeclarationError:
    """What msgspec says of a parameter, with the parameter's name, what was found, and what it may be.

    >>> learner("ease", {"regularization": -1})
    Traceback (most recent call last):
    segue.domain.errors.DeclarationError: learner ease: regularization: Expected `float` > 0.0, found -1
      → correct that value; the default is 300.0
    """
    problem, _, place = str(error).partition(" - at `$")
    parameter = re.split(r"[.\[]", place.strip(".`"), maxsplit=1)[0]
    if parameter not in params:
        return DeclarationError(str(error), where=f"learner {name}", mend="see the parameters in docs/settings.md")
    field = next(field for field in msgspec.structs.fields(kind) if field.name == parameter)
    found = params[parameter]
    if choices := _choices(msgspec.inspect.type_info(field.type)):
        problem, mend = f"{parameter} cannot be {found!r}", f"it is one of: {', '.join(choices)}"
    else:
        problem = f"{place.strip('.`')}: {problem}, found {found!r}"
        told = field.default is not msgspec.NODEFAULT and field.default is not None
        mend = "correct that value" + (f"; the default is {_toml(field.default)}" if told else "")
    return DeclarationError(problem, where=f"learner {name}", mend=mend)


def _toml(value: object) -> str:
    """A default as the declaration says it."""
    return json.dumps(msgspec.to_builtins(value))


def _choices(kind: msgspec.inspect.Type) -> list[str]:
    literals = [each for each in (kind, *getattr(kind, "types", ())) if isinstance(each, msgspec.inspect.LiteralType)]
    return [str(value) for literal in literals for value in literal.values]


def learner_type(name: str) -> type[Learner]:
    """The class of the learner of this name, or an `UnknownName` that offers the nearest."""
    if name not in offered():
        raise unknown("learner", name, offered())
    kind: type[Learner] = offered()[name].load()
    return kind


def learner_of(recommender: object) -> str:
    """The name of the learner whose recommenders are of this type: how a saved model finds its class again."""
    module = type(recommender).__module__
    for name in sorted(offered(), key=lambda name: offered()[name].module != module):  # mostly the first one loaded
        if learner_type(name).recommender is type(recommender):
            return name
    raise ModelError(
        f"no learner makes recommenders of type {type(recommender).__name__}",
        mend=f"offer its learner under the entry point group '{GROUP}', with the class attribute `recommender`",
    )


def _declaration(error: UnknownName, name: str) -> DeclarationError:
    return DeclarationError(error.problem, where=f"learner {name}", mend=error.mend)
