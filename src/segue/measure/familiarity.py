"""How many of the training people know each item: what novelty is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain import columns
from segue.domain.errors import DataError
from segue.domain.requests import NO_TIME
from segue.engines.engine import Dataset, Key

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Familiarity:
    """How well the training people know each item.

    known_by    int64[items]: how many of `people` know it
    first_seen  int64[items]: the earliest event on it, microseconds since 1970 UTC, NO_TIME where there is none; None
                where it was not looked at
    """

    known_by: npt.NDArray[np.int64]
    people: int
    first_seen: npt.NDArray[np.int64] | None = None

    def shares(self) -> npt.NDArray[np.float64]:
        """float64[items]: the share of the people who know it."""
        return self.known_by / max(self.people, 1)

    def self_information(self) -> npt.NDArray[np.float64]:
        """float64[items]: -log2 of the share of the people who know it. An item that nobody knows counts as known to
        one person, so that the surprise is large but finite."""
        share = np.maximum(self.known_by, 1) / max(self.people, 1)
        return -np.log2(np.minimum(share, 1.0))


def familiarity(dataset: Dataset) -> Familiarity:
    """How many people of the training data know each item, each person counted once an item.

    `dataset` is prepared by user, so that a person's rows lie in one batch; raises DataError where it is not.
    """
    if dataset.key != Key.USER:
        raise DataError(
            f"expected a dataset that is prepared by user, found key {dataset.key}",
            mend="call engine.prepare(dataset, Key.USER) first",
        )
    items = len(dataset.items)
    known = np.zeros(items, np.int64)
    first = np.full(items, _NEVER)
    people = 0
    for part in dataset.partitions(1, (columns.USER, columns.ITEM, columns.TIME)):
        for batch in part:
            user = batch.column(columns.USER).to_numpy().astype(np.int64)
            item, time = batch.column(columns.ITEM).to_numpy(), batch.column(columns.TIME).to_numpy()
            pairs = np.unique(user * items + item)
            known += np.bincount(pairs % max(items, 1), minlength=items)
            people += len(np.unique(user))
            timed = time != NO_TIME
            np.minimum.at(first, item[timed], time[timed])
    return Familiarity(known, people, np.where(first == _NEVER, NO_TIME, first))
