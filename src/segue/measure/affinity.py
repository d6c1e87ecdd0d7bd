"""A sanity figure: how much of each person's list is in the person's own genres or tags, against the baseline's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from segue.domain.errors import DataError
from segue.domain.items import Items
from segue.domain.recommender import Recommender
from segue.domain.requests import Histories
from segue.measure.bootstrap import Estimate, estimates, resampled_means
from segue.measure.heldout import HeldOut
from segue.measure.labels import Labels
from segue.measure.lists import Floats, Lists
from segue.measure.ranking import rank
from segue.measure.settings import EvaluationSettings

CELLS = 4_000_000  # of people x labels in one batch


class Affinity(msgspec.Struct, frozen=True):
    """The share of a model's lists that is in the people's own labels; `difference` is to the baseline."""

    model: str
    share: Estimate
    difference: Estimate | None
    people: int

    def row(self) -> dict[str, Any]:
        """Plain data for a table or JSON."""
        gap = self.difference or Estimate(0.0)
        return {
            "model": self.model,
            "share": self.share.value,
            "low": self.share.low,
            "high": self.share.high,
            "difference": gap.value if self.difference else None,
            "difference_low": gap.low,
            "difference_high": gap.high,
            "people": self.people,
        }


def affinity(
    recommenders: Mapping[str, Recommender],
    test: HeldOut,
    items: Items,
    labels: Mapping[str, Sequence[str]],
    settings: EvaluationSettings | None = None,
    *,
    k: int = 10,
    own: int = 3,
    progress: Callable[[str, float], None] | None = None,
) -> list[Affinity]:
    """For each model, the share of each person's top `k` that has one of the person's `own` most frequent labels.

    A label is as frequent as the events of the person's history on items that have it; ties go by name. The list's
    denominator is its length; an item without labels is in nobody's. People whose history has no label are left out.
    `labels` maps item ids to labels. Raises DataError where no history has one.
    """
    settings = settings or EvaluationSettings()
    table = Labels.of(items, labels)
    shares: dict[str, Floats] = {}
    for number, (name, recommender) in enumerate(recommenders.items()):
        if progress:
            progress(f"ranking: {name}", number / len(recommenders))
        lists = rank(recommender, test, items, k, seen=settings.seen).lists
        share = own_share(lists, test.histories, table, own)
        shares[name] = share[~np.isnan(share)]
    if any(not len(share) for share in shares.values()):
        raise DataError(
            "no person of the test has a labelled item in the history",
            mend="see that the catalog has the attribute, and that its item ids are those of the events",
        )
    return _against(shares, settings)


def own_share(lists: Lists, histories: Histories, labels: Labels, own: int) -> Floats:
    """float64[people]: the share of each list in the person's own labels; NaN where the history has no label. An
    empty list has the share 0."""
    result = np.full(len(lists), np.nan)
    size = max(1, CELLS // max(len(labels.names), 1))
    for start in range(0, len(lists), size):
        batch = lists[start : start + size]
        favourites = _favourites(histories.rows(start, start + size), labels, own)
        listed = batch >= 0
        rows = np.nonzero(listed)[0]
        owner, code = labels.expand(batch[listed])
        inside = np.zeros(len(rows), np.bool_)
        inside[owner[favourites[rows[owner], code]]] = True
        hits = np.bincount(rows[inside], minlength=len(batch))
        known = favourites.any(axis=1)
        result[start : start + size][known] = hits[known] / np.maximum(listed.sum(axis=1)[known], 1)
    return result


def _favourites(histories: Histories, labels: Labels, own: int) -> npt.NDArray[np.bool_]:
    """bool[people, labels]: the `own` most frequent labels of each history, of those that it has at all."""
    people, count = len(histories), len(labels.names)
    result = np.zeros((people, count), np.bool_)
    if not count:
        return result
    owner, code = labels.expand(histories.items)
    cell = histories.row_numbers()[owner] * count + code
    counts = np.bincount(cell, minlength=people * count).reshape(people, count)
    order = counts * count + (count - 1 - np.arange(count))  # ties go to the first name
    keep = min(own, count)
    best = np.argpartition(order, count - keep, axis=1)[:, count - keep :]
    np.put_along_axis(result, best, np.take_along_axis(counts, best, axis=1) > 0, axis=1)
    return result


def _against(shares: Mapping[str, Floats], settings: EvaluationSettings) -> list[Affinity]:
    """Means and paired differences, all from the same resamples of the same people."""
    if not shares:
        return []
    names = list(shares)
    values = np.column_stack([shares[name] for name in names])
    resampled = resampled_means(values, settings.bootstrap, settings.seed)
    own = estimates(values, resampled, settings.confidence)
    if settings.baseline not in names:
        return [Affinity(name, own[row], None, len(values)) for row, name in enumerate(names)]
    base = [names.index(settings.baseline)]
    gaps = estimates(values - values[:, base], resampled - resampled[:, base], settings.confidence)
    return [
        Affinity(name, own[row], None if name == settings.baseline else gaps[row], len(values))
        for row, name in enumerate(names)
    ]
