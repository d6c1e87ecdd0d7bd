"""Everything that one model's lists are measured by, one value a person, and what belongs to the model as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from segue.domain import columns
from segue.domain.errors import DataError
from segue.measure.bootstrap import Estimate
from segue.measure.exposure import gini, head, own_popularity, popularity, recall_of, serendipity
from segue.measure.familiarity import Familiarity
from segue.measure.heldout import Findable
from segue.measure.labels import Labels
from segue.measure.lists import Floats, Lists, only
from segue.measure.metrics import ACCURACY, accuracy, coverage, novelty
from segue.measure.settings import EvaluationSettings, Metric
from segue.measure.ties import Ties
from segue.measure.variety import diversity, miscalibration

PEOPLE = 50_000  # whose metrics are computed at once
BY_FAMILIARITY = ("novelty", "new_item_recall", "long_tail_recall", "serendipity", "popularity", "popularity_lift")
BY_CATEGORIES = ("diversity", "miscalibration")


@dataclass(frozen=True)
class Background:
    """What is known of the items besides the test: how many people know each, and what the catalog says."""

    items: int
    familiarity: Familiarity | None = None
    content: pa.Table | None = None

    @cached_property
    def categories(self) -> Labels | None:
        """The categories of each item; None where no item has any."""
        if self.content is None:
            return None
        labels = Labels.of_column(self.content[columns.CATEGORIES])
        return labels if labels.names else None

    def known(self) -> Familiarity:
        """How many people know each item. Raises DataError where that is not given."""
        if self.familiarity is None:
            raise DataError(
                "how many people know each item is not given, and a metric or slice needs it",
                where="[evaluation]",
                mend="evaluate(..., familiarity=familiarity(train)); `segue evaluate` does it by itself",
            )
        return self.familiarity

    def metrics(self, settings: EvaluationSettings) -> tuple[Metric, ...]:
        """What is to be measured: what was asked for, or what the data allow. Raises DataError for what they do not."""
        if settings.metrics:
            if set(settings.metrics) & set(BY_FAMILIARITY):
                self.known()
            if set(settings.metrics) & set(BY_CATEGORIES) and self.categories is None:
                raise DataError(
                    f"{' and '.join(sorted(set(settings.metrics) & set(BY_CATEGORIES)))} go by categories, and no item "
                    "of the catalog has one",
                    where="[evaluation] metrics",
                    mend="give the items categories ([items.columns] categories), or leave these metrics out",
                )
            return tuple(dict.fromkeys(settings.metrics))
        chosen: list[Metric] = ["recall", "precision", "ndcg", "map", "mrr", "hit_rate", "coverage"]
        if self.familiarity is not None:
            chosen.append("novelty")
            if settings.new_items == "counted":
                chosen.append("new_item_recall")
        return (*chosen, "diversity", "miscalibration") if self.categories else tuple(chosen)


@dataclass(frozen=True, eq=False)
class Ratio:
    """Two values a person, NaN where there is none: the metric is the ratio of their means, less 1."""

    above: Floats
    below: Floats


@dataclass(frozen=True, eq=False)
class Measured:
    """One model: float64[people, names], NaN where a person has no value; ratios and estimates of all people."""

    names: tuple[str, ...]
    values: Floats
    ratios: dict[str, Ratio]
    whole: dict[str, Estimate]
    microseconds: float = 0.0

    def of(self, people: npt.NDArray[np.bool_]) -> Measured:
        """What some of the people have, without what only all of them can have."""
        ratios = {name: Ratio(ratio.above[people], ratio.below[people]) for name, ratio in self.ratios.items()}
        return Measured(self.names, self.values[people], ratios, {})


def measure(
    lists: Lists, ties: Ties, people: Findable, background: Background, metrics: Sequence[str], cuts: Sequence[int]
) -> Measured:
    """The `metrics` of one list for each of `people`, at every length of `cuts`."""
    parts = []
    names: tuple[str, ...] = ()
    for start in range(0, len(lists), PEOPLE):
        rows = slice(start, start + PEOPLE)
        batch = _Batch(lists[rows], ties.rows(start, start + PEOPLE), people.part(start, start + PEOPLE))
        values = batch.values(background, metrics, cuts)
        names = tuple(values)
        parts.append(np.stack(list(values.values()), axis=1) if values else np.zeros((len(batch.lists), 0)))
    whole: dict[str, float] = {}
    if "coverage" in metrics:
        whole |= coverage(lists, background.items, cuts)
    if "gini" in metrics:
        whole |= gini(lists, background.items, cuts)
    return Measured(
        names,
        np.concatenate(parts),
        _ratios(lists, people, background, cuts) if "popularity_lift" in metrics else {},
        {name: Estimate(value) for name, value in whole.items()},
    )


def measure_items(
    lists: Lists, ties: Ties, people: Findable, items: npt.NDArray[np.bool_], cuts: Sequence[int]
) -> Measured:
    """Accuracy where only the items that are True in `items` count as relevant; over people who have one to find."""
    truth = only(people.truth, items)
    rows = np.flatnonzero(np.diff(truth.offsets))
    values = accuracy(lists[rows], truth.select(rows), cuts, ties.select(rows).only(items))
    return Measured(tuple(values), np.column_stack(list(values.values())), {}, {})


@dataclass(frozen=True, eq=False)
class _Batch:
    lists: Lists
    ties: Ties
    people: Findable

    def values(self, background: Background, metrics: Sequence[str], cuts: Sequence[int]) -> dict[str, Floats]:
        truth, histories = self.people.truth, self.people.histories
        values = accuracy(self.lists, truth, cuts, self.ties) if set(metrics) & set(ACCURACY) else {}
        values = {name: value for name, value in values.items() if name.partition("@")[0] in metrics}
        if "novelty" in metrics:
            values |= novelty(self.lists, background.known(), cuts)
        if "popularity" in metrics:
            values |= popularity(self.lists, background.known(), cuts)
        if "serendipity" in metrics:
            values |= serendipity(self.lists, truth, histories, background.known(), cuts, self.ties)
        if "long_tail_recall" in metrics:
            values |= self._recall("long_tail_recall", ~head(background.known()), cuts)
        if "new_item_recall" in metrics:
            values |= self._recall("new_item_recall", background.known().known_by == 0, cuts)
        if "diversity" in metrics and background.categories:
            values |= diversity(self.lists, background.categories, cuts)
        if "miscalibration" in metrics and background.categories:
            values |= miscalibration(self.lists, histories, background.categories, cuts)
        return values

    def _recall(self, name: str, wanted: npt.NDArray[np.bool_], cuts: Sequence[int]) -> dict[str, Floats]:
        found = recall_of(self.lists, self.people.truth, wanted, cuts, self.ties)
        return {f"{name}@{k}": values for k, values in zip(cuts, found, strict=True)}


def _ratios(lists: Lists, people: Findable, background: Background, cuts: Sequence[int]) -> dict[str, Ratio]:
    own = own_popularity(people.histories, background.known())
    result = {}
    for k in cuts:
        listed = popularity(lists, background.known(), [k])[f"popularity@{k}"]
        both = ~np.isnan(own + listed)
        result[f"popularity_lift@{k}"] = Ratio(np.where(both, listed, np.nan), np.where(both, own, np.nan))
    return result
