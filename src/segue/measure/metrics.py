"""Ranking metrics of every person at several list lengths, in whole-array NumPy; each with the definition it follows.

Relevance is binary: an item is relevant where it is in the person's truth. `T` is the number of a person's relevant
items, `rel(i)` whether the item at rank `i` (from 1) is one. A list may be shorter than `k`: its missing places are
no hits, and are not forgiven.

    recall@k     hits in the first k / T.  Denominator T, not min(k, T): `recall_k` of trec_eval, ranx, RecTools
    precision@k  hits in the first k / k.  Denominator k however short the list: `P_k` of trec_eval, RecTools
    ndcg@k       sum rel(i) / log2(i + 1) over the first k, divided by that of the best list of min(k, T) relevant items
                 ("ideal truncated at k"): Järvelin, Kekäläinen 2002; `ndcg_cut_k` of trec_eval; RecTools with
                 divide_by_achievable=True (its default divides by k relevant items whether the person has them or not)
    map@k        sum rel(i) precision@i over the first k, divided by T: `map_cut_k` of trec_eval, ranx, RecTools
    mrr@k        1 / rank of the first hit, 0 where there is none in the first k: Voorhees 1999; RecTools
    hit_rate@k   1 where there is a hit in the first k, else 0: Deshpande, Karypis 2004
    novelty@k    mean self-information -log2(p) of the listed items, where p is the share of the training people who
                 know the item, at least one of them: Zhou et al. 2010, doi 10.1073/pnas.1000488107; RecTools'
                 MeanInvUserFreq
    coverage@k   share of all items that are in somebody's first k: Ge et al. 2010, doi 10.1145/1864708.1864761. It
                 belongs to a model, not to a person
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segue.domain.requests import Histories
from segue.measure.familiarity import Familiarity
from segue.measure.lists import Floats, Lists
from segue.measure.ties import Chances, Ties, certain, expected

PEOPLE = 2048  # whose values are computed at once: what is between stays in the cache
CELLS = 1_000_000  # of people x items that are marked at once
ACCURACY = ("recall", "precision", "ndcg", "map", "mrr", "hit_rate")


def accuracy(lists: Lists, truth: Histories, cuts: Sequence[int], ties: Ties | None = None) -> dict[str, Floats]:
    """Each of `ACCURACY` at each of `cuts`, as float64[people] under names such as "ndcg@10".

    `truth` has one row a person, in the vocabulary of `lists`, no item twice in a row. Where a row is empty, all of
    the person's values are 0: leave such people out before. With `ties`, each value is the expectation over all
    orders of the items whose scores are equal.

    >>> lists, truth = np.array([[7, 3, 5]], np.int32), Histories.of([[3, 9]])
    >>> {name: round(float(value[0]), 3) for name, value in accuracy(lists, truth, [3]).items()}
    {'recall@3': 0.5, 'precision@3': 0.333, 'ndcg@3': 0.387, 'map@3': 0.25, 'mrr@3': 0.5, 'hit_rate@3': 1.0}
    """
    result = {f"{name}@{k}": np.zeros(len(lists)) for k in cuts for name in ACCURACY}
    for start in range(0, len(lists), PEOPLE):
        rows = slice(start, start + PEOPLE)
        hits = found(lists[rows], truth.rows(start, rows.stop))
        chances = certain(hits) if ties is None else expected(hits, lists[rows], ties.rows(start, rows.stop))
        relevant = np.diff(truth.offsets[start : rows.stop + 1])
        for name, values in _metrics(chances, relevant, cuts).items():
            result[name][rows] = values
    return result


def _metrics(chances: Chances, truths: npt.NDArray[np.integer], cuts: Sequence[int]) -> dict[str, Floats]:
    """The metrics of some people from what is at their ranks, and how many items are relevant to each."""
    relevant = np.maximum(truths, 1).astype(np.float64)
    ranks = np.arange(1, len(chances.hit) + 1)
    counts = _sums(chances.hit, None, cuts)
    gains = _sums(chances.hit, 1 / np.log2(ranks + 1), cuts)
    precisions = _sums(chances.hits_by_then, 1 / ranks, cuts)
    reciprocals, any_hit = _sums(chances.first, 1 / ranks, cuts), _sums(chances.first, None, cuts)
    result: dict[str, Floats] = {}
    for k in cuts:
        result[f"recall@{k}"] = counts[k] / relevant
        result[f"precision@{k}"] = counts[k] / k
        result[f"ndcg@{k}"] = gains[k] / _ideal(k)[np.minimum(relevant, k).astype(np.int64)]
        result[f"map@{k}"] = precisions[k] / relevant
        result[f"mrr@{k}"] = reciprocals[k]
        result[f"hit_rate@{k}"] = any_hit[k]
    return result


def _sums(values: Floats, weights: Floats | None, cuts: Sequence[int]) -> dict[int, Floats]:
    """By cut the sum of `values` float64[k, people] over the first so many ranks, each times its weight.

    Whole rows are added, which is quick and, unlike a product by BLAS, the same with any number of threads.
    """
    weighted = values if weights is None else values * weights[:, None]
    total, done, result = np.zeros(values.shape[1]), 0, {}
    for k in sorted(cuts):
        total = total + weighted[done:k].sum(axis=0)
        result[k], done = total, k
    return result


def novelty(lists: Lists, familiarity: Familiarity, cuts: Sequence[int]) -> dict[str, Floats]:
    """The mean self-information of each person's list in bits, float64[people]; 0 for an empty list."""
    bits = np.append(familiarity.self_information(), 0.0)[lists]  # position -1 is the appended 0
    totals = np.cumsum(bits, axis=1)
    lengths = np.cumsum(lists >= 0, axis=1)
    result = {}
    for k in cuts:
        end = min(k, lists.shape[1]) - 1
        result[f"novelty@{k}"] = _column(totals, end) / np.maximum(_column(lengths, end), 1)
    return result


