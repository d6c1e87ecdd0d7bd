"""Every error that Segue raises on purpose.

    SegueError
    ├── DeclarationError      segue.toml (or an environment override) says something that cannot be
    ├── DataError             the data cannot do what was asked of them
    │   ├── ReadError         a file cannot be read at all (rows that cannot are quarantined, not raised)
    │   └── MissingColumn     what was asked needs a column that the data do not have, such as `time`
    ├── UnknownName           a model, surface, release, learner, experiment or user that does not exist
    ├── ModelError            a saved model is damaged, incomplete, or newer than this version of Segue
    ├── BusyError             another process holds the lease that this one needs
    ├── RequestError          a request to the service cannot be honoured (carries its HTTP status)
    └── MissingExtra          an optional dependency is not installed

An error says what was expected, what was found, where, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SegueError(Exception):
    """Something that the person who reads the message can mend.

    `problem` says what was expected and what was found, `where` names the file, line, row, column or key,
    and `mend` says what to do next.
    """

    def __init__(self, problem: str, *, where: str = "", mend: str = "") -> None:
        self.problem = problem
        self.where = where
        self.mend = mend
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"\n  → {self.mend}" if self.mend else ""
        return f"{place}{self.problem}{advice}"

    def within(self, place: str) -> None:
        """Say of what a part failed: `place` goes before where the error is.

        >>> error = SegueError("too few", where="line 3")
        >>> error.within("events.csv")
        >>> print(error)
        events.csv, line 3: too few
        """
        self.where = f"{place}, {self.where}" if self.where else place
        self.args = (self._sentence(),)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), dict(self.__dict__))


class DeclarationError(SegueError):
    """`segue.toml`, or an environment override of it, says something that cannot be."""


class DataError(SegueError):
    """The data cannot do what was asked of them."""


class ReadError(DataError):
    """A file cannot be read at all. A single row that cannot be read goes to quarantine instead."""


class MissingColumn(DataError):
    """What was asked needs a column that the data do not have, such as `time`."""


class UnknownName(SegueError):
    """A model, surface, release, learner, experiment or user that does not exist."""


class ModelError(SegueError):
    """A saved model is damaged, incomplete, or written by a newer version of Segue."""


class BusyError(SegueError):
    """Another process holds the lease that this one needs."""


class MissingExtra(SegueError):
    """An optional dependency is not installed."""


class RequestError(SegueError):
    """A request to the service cannot be honoured; `status` is the HTTP status, `code` the documented slug."""

    def __init__(self, status: int, code: str, problem: str, *, where: str = "", mend: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(problem, where=where, mend=mend)


def unknown(kind: str, name: str, known: Iterable[str], *, where: str = "") -> UnknownName:
    """An `UnknownName` that offers the nearest known name.

    >>> print(unknown("model", "eas", ["ease", "popularity"]))
    no model is called 'eas'
      → did you mean 'ease'? known: ease, popularity
    """
    names = sorted(known)
    if not names:
        mend = (
            "nothing is trained yet: run `segue train` first" if kind == "trained model" else f"there is no {kind} yet"
        )
        return UnknownName(f"no {kind} is called '{name}'", where=where, mend=mend)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"did you mean '{near[0]}'? " if near else ""
    return UnknownName(f"no {kind} is called '{name}'", where=where, mend=f"{guess}known: {', '.join(names)}")


def _rebuild(kind: type[SegueError], fields: dict[str, object]) -> SegueError:
    error = kind.__new__(kind)
    error.__dict__.update(fields)
    Exception.__init__(error, error._sentence())
    return error
