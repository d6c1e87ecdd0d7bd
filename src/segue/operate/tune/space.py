"""Where settings are looked for: what is declared, the defaults, then draws that depend on seed and number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from segue.domain.errors import SegueError
from segue.learn.learner import Learner
from segue.learn.ranges import Choice, Range, Real, drawn
from segue.operate.tune.study import Trial
from segue.operate.tune.varied import changed

DECLARED, DEFAULTS, FIRST_DRAW = 0, 1, 2  # numbers of trials
MOST = 500  # settings of one model
DIGITS = 3  # that a number is drawn with: more would say nothing, and less can be read


@dataclass(frozen=True)
class Space:
    """The settings of one model, by number: 0 what is declared, 1 the learner's defaults, from 2 on draws.

    A setting has a value for each parameter that is varied, but for those that say nothing beside the others (see
    `Learner.ignored`); all others stay as they are declared. `most` is how many
    are looked at, on however many shares each.

    >>> from segue.learn.learner import learner
    >>> space = Space(learner("ease", {"dropout": 0.5}), {"dropout": Real(0, 0.8)}, seed=0)
    >>> space.setting(0), space.setting(1), space.setting(7) == space.setting(7)
    ({'dropout': 0.5}, {'dropout': 0.0}, True)
    """

    learner: Learner
    ranges: Mapping[str, Range]
    seed: int = 0
    most: int = MOST
    _kept: dict[int, dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)

    def setting(self, number: int) -> dict[str, Any]:
        """The parameters of a trial, as plain data. They depend on nothing but the seed and the number."""
        if number not in self._kept:
            self._kept[number] = self.without_ignored(plain(self._setting(number)))
        return self._kept[number]

    def is_full(self, trials: Sequence[Trial]) -> bool:
        """Whether as many settings were tried as shall be."""
        return count(trials) >= self.most

    def with_setting(self, setting: Mapping[str, Any]) -> Learner:
        """The learner to fit."""
        return changed(self.learner, setting)

    @property
    def defaults_count(self) -> bool:
        """Whether the defaults are a trial of their own: not what is declared, and inside of the ranges."""
        other = self.setting(DEFAULTS)
        inside = all(place(self.ranges[name], value) is not None for name, value in other.items())
        return other != self.setting(DECLARED) and (inside or self.ranges == dict(type(self.learner).ranges))

    def without_ignored(self, setting: dict[str, Any]) -> dict[str, Any]:
        """The setting, without the parameters that say nothing beside the others."""
        try:
            ignored = self.with_setting(setting).ignored
        except SegueError:  # the learner refuses the setting: the trial will tell
            return setting
        return {name: value for name, value in setting.items() if name not in ignored}

    def _setting(self, number: int) -> dict[str, Any]:
        if number == DECLARED:
            return {name: getattr(self.learner, name) for name in sorted(self.ranges)}
        if number == DEFAULTS:
            fields = {each.name: each for each in msgspec.structs.fields(type(self.learner))}
            return {name: self._default(fields[name]) for name in sorted(self.ranges)}
        values = drawn(dict(self.ranges), np.random.default_rng([self.seed, number]))
        return {name: readable(value, self.ranges[name]) for name, value in values.items()}

    def _default(self, parameter: msgspec.structs.FieldInfo) -> Any:
        """What the learner takes where nothing is said; a parameter that has to be said stays as it is declared."""
        if parameter.default is not msgspec.NODEFAULT:
            return parameter.default
        if parameter.default_factory is not msgspec.NODEFAULT:
            return parameter.default_factory()
        return getattr(self.learner, parameter.name)


def count(trials: Sequence[Trial]) -> int:
    """How many settings were tried, on however many shares each."""
    return len({trial.number for trial in trials})


def readable(value: Any, each: Range) -> Any:
    """A drawn number with few digits, still inside of its range.

    >>> readable(217.38246, Real(3, 3000)), readable(0.79996, Real(0, 0.7999))
    (217.0, 0.7999)
    """
    if not isinstance(each, Real):
        return value
    return min(max(float(f"{value:.{DIGITS}g}"), each.low), each.high)


def place(each: Range, value: Any) -> float | None:
    """How far a value is on the way from low to high, 0 to 1 (of a choice: its middle); None where it is not inside.

    >>> place(Real(1, 100, log=True), 10), place(Choice(("a", "b")), "b"), place(Real(0, 1), None)
    (0.5, 0.75, None)
    """
    if isinstance(each, Choice):
        choices, value = plain(each.values), plain(value)
        return (choices.index(value) + 0.5) / len(choices) if value in choices else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not each.low <= value <= each.high:
        return None
    if each.log:
        return (math.log(value) - math.log(each.low)) / (math.log(each.high) - math.log(each.low))
    return (value - each.low) / (each.high - each.low)


def plain(value: Any) -> Any:
    """A value as it comes back from a file: tuples are lists.

    >>> plain({"decays": (2.0, 0.5)})
    {'decays': [2.0, 0.5]}
    """
    return msgspec.json.decode(msgspec.json.encode(value))


__all__ = ["DECLARED", "DEFAULTS", "FIRST_DRAW", "MOST", "Space", "count", "place", "plain", "readable"]
