"""Lists for people who were held out: all items ranked, in batches whose memory is bounded, timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Recommender, top_unseen
from segue.domain.requests import Requests
from segue.measure.heldout import HeldOut, Seen
from segue.measure.lists import Lists

PEOPLE = 1024  # in one batch at most: each has a list, and recommenders bound what else they make


@dataclass(frozen=True, eq=False)
class Ranking:
    """One list a person, in the codes of the dataset's items, and what it took to make one.

    scores  float32[people, k]: those of the listed items; 0 where a list has ended
    more    bool[people]: whether the next item after the last place has that place's score
    """

    lists: Lists
    scores: npt.NDArray[np.float32]
    more: npt.NDArray[np.bool_]
    microseconds_per_person: float


def rank(
    recommender: Recommender,
    test: HeldOut,
    items: Items,
    k: int,
    *,
    seen: Seen = "excluded",
    progress: Callable[[float], None] | None = None,
) -> Ranking:
    """The `k` best of all items that the model and the dataset know, for every row of `test`; nothing is sampled.

    A list ends, with position -1, where the scores become exactly 0 or not finite: of such items the model knows
    nothing, as `find.retrieval` has it, and their order would be that of their names. With `seen="excluded"` a list has
    no item of the person's own history. The time is that of `top` or `top_unseen`, after one call that is not counted
    (it may compile or load).
    """
    ours, theirs = items.translation(recommender.items), recommender.items.translation(items)
    strangers = theirs == UNKNOWN  # items of the model that are not the dataset's: no list may have them
    asked = Requests(test.histories.translated(ours), test.now)
    people = len(asked)
    lists = np.full((people, k), UNKNOWN, np.int32)
    kept, more = np.zeros((people, k), np.float32), np.zeros(people, np.bool_)
    allow = None if not strangers.any() else ~strangers
    if people:
        _best(recommender, asked.rows(0, 1), k, seen, allow)
    seconds = 0.0
    for start in range(0, people, PEOPLE):
        batch = asked.rows(start, start + PEOPLE)
        began = time.perf_counter()
        best, scores = _best(recommender, batch, k + 1, seen, allow)  # one more, to see whether a tie goes on
        seconds += time.perf_counter() - began
        told = _told(best, scores)
        rows, width = slice(start, start + len(batch)), min(k, best.shape[1])
        lists[rows, :width] = np.append(theirs, UNKNOWN)[np.where(told, best, UNKNOWN)][:, :width]
        kept[rows, :width] = np.where(told, scores, 0)[:, :width]
        if best.shape[1] > k:
            more[rows] = told[:, k] & (scores[:, k] == scores[:, k - 1])
        if progress:
            progress((start + len(batch)) / people)
    return Ranking(lists, kept, more, seconds / max(people, 1) * 1e6)


def _told(best: Lists, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """bool[rows, k]: the places before the first item of which the model knows nothing."""
    told = (best != UNKNOWN) & (scores != 0) & np.isfinite(scores)
    return np.logical_and.accumulate(told, axis=1)


def _best(
    recommender: Recommender, requests: Requests, k: int, seen: Seen, allow: npt.NDArray[np.bool_] | None
) -> tuple[Lists, npt.NDArray[np.float32]]:
    if seen == "excluded":
        return top_unseen(recommender, requests, k, allow=allow)
    return recommender.top(requests, k, allow=allow)
