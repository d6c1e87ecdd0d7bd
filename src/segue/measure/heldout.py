"""People who were held out of training, and what is left to find for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.errors import DataError
from segue.domain.requests import NO_TIME, Histories

Seen = Literal["excluded", "ranked"]


class HeldOut(Protocol):
    """People who were set aside: what was known of them (`histories`) and what they did next (`truth`).

    Both have one row a person, in the codes of the dataset's items. `now` is the moment the lists are asked at.
    """

    @property
    def histories(self) -> Histories: ...

    @property
    def truth(self) -> Histories: ...

    @property
    def now(self) -> int | None: ...


class Drawn(Protocol):
    """What a split says of itself (`data.split.Split` does)."""

    @property
    def description(self) -> str: ...

    @property
    def test_rows(self) -> int: ...

    @property
    def left_out(self) -> Mapping[str, int]: ...


class HeldBack(msgspec.Struct, frozen=True):
    """What a split held back, in words and in events, and how many of these events judge nobody, by reason."""

    description: str
    test_rows: int
    left_out: dict[str, int]

    @classmethod
    def of(cls, split: Drawn) -> HeldBack:
        """What the split says of itself, as plain data."""
        return cls(split.description, split.test_rows, dict(split.left_out))

    def sentence(self) -> str:
        """What was held back and, where some of it judges nobody, how much and why.

        >>> HeldBack("the last 2 days are held back", 1200, {"new person": 3, "new item": 14}).sentence()
        'the last 2 days are held back; 17 of these 1,200 events judge nobody (new person: 3, new item: 14)'
        """
        if not self.left_out:
            return self.description
        reasons = ", ".join(f"{reason}: {events:,}" for reason, events in self.left_out.items())
        lost = sum(self.left_out.values())
        return f"{self.description}; {lost:,} of these {self.test_rows:,} events judge nobody ({reasons})"


@dataclass(frozen=True, eq=False)
class Findable:
    """The held-out people who have something to find, and what was left out on the way (itself a `HeldOut`).

    rows           int64[people]: their rows in what was held out
    without_truth  people left out because nothing was left to find
    repeats        person-item pairs of the truth left out because the item is in the person's own history
    """

    histories: Histories
    truth: Histories
    now: int | None
    rows: npt.NDArray[np.int64]
    without_truth: int
    repeats: int

    def part(self, start: int, stop: int) -> Findable:
        """The people from `start` to `stop`."""
        histories, truth = self.histories.rows(start, stop), self.truth.rows(start, stop)
        return replace(self, histories=histories, truth=truth, rows=self.rows[start:stop])


def findable(test: HeldOut, items: int, seen: Seen) -> Findable:
    """The truth with each item once a person and, where lists exclude what was seen, without the person's own items.

    `items` is the size of the vocabulary. Raises DataError where nobody is left.
    """
    history, truth = test.histories, test.truth
    wanted = np.unique(truth.row_numbers() * items + truth.items)
    pairs = len(wanted)
    if seen == "excluded":
        wanted = wanted[~np.isin(wanted, history.row_numbers() * items + history.items)]
    lengths = np.bincount(wanted // max(items, 1), minlength=len(truth))
    people = np.flatnonzero(lengths)
    if not len(people):
        raise DataError(
            f"nobody is left to evaluate on: none of the {len(truth)} people of the test did anything new",
            where="[evaluation]",
            mend='hold back more (test_days, test_fraction, last), or set seen = "ranked" so that repeats count',
        )
    return Findable(
        history.select(people),
        _rows_of((wanted % items).astype(np.int32), lengths[people]),
        test.now,
        people.astype(np.int64),
        len(truth) - len(people),
        pairs - len(wanted),
    )


def _rows_of(items: npt.NDArray[np.int32], lengths: npt.NDArray[np.integer]) -> Histories:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    events = len(items)
    return Histories(
        offsets, items, np.ones(events, np.float32), np.full(events, NO_TIME, np.int64), np.zeros(events, np.int8)
    )
