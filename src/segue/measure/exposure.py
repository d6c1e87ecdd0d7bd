"""How lists treat the popular, the unpopular and the new.

An item is as popular as training people know it, each person counted once (`Familiarity.known_by`). `p(i)` is the share
of them. No definition here goes by an item's name: of equally popular items all are popular, or none is.

    popularity@k        mean p of the first k: average recommendation popularity (ARP), Yin et al. 2012,
                        doi 10.14778/2311906.2311916. No value for an empty list
    popularity_lift@k   ARP over people, divided by the mean p of their own histories' items, less 1: popularity lift,
                        Abdollahpouri et al. 2020, doi 10.1145/3383313.3418487. 0: lists are as popular as what people
                        chose by themselves; 1: twice as popular. Over people who have both a list and a history
    long_tail_recall@k  recall of the relevant items that are not in the head. The head are the most known items that
                        make up 80 % of all pairs of a person and an item, and what is as known as the last of them; in
                        the tail are all others (Celma, Cano 2008, doi 10.1145/1722149.1722154). No value for who has
                        nothing to find there
    new_item_recall@k   recall of the relevant items that nobody in the training part knew. No value for who has none
    serendipity@k       hits in the first k that popularity would not have given, divided by k: Ge et al. 2010,
                        doi 10.1145/1864708.1864761. It would have given the k most known items that the person did not
                        have, and what is as known as the last of them
    gini@k              Gini index of how often each item is listed in somebody's first k, over all items: 0 where each
                        is listed equally often, near 1 where few have all places. Of a model, not of a person.
                        Fleder, Hosanagar 2009, doi 10.1287/mnsc.1080.0974
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segue.domain.requests import Histories
from segue.measure.familiarity import Familiarity
from segue.measure.lists import Floats, Lists, events_of, only
from segue.measure.metrics import expected_hits
from segue.measure.ties import Ties

HEAD = 0.8  # of all pairs of a person and an item


def popularity(lists: Lists, known: Familiarity, cuts: Sequence[int]) -> dict[str, Floats]:
    """ARP of each person's list, float64[people]; NaN for an empty one."""
    shares = np.append(known.shares(), 0.0)[lists]  # position -1 is the appended 0
    result = {}
    for k in cuts:
        lengths = (lists[:, :k] >= 0).sum(axis=1)
        result[f"popularity@{k}"] = _over(shares[:, :k].sum(axis=1), lengths)
    return result


def own_popularity(histories: Histories, known: Familiarity) -> Floats:
    """The mean share of the people who know the items of each history, each item once; NaN for an empty one."""
    items = len(known.known_by)
    pairs = np.unique(histories.row_numbers() * items + histories.items)
    row = pairs // max(items, 1)
    total = np.bincount(row, known.shares()[pairs % max(items, 1)], minlength=len(histories))
    return _over(total, np.bincount(row, minlength=len(histories)))


def head(known: Familiarity, share: float = HEAD) -> npt.NDArray[np.bool_]:
    """bool[items]: the most known items that make up `share` of all pairs, and those as known as the last of them.

    >>> head(Familiarity(np.array([1, 6, 2, 2, 0]), 6)).tolist()
    [False, True, True, True, False]
    """
    ranked = np.sort(known.known_by)[::-1]
    total = int(ranked.sum())
    if not total:
        return np.zeros(len(ranked), np.bool_)
    last = int(np.searchsorted(np.cumsum(ranked), share * total))
    return np.asarray(known.known_by >= max(int(ranked[min(last, len(ranked) - 1)]), 1))


def recall_of(
    lists: Lists, truth: Histories, wanted: npt.NDArray[np.bool_], cuts: Sequence[int], ties: Ties
) -> list[Floats]:
    """At each cut the recall of the relevant items that are True in `wanted` bool[items]; NaN for who has none."""
    part = only(truth, wanted)
    counts = expected_hits(lists, part, cuts, ties.only(wanted))
    return [_over(counts[:, place], np.diff(part.offsets)) for place in range(len(cuts))]


def serendipity(
    lists: Lists, truth: Histories, histories: Histories, known: Familiarity, cuts: Sequence[int], ties: Ties
) -> dict[str, Floats]:
    """The share of each person's first k that are hits which popularity would not have given, float64[people]."""
    result = {}
    ranks = _Ranks(known, histories)
    for k in cuts:
        bar = ranks.bar(k)
        missed = Ties(ties.scores, ties.behind, _below(ties.missed, known, bar))
        result[f"serendipity@{k}"] = expected_hits(lists, _below(truth, known, bar), [k], missed)[:, 0] / k
    return result


def gini(lists: Lists, items: int, cuts: Sequence[int]) -> dict[str, float]:
    """The Gini index of how often each of all `items` is listed; 0 where no list has any."""
    result = {}
    for k in cuts:
        listed = lists[:, :k].ravel()
        counts = np.sort(np.bincount(listed[listed >= 0], minlength=items)).astype(np.float64)
        weights = 2 * np.arange(1, items + 1) - items - 1
        result[f"gini@{k}"] = float(weights @ counts) / max(items * counts.sum(), 1.0)
    return result


class _Ranks:
    """The places of people's own items among all items by how known they are."""

    def __init__(self, known: Familiarity, histories: Histories) -> None:
        order = np.argsort(-known.known_by, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        items = max(len(order), 1)
        pairs = np.unique(histories.row_numbers() * items + place[histories.items])
        self._row, own = pairs // items, pairs % items
        counts = np.bincount(self._row, minlength=len(histories))
        before = np.cumsum(counts) - counts
        self._others_above = own - (np.arange(len(own)) - before[self._row])  # items of others that are more known
        self._ranked = known.known_by[order]
        self._people = len(histories)

    def bar(self, k: int) -> npt.NDArray[np.int64]:
        """int64[people]: how many know the k-th most known item that a person did not have; at least 1."""
        own = np.bincount(self._row[self._others_above < k], minlength=self._people)
        if not len(self._ranked):
            return np.ones(self._people, np.int64)
        return np.asarray(np.maximum(self._ranked[np.minimum(k + own, len(self._ranked)) - 1], 1))


def _below(histories: Histories, known: Familiarity, bar: npt.NDArray[np.int64]) -> Histories:
    """The events on items that fewer know than each person's `bar`."""
    return events_of(histories, np.flatnonzero(known.known_by[histories.items] < bar[histories.row_numbers()]))


def _over(total: npt.NDArray[np.generic], count: npt.NDArray[np.integer]) -> Floats:
    """A mean, NaN where there is nothing to take one of."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
