"""Equal scores: what a list is worth in expectation over every order that its ties may take.

A model that gives several items one score does not say which comes first; lists take them by position, that is by
name. A metric of such a list would be decided by names, so it is the mean over all orders of each tie instead, in
closed form: McSherry, Najork 2008, "Computing information retrieval performance measures efficiently in the presence of
tied scores", doi 10.1007/978-3-540-78646-7_38. Scores are tied where they are equal as float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN
from segue.domain.requests import Histories
from segue.measure.lists import Floats, Lists, only


@dataclass(frozen=True, eq=False)
class Ties:
    """What is known of the equal scores of lists, one row a person.

    scores   float32[people, k]: of the listed items
    behind   int64[people]: how many items that are not listed have the score of the last place
    missed   which relevant items are among these
    """

    scores: npt.NDArray[np.float32]
    behind: npt.NDArray[np.int64]
    missed: Histories

    def rows(self, start: int, stop: int) -> Ties:
        """The people from `start` to `stop`."""
        return Ties(self.scores[start:stop], self.behind[start:stop], self.missed.rows(start, stop))

    def select(self, rows: npt.NDArray[np.integer]) -> Ties:
        """The given people."""
        return Ties(self.scores[rows], self.behind[rows], self.missed.select(rows))

    def only(self, wanted: npt.NDArray[np.bool_]) -> Ties:
        """The same where only the items that are True in `wanted` bool[items] are relevant."""
        return Ties(self.scores, self.behind, only(self.missed, wanted))


@dataclass(frozen=True, eq=False)
class Chances:
    """What is to be expected at each rank, float64[k, people]: ranks first, as they are summed over.

    hit           how likely the item there is relevant
    hits_by_then  the hits up to and with that rank where there is one, times `hit`
    first         how likely the first hit is there
    """

    hit: Floats
    hits_by_then: Floats
    first: Floats


def certain(hits: npt.NDArray[np.bool_]) -> Chances:
    """Where nothing is tied: 0 or 1, and the count of hits."""
    hit = np.ascontiguousarray(hits.T).astype(np.float64)
    by_then = np.cumsum(hit, axis=0)
    by_then *= hit
    return Chances(hit, by_then, (by_then == 1).astype(np.float64))


def expected(hits: npt.NDArray[np.bool_], lists: Lists, ties: Ties) -> Chances:
    """The mean over all orders of each tie, for `hits` bool[people, k] in the order of `lists`.

    >>> ties = Ties(np.array([[2, 1, 1]], np.float32), np.array([2]), Histories.of([[9]]))
    >>> expected(np.array([[True, False, False]]), np.array([[5, 6, 7]], np.int32), ties).hit.tolist()
    [[1.0], [0.25], [0.25]]
    """
    chances = certain(hits)
    equal = (ties.scores[:, 1:] == ties.scores[:, :-1]) & (lists[:, 1:] != UNKNOWN)
    lost = np.diff(ties.missed.offsets)
    rows = np.flatnonzero(equal.any(axis=1) & (hits.any(axis=1) | (lost > 0)) | (ties.behind > 0))
    if len(rows):
        parts = _mixed(hits[rows], equal[rows], ties.behind[rows], lost[rows])
        for name, part in zip(("hit", "hits_by_then", "first"), parts, strict=True):
            getattr(chances, name)[:, rows] = part.T
    return chances


def _mixed(
    hits: npt.NDArray[np.bool_],
    equal: npt.NDArray[np.bool_],
    behind: npt.NDArray[np.int64],
    lost: npt.NDArray[np.int64],
) -> tuple[Floats, Floats, Floats]:
    """The three arrays of `Chances`, [rows, k], for rows with ties: `equal` bool[rows, k - 1] to the place before."""
    rows, length = hits.shape
    ranks = np.broadcast_to(np.arange(length), hits.shape)
    starts = ranks.copy()
    starts[:, 1:][equal] = 0
    starts = np.maximum.accumulate(starts, axis=1)
    group = (np.arange(rows)[:, None] * length + starts).ravel()
    last = starts[:, -1] + np.arange(rows) * length  # the group of the last place goes on behind the list
    sizes = np.bincount(group, minlength=rows * length)
    sizes[last] += behind
    relevant = np.bincount(group, hits.ravel(), minlength=rows * length)
    relevant[last] += lost
    size, among = sizes[group].reshape(hits.shape), relevant[group].reshape(hits.shape)
    above = ranks - starts  # places of the tie that are above
    counted = np.cumsum(hits, axis=1, dtype=np.int64) - hits
    before = np.asarray(np.take_along_axis(counted, starts, axis=1))  # hits above the tie: there in every order
    hit = among / size
    by_then = hit * (before + 1 + above * (among - 1) / np.maximum(size - 1, 1))
    next_one = np.minimum(among / (size - above), 1.0)  # a hit here, where the tie had none above
    none_above = np.cumprod(1.0 - next_one, axis=1)
    first = next_one.copy()
    first[:, 1:] *= none_above[:, :-1]
    return hit, by_then, first
