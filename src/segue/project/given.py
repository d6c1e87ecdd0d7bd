"""What methods of a project are given, held against what they take: what is wrong is a `SegueError`, never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index

from segue.domain.decisions import CANDIDATES_KEPT
from segue.domain.errors import SegueError, unknown


def text_of(argument: str, value: object) -> str:
    """A name: text and nothing else.

    >>> text_of("model", "ease")
    'ease'
    """
    if isinstance(value, str):
        return value
    raise SegueError(f"expected text, found {value!r}", where=argument, mend=f'such as {argument}="…"')


def id_of(argument: str, value: object) -> str:
    """An id as the log has it: text, or a whole number, which is read as its digits.

    >>> id_of("item", 50)
    '50'
    """
    if isinstance(value, str):
        return value
    try:
        return str(_whole(value))
    except TypeError:
        pass
    raise SegueError(
        f"an id is text or a whole number, found {value!r}", where=argument, mend="give it as it is in the data"
    )


def texts_of(argument: str, values: object) -> list[str]:
    """Names, several of them; one that stands alone is refused, for its letters would be taken for names.

    >>> texts_of("models", ("als", "ease"))
    ['als', 'ease']
    """
    return [text_of(argument, value) for value in _several(argument, values)]


def ids_of(argument: str, values: object) -> list[str]:
    """The same of ids.

    >>> ids_of("history", "50")
    Traceback (most recent call last):
    ...
    segue.domain.errors.SegueError: history: expected a list, found '50' alone
      → give history=['50']
    """
    return [id_of(argument, value) for value in _several(argument, values)]


def whole(argument: str, value: object, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`, or of any size where there is no `high`.

    >>> whole("points", 5, 2, 12)
    5
    """
    try:
        number = _whole(value)
    except TypeError:
        number = None
    if number is not None and low <= number and (high is None or number <= high):
        return number
    span = f"from {low} to {high}" if high is not None else f"of {low} or more"
    raise SegueError(f"expected a whole number {span}, found {value!r}", where=argument, mend="give one")


def list_length(k: object) -> int:
    """How many items a list is to have."""
    return whole("k", k, 1, CANDIDATES_KEPT)


def positive(argument: str, value: object) -> float:
    """A number above 0.

    >>> positive("budget", 2.5)
    2.5
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return value
    raise SegueError(f"expected a number above 0, found {value!r}", where=argument, mend="give one")


def one_of(argument: str, value: object, known: Iterable[str]) -> str:
    """One of the words that there are; an `UnknownName` offers the nearest.

    >>> one_of("along", "days", ("people", "days"))
    'days'
    """
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    raise unknown(argument, str(value), names, where=argument)


def _several(argument: str, values: object) -> Sequence[object]:
    if isinstance(values, str | bytes | int):
        raise SegueError(
            f"expected a list, found {values!r} alone", where=argument, mend=f"give {argument}=[{values!r}]"
        )
    if isinstance(values, Iterable):
        return list(values)
    raise SegueError(f"expected a list, found {values!r}", where=argument, mend=f'such as {argument}=["…"]')


def _whole(value: object) -> int:
    """Of any kind that counts as a whole number, NumPy's among them; a `TypeError` for all else."""
    if isinstance(value, bool):
        raise TypeError
    return index(value)  # type: ignore[arg-type]
