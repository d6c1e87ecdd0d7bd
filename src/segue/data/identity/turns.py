"""Whose a visitor of several users was, and when: the user it was last seen with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from segue.data.lake.snapshot import Snapshot
from segue.domain import columns
from segue.domain.requests import NO_TIME

_NAME: Final = "name"


@dataclass(frozen=True)
class Turns:
    """From when on a visitor was which user's, sorted by visitor, then time; person codes.

    visitors  int32[turns]
    times     int64[turns], microseconds since 1970 UTC: when the visitor was first seen with the user of the turn
    users     int32[turns]
    """

    visitors: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    users: npt.NDArray[np.int32]

    def whose(self, people: npt.NDArray[np.int32], times: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """int32: for each event of `people` at `times` the user whose turn it was; before the first turn, the user of
        that. Who has no turns stays, and so does an event without a time.

        >>> turns = Turns(np.array([7, 7], np.int32), np.array([10, 20]), np.array([1, 2], np.int32))
        >>> turns.whose(np.array([7, 7, 7, 3], np.int32), np.array([5, 19, 20, 20])).tolist()
        [1, 1, 2, 3]
        """
        if not len(self.visitors):
            return people
        first = np.searchsorted(self.visitors, people)
        turned = self.visitors[np.minimum(first, len(self.visitors) - 1)] == people
        rows = np.flatnonzero(turned & (times != NO_TIME))
        last = np.searchsorted(self._keys, self._key(people[rows], times[rows]), side="right") - 1
        whose = people.copy()
        whose[rows] = self.users[np.maximum(last, first[rows])]
        return whose

    @cached_property
    def _moments(self) -> npt.NDArray[np.int64]:
        return np.unique(self.times)

    @cached_property
    def _keys(self) -> npt.NDArray[np.int64]:
        return self._key(self.visitors, self.times)

    def _key(self, people: npt.NDArray[np.int32], times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """One number that sorts as the two do: times count as places among those of all turns."""
        places = np.searchsorted(self._moments, times, side="right")
        return np.asarray(people.astype(np.int64) * (len(self._moments) + 1) + places)


def turns(both: pl.LazyFrame, visitors: npt.NDArray[np.int32], names: pl.Series) -> Turns:
    """The turns of these visitors, from the coded events that name a user and a visitor.

    Of users who were seen at one and the same time, the first by name counts, so that no order of arrival matters. What
    has no time tells of no turn.
    """
    of = pl.LazyFrame({columns.VISITOR: visitors})
    seen = both.filter(pl.col(columns.TIME).is_not_null()).join(of, on=columns.VISITOR, how="semi")
    distinct = seen.select(columns.VISITOR, columns.TIME, columns.USER).unique().collect(engine="streaming")
    users = distinct[columns.USER].unique()
    named = pl.DataFrame({columns.USER: users, _NAME: names.gather(users)})
    ordered = distinct.join(named, on=columns.USER).sort(columns.VISITOR, columns.TIME, _NAME)
    each = ordered.unique([columns.VISITOR, columns.TIME], keep="first", maintain_order=True)
    began = (pl.col(columns.VISITOR) != pl.col(columns.VISITOR).shift(1)) | (
        pl.col(columns.USER) != pl.col(columns.USER).shift(1)
    )
    kept = each.filter(began.fill_null(value=True))
    return Turns(
        kept[columns.VISITOR].to_numpy(), kept[columns.TIME].dt.epoch("us").to_numpy(), kept[columns.USER].to_numpy()
    )


@dataclass(frozen=True)
class Given:
    """What became of the events of visitors of several users that name no user: given to one, or left alone."""

    given: int
    alone: int


def given(snapshot: Snapshot, visitors: npt.NDArray[np.int32], turned: Turns | None) -> Given:
    """How many events of these visitors that name no user count for one, by their time."""
    own = snapshot.coded_events().filter(pl.col(columns.USER).is_null())
    of = pl.LazyFrame({columns.VISITOR: visitors})
    rows = own.join(of, on=columns.VISITOR, how="semi").group_by(columns.VISITOR, columns.TIME).len()
    counted = rows.collect(engine="streaming")
    total = int(counted["len"].sum())
    if turned is None:
        return Given(0, total)
    people = counted[columns.VISITOR].to_numpy()
    times = counted[columns.TIME].dt.epoch("us").fill_null(NO_TIME).to_numpy()
    count = int(counted["len"].to_numpy()[turned.whose(people, times) != people].sum())
    return Given(count, total - count)


__all__ = ["Given", "Turns", "given", "turns"]
