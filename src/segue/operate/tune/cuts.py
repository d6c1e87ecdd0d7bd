"""The cuts of the training part that settings are judged by: one, or several where few people judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.data.split.split import Split, split_by_time, split_last, split_random
from segue.data.split.view import Rows
from segue.domain.errors import DataError
from segue.engines.engine import Dataset
from segue.measure.heldout import Findable, findable
from segue.measure.settings import EvaluationSettings

MOST_CUTS = 5
MOST_EVENTS = 5_000_000  # that all cuts together learn from: more cost more time and memory than they are worth
LEAST_LEFT = 0.45  # of the events, to learn from: what is best on few of them need not be best on all


@dataclass(frozen=True, eq=False)
class Cut:
    """What is held back, and what is left to learn from.

    people       int32 codes of those who are judged, ascending
    judged       what they did before and what they then did; row `r` is `people[r]`
    rows         of the training part that are learned from
    description  what is held back, in words
    """

    people: npt.NDArray[np.int32]
    judged: Findable
    rows: Rows
    description: str


def cuts(split: Split, said: EvaluationSettings, people: int, seed: int) -> tuple[Cut, ...]:
    """So many that `people` judge, who count once for each cut; `MOST_CUTS` at most, and one at least.

    How many is a matter of the data and of `people` alone, so that a study that goes on has the same.
    `DataError` where nobody can be judged by the first.
    """
    found: list[Cut] = []
    judged = events = 0
    inner = _splits(split, said)
    while judged < people and len(found) < MOST_CUTS and (not found or events < MOST_EVENTS):
        try:
            cut = _cut(next(inner), said, people, seed)
        except (DataError, StopIteration):
            if not found:
                raise
            break
        found.append(cut)
        judged += len(cut.people)
        events = (len(found) + 1) * len(cut.rows.item)
    return tuple(found)


def _splits(split: Split, said: EvaluationSettings) -> Iterator[Split]:
    """The training part split as the whole was: anew with other seeds, or further and further back."""
    match split.name:
        case "time":
            return _back(split.train, lambda train: _before(train, said, split.train.rows))
        case "last":
            return _back(split.train, lambda train: split_last(train, said.last))
        case _:
            return (split_random(split.train, said.test_fraction, said.seed + 1 + cut) for cut in range(MOST_CUTS))


def _back(train: Dataset, end: Callable[[Dataset], Split]) -> Iterator[Split]:
    """The end of it, the end of what is before, and so on while enough is left to learn from."""
    inner = end(train)
    yield inner
    while (inner := end(inner.train)).train.rows >= LEAST_LEFT * train.rows:
        yield inner


def _before(train: Dataset, said: EvaluationSettings, events: int) -> Split:
    """The window at the end; where its days leave nobody to judge by or to learn from, a fifth of the events.

    Where no days are declared, as many events as are in the test of one with `events` in its training part.
    """
    if said.test_days is not None:
        try:
            return split_by_time(train, said.test_days)
        except DataError:
            return split_by_time(train, None, 0.2)
    wanted = said.test_fraction / (1 - said.test_fraction) * (events / train.rows)
    return split_by_time(train, None, min(wanted, 0.5))


def _cut(inner: Split, said: EvaluationSettings, people: int, seed: int) -> Cut:
    found = _some(findable(inner.test, len(inner.train.items), said.seen), people, seed)
    return Cut(inner.test.people[found.rows], found, Rows.of(inner.train), inner.description)


def _some(found: Findable, people: int, seed: int) -> Findable:
    """At most `people` of them, drawn by lot."""
    if len(found.truth) <= people:
        return found
    rows = np.sort(np.random.default_rng([seed, 2]).permutation(len(found.truth))[:people])
    histories, truth = found.histories.select(rows), found.truth.select(rows)
    return Findable(histories, truth, found.now, found.rows[rows], found.without_truth, found.repeats)


__all__ = ["Cut", "cuts"]
