"""The cuts of the training part that settings are judged by: one, or several where few people judge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from segue.data.split.split import Split, split_by_time, split_last, split_random
from segue.data.split.view import Rows
from segue.domain.errors import DataError
from segue.engines.engine import Dataset
from segue.measure.heldout import Findable, findable
from segue.measure.settings import EvaluationSettings

ENOUGH = 3_000  # people who judge, counted once for each cut
MOST_CUTS = 5
MOST_EVENTS = 5_000_000  # that all cuts together learn from: more would take more time and memory than they are worth
LEAST_LEFT = 0.75  # of the events, to learn from: what is best on fewer need not be best on all


@dataclass(frozen=True, eq=False)
class Cut:
    """What is held back, and what is left to learn from.

    people       int32 codes of those who are judged, ascending
    judged       what they did before and what they then did; row `r` is `people[r]`
    rows         of the training part that are learned from
    """

    people: npt.NDArray[np.int32]
    judged: Findable
    rows: Rows


def cuts(split: Split, said: EvaluationSettings, people: int, seed: int) -> tuple[tuple[Cut, ...], str]:
    """The training part cut as the whole was, once where `ENOUGH` people judge (or `people`), else several times.

    What one cut would hold back is then held back a part at a time, so that all learn from more: nearly as much as what
    is judged by the test learns from. How many there are is a matter of the data and of `people` alone, so that a
    study that goes on has the same. With the cuts come words for what they hold back. `DataError` where nobody can be
    judged.
    """
    inner = _once(split, said)
    whole = _cut(inner, said, people, seed)
    count = min(math.ceil(min(people, ENOUGH) / len(whole.people)), MOST_EVENTS // len(whole.rows.item), MOST_CUTS)
    if count <= 1:
        return (whole,), inner.description
    found = []
    with suppress(DataError):  # nobody is left to judge further back
        for part in itertools.islice(_parts(split.train, inner, said, count), count):
            found.append(_cut(part, said, people, seed))
    if sum(len(cut.people) for cut in found) < len(whole.people):
        return (whole,), inner.description
    return tuple(found), _words(inner, len(found))


def covers(share: float, count: int) -> tuple[int, float]:
    """How many of `count` cuts are in a share of all the work, and which share of the people they learn from.

    What is best by fewer cuts is so by all but for luck; what is best of fewer people need not be. So cuts are left out
    before people are, and where there is work for half of the people it is done for all.

    >>> covers(1.0, 5), covers(1 / 3, 5), covers(1 / 3, 2), covers(1 / 9, 3)
    ((5, 1.0), (2, 1.0), (1, 1.0), (1, 0.3333333333333333))
    """
    work = share * count
    return max(1, round(work)), 1.0 if work >= 0.5 else work


def _words(whole: Split, count: int) -> str:
    how = "then what was last before it" if whole.name == "last" else "a part at a time"
    return f"{whole.description}, {how}, in {count} cuts; a person's value is the mean over those that judge them"


def _once(split: Split, said: EvaluationSettings) -> Split:
    match split.name:
        case "time":
            return _before(split.train, said)
        case "last":
            return split_last(split.train, said.last)
        case _:
            return split_random(split.train, said.test_fraction, said.seed + 1)


def _before(train: Dataset, said: EvaluationSettings) -> Split:
    """The window before the test; where it leaves nobody to judge by or to learn from, a fifth of the events."""
    if said.test_days is not None:
        try:
            return split_by_time(train, said.test_days)
        except DataError:
            return split_by_time(train, None, 0.2)
    return split_by_time(train, None, min(said.test_fraction / (1 - said.test_fraction), 0.5))


def _parts(train: Dataset, whole: Split, said: EvaluationSettings, count: int) -> Iterator[Split]:
    """Shorter windows one before the other, what is last and what was last before, or parts of each person's share."""
    match whole.name:
        case "time":
            events = whole.test_rows / count
            return _back(train, lambda part: split_by_time(part, None, events / part.rows), 0.9 * whole.train.rows)
        case "last":
            return _back(train, lambda part: split_last(part, said.last), LEAST_LEFT * train.rows)
        case _:
            drawn = partial(split_random, train, said.test_fraction, said.seed + 1)
            return (drawn(part=(part, count)) for part in range(count))


def _back(train: Dataset, end: Callable[[Dataset], Split], least: float) -> Iterator[Split]:
    """The end of it, the end of what is before, and so on while so many events are left to learn from."""
    inner = end(train)
    while inner.train.rows >= least:
        yield inner
        inner = end(inner.train)


def _cut(inner: Split, said: EvaluationSettings, people: int, seed: int) -> Cut:
    found = _some(findable(inner.test, len(inner.train.items), said.seen), people, seed)
    return Cut(inner.test.people[found.rows], found, Rows.of(inner.train))


def _some(found: Findable, people: int, seed: int) -> Findable:
    """At most `people` of them, drawn by lot."""
    if len(found.truth) <= people:
        return found
    rows = np.sort(np.random.default_rng([seed, 2]).permutation(len(found.truth))[:people])
    histories, truth = found.histories.select(rows), found.truth.select(rows)
    return Findable(histories, truth, found.now, found.rows[rows], found.without_truth, found.repeats)


__all__ = ["Cut", "covers", "cuts"]