def coverage(lists: Lists, items: int, cuts: Sequence[int]) -> dict[str, float]:
    """The share of all `items` that are in at least one of the lists."""
    result = {}
    for k in cuts:
        listed = np.zeros(items + 1, np.bool_)  # the last place is that of position -1
        listed[lists[:, :k]] = True
        result[f"coverage@{k}"] = float(listed[:items].sum()) / max(items, 1)
    return result


def expected_hits(lists: Lists, truth: Histories, cuts: Sequence[int], ties: Ties) -> Floats:
    """float64[people, cuts]: how many relevant items are to be expected in each list's first k."""
    sums = _sums(expected(found(lists, truth), lists, ties).hit, None, cuts)
    return np.column_stack([sums[k] for k in cuts])


def found(lists: Lists, truth: Histories) -> npt.NDArray[np.bool_]:
    """bool[people, k]: whether the item at each rank is in the person's truth.

    A table of people x items is marked, read and wiped a few people at a time: no sorting, and it stays in the cache.
    """
    people, length = lists.shape
    hits = np.zeros((people, length), np.bool_)
    if not len(truth.items) or not lists.size:
        return hits
    span = int(max(truth.items.max(), lists.max())) + 2  # the last place of each row is never marked: -1 reads there
    size = max(1, min(people, CELLS // span))
    marks = np.zeros(size * span, np.bool_)
    starts = np.arange(people) % size * span
    wanted = np.repeat(starts, np.diff(truth.offsets))
    wanted += truth.items
    asked = lists + starts[:, None]
    for first in range(0, people, size):
        batch = slice(first, min(first + size, people))
        events = wanted[truth.offsets[batch.start] : truth.offsets[batch.stop]]
        marks[events] = True
        hits[batch] = marks[asked[batch]]
        marks[events] = False
    return hits


def _column(cumulated: npt.NDArray[np.generic], end: int) -> Floats:
    """Column `end` of a running total; zeros where the lists have no places at all."""
    return cumulated[:, end].astype(np.float64) if end >= 0 else np.zeros(len(cumulated))


def _ideal(k: int) -> Floats:
    """float64[k + 1]: the gain of the best list by the number of relevant items in it; 1 for none, to divide by."""
    gains = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))
    return np.concatenate([[1.0], gains])
