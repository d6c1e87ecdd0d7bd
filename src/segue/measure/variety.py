"""How much the items of a list differ, and whether a list holds a person's categories in the person's own shares.

An item's categories are those of the catalog. Items without any are no part of either metric.

    diversity@k        mean Jaccard distance of the categories over all pairs of the first k that have some,
                       1 - |A and B| / |A or B|: intra-list diversity, Ziegler et al. 2005, doi 10.1145/1060745.1060754;
                       Zhang, Hurley 2008, doi 10.1145/1454008.1454030. No value where there is no pair
    miscalibration@k   sum over the categories c of p(c) ln(p(c) / q(c)), how far the list is from the person's own
                       history: Steck 2018, doi 10.1145/3240323.3240372, equations 2 to 6. p(c) is the mean over the
                       history's events of 1 / (categories of the item) where it has c; q(c) is 0.99 times the same of
                       the list's first k, plus 0.01 p(c). 0: the list has the person's own shares; at most
                       ln 100 = 4.6, of a list without any of them. No value for a history without categories
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segue.domain.requests import Histories
from segue.measure.labels import Labels
from segue.measure.lists import Floats, Lists

CELLS = 4_000_000  # of people x places x labels of a list in one batch
SMOOTHING = 0.01  # Steck's alpha


def diversity(lists: Lists, labels: Labels, cuts: Sequence[int]) -> dict[str, Floats]:
    """The mean distance of pairs in each person's first k, float64[people]."""
    length = min(lists.shape[1], max(cuts))
    lists = np.ascontiguousarray(lists[:, :length])
    most = int(labels.counts().max(initial=0))
    size = max(1, CELLS // max(length * max(length, length * most), 1))
    parts = [_distances(lists[start : start + size], labels) for start in range(0, len(lists), size)]
    totals = np.concatenate([total for total, _ in parts]) if parts else np.zeros((0, length))
    pairs = np.concatenate([pair for _, pair in parts]) if parts else np.zeros((0, length))
    result = {}
    for k in cuts:
        total, pair = totals[:, : min(k, length)].sum(axis=1), pairs[:, : min(k, length)].sum(axis=1)
        result[f"diversity@{k}"] = np.where(pair > 0, total / np.maximum(pair, 1), np.nan)
    return result


def _distances(lists: Lists, labels: Labels) -> tuple[Floats, Floats]:
    """float64[people, k] twice: of each place, the sum of the distances to the places above, and how many they are."""
    people, length = lists.shape
    listed = np.flatnonzero(lists.ravel() >= 0)
    owner, code = labels.expand(lists.ravel()[listed])
    place = listed[owner]
    kinds, within = np.unique(place // max(length, 1) * max(len(labels.names), 1) + code, return_inverse=True)
    first = np.searchsorted(kinds, np.arange(people) * max(len(labels.names), 1))  # a person's labels, counted from 0
    column = within - first[place // max(length, 1)]
    marks = np.zeros((people * length, int(column.max(initial=-1)) + 1), np.float32)
    marks[place, column] = 1
    marks = marks.reshape(people, length, -1)
    both = marks @ marks.transpose(0, 2, 1)
    counts = marks.sum(axis=2)
    either = counts[:, :, None] + counts[:, None, :] - both
    pair = np.tril((counts[:, :, None] > 0) & (counts[:, None, :] > 0), -1)
    distance = np.where(pair, 1 - both / np.maximum(either, 1), 0)
    return distance.sum(axis=2, dtype=np.float64), pair.sum(axis=2).astype(np.float64)


def miscalibration(lists: Lists, histories: Histories, labels: Labels, cuts: Sequence[int]) -> dict[str, Floats]:
    """Steck's divergence of each person's first k from the person's history, float64[people]."""
    people, kinds = len(lists), max(len(labels.names), 1)
    row = histories.row_numbers()
    owner, code = labels.expand(histories.items)
    own, place = np.unique(row[owner] * kinds + code, return_inverse=True)
    share = 1 / np.maximum(labels.counts(), 1)
    weight = np.bincount(place, share[histories.items[owner]], minlength=len(own))
    described = np.bincount(row, labels.counts()[histories.items] > 0, minlength=people)
    person = own // kinds
    p = weight / described[person]
    result = {}
    for k in cuts:
        q = (1 - SMOOTHING) * _listed(lists[:, :k], labels, own) + SMOOTHING * p
        divergence = np.bincount(person, p * np.log(p / q), minlength=people)
        result[f"miscalibration@{k}"] = np.where(described > 0, np.maximum(divergence, 0), np.nan)
    return result


def _listed(lists: Lists, labels: Labels, own: np.ndarray) -> Floats:
    """float64[own]: the share that each list gives to each label that the person has; `own` is person x labels + label,
    ascending."""
    kinds = max(len(labels.names), 1)
    row, _ = np.nonzero(lists >= 0)
    items = lists[lists >= 0]
    counts = labels.counts()[items]
    described = np.bincount(row, counts > 0, minlength=len(lists))
    owner, code = labels.expand(items)
    key = row[owner] * kinds + code
    place = np.minimum(np.searchsorted(own, key), max(len(own) - 1, 0))
    meant = own[place] == key if len(own) else np.zeros(len(key), np.bool_)
    weight = np.bincount(place[meant], (1 / np.maximum(counts, 1))[owner[meant]], minlength=len(own))
    return np.asarray(weight / np.maximum(described, 1)[own // kinds])
