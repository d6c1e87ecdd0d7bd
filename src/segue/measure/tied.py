"""The ties at the end of lists: what of them stands behind the last place.

A tie inside a list is seen in its scores. Of one that goes on behind the last place the whole is needed: how many items
it has, and which of them are relevant. So the people of such lists, and only they, are scored once more, without
selecting; a model that has one answer for everybody is scored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories, Requests
from segue.measure.heldout import HeldOut, Seen
from segue.measure.lists import events_of
from segue.measure.ranking import Ranking
from segue.measure.ties import Ties

CELLS = 8_000_000  # of people x items that are scored at once


def ties(recommender: Recommender, test: HeldOut, items: Items, ranking: Ranking, *, seen: Seen = "excluded") -> Ties:
    """The ties of lists that `ranking.rank` made of the same recommender, people and items."""
    behind = np.zeros(len(ranking.lists), np.int64)
    rows = np.flatnonzero(ranking.more)
    missed = [np.empty(0, np.int64)]
    asked = _Asked(recommender, items, ranking, test, seen)
    size = max(1, CELLS // max(len(recommender.items), 1))
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        behind[some], events = asked.behind(some)
        missed.append(events)
    return Ties(ranking.scores, behind, events_of(test.truth, np.concatenate(missed)))


@dataclass(frozen=True)
class _Asked:
    """A recommender that is asked again for people whose last place is tied with items behind the list."""

    recommender: Recommender
    items: Items
    ranking: Ranking
    test: HeldOut
    seen: Seen

    def behind(self, people: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """int64[people]: how many items behind each list are tied with its end; and the events of the truth on them."""
        histories = self.test.histories.select(people).translated(self._ours)
        tied = self._tied(histories, self._ours[self.ranking.lists[people]])
        truth = self.test.truth.select(people)
        row, wanted = truth.row_numbers(), self._ours[truth.items]
        event = np.arange(len(row)) + (self.test.truth.offsets[people] - truth.offsets[:-1])[row]
        among = (wanted != UNKNOWN) & tied[row, wanted]
        return np.maximum(tied.sum(axis=1), 1), event[among]  # one was seen when the list was made

    def _tied(self, histories: Histories, lists: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """bool[people, items]: which items that are not listed have the score of the last place."""
        people = np.arange(len(lists))
        asked = histories if self.recommender.personal else histories.rows(0, 1)
        scores = self.recommender.scores(Requests(asked, self.test.now))
        last = scores[people if len(scores) > 1 else 0, lists[:, -1]]
        tied: npt.NDArray[np.bool_] = scores == last[:, None]
        tied[people[:, None], lists] = False
        tied[:, self._strangers] = False
        if self.seen == "excluded":
            tied[histories.row_numbers(), histories.items] = False
        return tied

    @cached_property
    def _ours(self) -> npt.NDArray[np.int32]:
        return self.items.translation(self.recommender.items)

    @cached_property
    def _strangers(self) -> npt.NDArray[np.intp]:
        """Items of the model that are not the dataset's: no list may have them."""
        return np.flatnonzero(self.recommender.items.translation(self.items) == UNKNOWN)
