"""The people that settings are judged by: cut from the training part as the test was cut from the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.data.split.split import Split, split_by_time, split_last, split_random
from segue.data.split.view import Rows
from segue.domain.errors import DataError, unknown
from segue.domain.recommender import Recommender
from segue.engines.engine import INTERACTIONS, Dataset, Key
from segue.engines.prepared import Prepared
from segue.measure.heldout import Findable, Seen, findable
from segue.measure.metrics import ACCURACY, accuracy
from segue.measure.ranking import rank
from segue.measure.settings import EvaluationSettings

PEOPLE = 5_000  # that settings are judged by at most, the same for all


@dataclass(frozen=True, eq=False)
class Validation:
    """What settings learn from and are judged by; the test is in neither.

    people       those who are judged, at most as many as were asked for
    metric       such as "ndcg@10"
    description  what was held back, in words
    fingerprint  of the training part (of its rows, so nothing of the test is in it) and of how it was cut
    """

    people: Findable
    metric: str
    seen: Seen
    description: str
    fingerprint: str
    _rows: Rows
    _source: Dataset
    _luck: npt.NDArray[np.float64]

    def dataset(self, share: float) -> Dataset:
        """What is learned from: all but what is held back, of a share of the people.

        The people of a smaller share are among those of a larger one.
        """
        if share >= 1:
            return _prepared(self._rows, self._source, f"{self.fingerprint}-tuning")
        keep = self._luck[self._rows.user] < share
        return _prepared(_kept(self._rows, keep), self._source, f"{self.fingerprint}-tuning-{share:.4f}")

    def judge(
        self, recommender: Recommender, progress: Callable[[float], None] | None = None
    ) -> npt.NDArray[np.float64]:
        """float64[people]: the metric of each person's list."""
        cut = int(self.metric.rpartition("@")[2])
        ranking = rank(recommender, self.people, self._source.items, cut, seen=self.seen, progress=progress)
        return accuracy(ranking.lists, self.people.truth, (cut,))[self.metric]


def validation(
    split: Split, said: EvaluationSettings, *, metric: str = "ndcg@10", people: int = PEOPLE, seed: int = 0
) -> Validation:
    """Cut what settings are judged by from the training part of a split, in the same way.

    time          the window before the test: of the same number of days, or of about as many events
    last          what is last in the training part
    random, files a share of each person's items in the training part

    Nothing here reads the test: neither its rows nor its people. `DataError` where nobody can be judged.
    """
    refuse_unknown(metric)
    inner = _cut(split, said)
    found = findable(inner.test, len(inner.train.items), said.seen)
    rows = Rows.of(inner.train)
    luck = np.random.default_rng([seed, 1]).random(inner.train.users)  # one number a person: shares are nested
    return Validation(
        _some(found, people, seed),
        metric,
        said.seen,
        inner.description,
        _fingerprint(split.train, inner.description, people, seed),
        rows,
        split.train,
        luck,
    )


def refuse_unknown(metric: str) -> None:
    """An `UnknownName` for a metric that no person has one of.

    >>> refuse_unknown("ndgc@10")
    Traceback (most recent call last):
    ...
    segue.domain.errors.UnknownName: no metric is called 'ndgc@10'
      → did you mean 'ndcg@10'? known: hit_rate@10, map@10, mrr@10, ndcg@10, precision@10, recall@10
    """
    name, _, cut = metric.partition("@")
    if name not in ACCURACY or not (cut.isdigit() and 1 <= int(cut) <= 1000):
        cut = cut if cut.isdigit() and 1 <= int(cut) <= 1000 else "10"
        raise unknown("metric", metric, [f"{each}@{cut}" for each in ACCURACY])


def _cut(split: Split, said: EvaluationSettings) -> Split:
    match split.name:
        case "time":
            return _before(split.train, said)
        case "last":
            return split_last(split.train, said.last)
        case _:
            return split_random(split.train, said.test_fraction, said.seed + 1)


def _before(train: Dataset, said: EvaluationSettings) -> Split:
    """The window before the test; where it leaves nobody to judge by or to learn from, a fifth of the events."""
    if said.test_days is not None:
        try:
            return split_by_time(train, said.test_days)
        except DataError:
            return split_by_time(train, None, 0.2)
    return split_by_time(train, None, min(said.test_fraction / (1 - said.test_fraction), 0.5))


def _some(found: Findable, people: int, seed: int) -> Findable:
    """At most `people` of them, drawn by lot."""
    if len(found.truth) <= people:
        return found
    rows = np.sort(np.random.default_rng([seed, 2]).permutation(len(found.truth))[:people])
    histories, truth = found.histories.select(rows), found.truth.select(rows)
    return Findable(histories, truth, found.now, found.rows[rows], found.without_truth, found.repeats)


def _fingerprint(train: Dataset, *said: object) -> str:
    """Of every row of the training part. That of the whole dataset would change with the test."""
    rows = Rows.of(train)
    digest = hashlib.blake2b(repr((train.types, *said)).encode(), digest_size=16)
    for name in INTERACTIONS.names:
        digest.update(np.ascontiguousarray(getattr(rows, name)).data)
    return digest.hexdigest()


def _kept(rows: Rows, keep: npt.NDArray[np.bool_]) -> Rows:
    counts = np.bincount(rows.user[keep], minlength=len(rows.offsets) - 1)
    arrays = {name: getattr(rows, name)[keep] for name in INTERACTIONS.names}
    return Rows(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), **arrays, items=rows.items)


def _prepared(rows: Rows, source: Dataset, fingerprint: str) -> Prepared:
    arrays = {name: getattr(rows, name) for name in INTERACTIONS.names}
    return Prepared(rows.offsets, arrays, Key.USER, source.items, source.users, source.types, fingerprint, source)


__all__ = ["Validation", "refuse_unknown", "validation"]
