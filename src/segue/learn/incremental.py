"""Counts kept up to date: of whoever did something new the old part is taken away, and the new one added."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.split.view import Rows
from segue.domain.errors import DataError
from segue.domain.recommender import Recommender
from segue.domain.requests import places_of
from segue.engines.engine import INTERACTIONS, Dataset, Engine, Key
from segue.engines.local import Prepared
from segue.learn.learner import Counted, refuse_empty

People = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Counts:
    """What a counted learner has counted of a dataset; `moved` on to a later one, it is what a full fit counts.

    "Yesterday's counts plus those of today's rows" would lose every pair of an old and a new event. So a person who
    is in the new rows is counted anew, whole: state - part(their rows before) + part(their rows now). What that
    costs goes with how much these people ever did, not with the log. Late events, corrections and people who were
    forgotten are no special case: all that counts is whose rows changed.

    >>> from segue.engines.local import LocalEngine, Table
    >>> from segue.learn.markov import Markov
    >>> monday, tuesday = Table.of(["ann", "bob"], ["x", "x"]), Table.of(["ann", "bob", "ann"], ["x", "x", "y"])
    >>> counts = Counts.of(Markov(), LocalEngine(), monday).moved(tuesday)
    >>> whole = LocalEngine().fold(Markov().aggregate, tuesday)
    >>> all((counts.state[name] == whole[name]).all() for name in whole)
    True
    """

    learner: Counted
    engine: Engine
    dataset: Dataset
    state: Any

    @classmethod
    def of(cls, learner: Counted, engine: Engine, dataset: Dataset) -> Counts:
        """All of a dataset, counted; it is prepared by user."""
        prepared = engine.prepare(dataset, Key.USER)
        return cls(learner, engine, prepared, engine.fold(learner.aggregate, prepared))

    def moved(self, dataset: Dataset, people: People | None = None) -> Counts:
        """The counts of another dataset, from these. `people` are the codes of all whose rows differ; where they are
        not given, they are found by comparing all rows. Raises DataError where item codes changed their meaning."""
        _refuse_other_codes(self.dataset, dataset)
        aggregate: Any = self.learner.aggregate
        after = self.engine.prepare(dataset, Key.USER)
        if not hasattr(aggregate, "subtract"):
            return Counts.of(self.learner, self.engine, after)
        changed = whose_rows_differ(self.dataset, after) if people is None else np.unique(people)
        less, more = (self.engine.fold(aggregate, only(each, changed)) for each in (self.dataset, after))
        state = aggregate.subtract(aggregate.merge(copy.deepcopy(self.state), more), less)
        return Counts(self.learner, self.engine, after, state)

    def recommender(self) -> Recommender:
        """What a full fit on the dataset gives."""
        refuse_empty(self.dataset.rows, self.learner.name)
        return self.learner.finish(self.state, self.dataset.items)


def whose_rows_differ(before: Dataset, after: Dataset) -> npt.NDArray[np.int64]:
    """int64 codes, ascending, of people who have other rows in one of two datasets prepared by user."""
    old, new = _prepared(before), _prepared(after)
    shared = min(len(old.offsets), len(new.offsets)) - 1
    lengths = [np.diff(each.offsets) for each in (old, new)]
    same = lengths[0][:shared] == lengths[1][:shared]
    kept = np.flatnonzero(same & (lengths[0][:shared] > 0))
    places = [places_of(each.offsets, kept) for each in (old, new)]
    equal = np.ones(len(places[0]), np.bool_)
    for name in old.arrays:
        equal &= old.arrays[name][places[0]] == new.arrays[name][places[1]]
    owner = np.repeat(kept, lengths[0][kept])
    same[owner[~equal]] = False
    beyond = max(lengths, key=len)[shared:]
    return np.concatenate([np.flatnonzero(~same), shared + np.flatnonzero(beyond)]).astype(np.int64)


def only(dataset: Dataset, people: People) -> Prepared:
    """The rows of some people of a dataset prepared by user, as such a dataset."""
    whole = _prepared(dataset)
    users = len(whole.offsets) - 1
    chosen = people[people < users].astype(np.int64)
    counts = np.zeros(users, np.int64)
    counts[chosen] = np.diff(whole.offsets)[chosen]
    offsets = np.zeros(users + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    places = places_of(whole.offsets, np.sort(chosen))
    arrays = {name: column[places] for name, column in whole.arrays.items()}
    name = f"{whole.fingerprint} of {len(chosen)}"
    return Prepared(offsets, arrays, Key.USER, whole.items, users, whole.types, name, whole.source)


def _prepared(dataset: Dataset) -> Prepared:
    """The dataset with its arrays; one that is prepared but has none, such as a split's view, is gone through."""
    if isinstance(dataset, Prepared):
        return dataset
    rows = Rows.of(dataset)
    arrays = {name: getattr(rows, name) for name in INTERACTIONS.names}
    return Prepared(rows.offsets, arrays, Key.USER, dataset.items, dataset.users, dataset.types, dataset.fingerprint)


def _refuse_other_codes(before: Dataset, after: Dataset) -> None:
    if after.items.ids[: len(before.items)] != before.items.ids or after.types != before.types:
        raise DataError(
            "the item codes or event types of the two datasets do not mean the same, so counts cannot move on",
            mend="make both from one lake, whose codes never change meaning, or count anew: Counts.of",
        )


__all__ = ["Counts", "only", "whose_rows_differ"]
