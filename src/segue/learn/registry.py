"""Which learners there are. The built-in ones come in by the same door as anybody's: the entry points of a package."""

from __future__ import annotations

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
    try:
        return msgspec.convert(dict(params), kind)
    except msgspec.ValidationError as error:
        raise DeclarationError(str(error), where=f"learner {name}", mend="see the parameters in docs") from error


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
