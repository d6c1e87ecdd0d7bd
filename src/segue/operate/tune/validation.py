"""The people that settings are judged by: cut from the training part as the test was cut from the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.data.split.split import Split
from segue.data.split.view import Rows
from segue.domain.errors import DataError, unknown
from segue.domain.items import UNKNOWN
from segue.domain.recommender import Recommender
from segue.engines.engine import INTERACTIONS, Dataset, Key
from segue.engines.prepared import Prepared
from segue.measure.heldout import Seen
from segue.measure.metrics import ACCURACY, accuracy
from segue.measure.ranking import rank
from segue.measure.settings import EvaluationSettings
from segue.operate.tune.cuts import Cut, covers, cuts

PEOPLE = 5_000  # that settings are judged by at most, the same for all

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Validation:
    """What settings learn from and are judged by; the test is in neither.

    cuts         of the training part, each with what is learned from and who is judged
    people       int32 codes of those who are judged by any cut, ascending
    metric       such as "ndcg@10"
    description  what was held back, in words
    fingerprint  of the training part (of its rows, so nothing of the test is in it) and of how it was cut
    """

    cuts: tuple[Cut, ...]
    people: npt.NDArray[np.int32]
    metric: str
    seen: Seen
    description: str
    fingerprint: str
    _source: Dataset
    _luck: Floats

    def dataset(self, share: float, cut: int = 0) -> Dataset:
        """What is learned from: all but what a cut holds back, of a share of the people.

        The people of a smaller share are among those of a larger one, and the same in all cuts.
        """
        rows = self.cuts[cut].rows
        name = f"{self.fingerprint}-tuning" + (f"-cut-{cut}" if cut else "")
        if share >= 1:
            return _prepared(rows, self._source, name)
        return _prepared(_kept(rows, self._luck[rows.user] < share), self._source, f"{name}-{share:.4f}")

    def judge(self, fit: Callable[[Dataset], Recommender], share: float) -> tuple[Floats, int]:
        """float64[people], the metric of each person's list, and the bytes of the largest model.

        `fit` is asked once for each cut that is in the share (see `covers`). Of who is judged by several it is the mean
        over these; who is judged by none is left out, so that on one share all settings are judged by the same people.
        """
        cuts, people = covers(share, len(self.cuts))
        sums, judged = np.zeros(len(self.people)), np.zeros(len(self.people))
        sizes = []
        for number, cut in enumerate(self.cuts[:cuts]):
            recommender = fit(self.dataset(people, number))
            rows = np.searchsorted(self.people, cut.people)
            sums[rows] += self.judge_cut(recommender, number)
            judged[rows] += 1
            sizes.append(recommender.nbytes)
        return sums[judged > 0] / judged[judged > 0], max(sizes)

    def judge_cut(self, recommender: Recommender, cut: int = 0) -> Floats:
        """The metric of the list of each person of a cut; a `DataError` where nobody has a list."""
        length = int(self.metric.rpartition("@")[2])
        people = self.cuts[cut].judged
        ranking = rank(recommender, people, self._source.items, length, seen=self.seen)
        if not (ranking.lists != UNKNOWN).any():
            raise self._empty()
        return accuracy(ranking.lists, people.truth, (length,))[self.metric]

    def _empty(self) -> DataError:
        if self.seen == "ranked":
            return DataError("every list is empty: the model says nothing of anybody", mend="see what it learns from")
        return DataError(
            "every list is empty: the model says nothing of what somebody has not had before",
            mend='let lists repeat what somebody had: [evaluation] seen = "ranked"',
        )


def validation(
    split: Split, said: EvaluationSettings, *, metric: str = "ndcg@10", people: int = PEOPLE, seed: int = 0
) -> Validation:
    """Cut what settings are judged by from the training part of a split, in the same way.

    time          the window before the test: of the same number of days, or of about as many events
    last          what is last in the training part
    random, files a share of each person's items in the training part

    Where few people judge, there are several cuts (see `cuts`).
    Nothing here reads the test: neither its rows nor its people. `DataError` where nobody can be judged.
    """
    refuse_unknown(metric)
    found, words = cuts(split, said, people, seed)
    luck = np.random.default_rng([seed, 1]).random(split.train.users)  # one number a person: shares are nested
    return Validation(
        found,
        np.unique(np.concatenate([cut.people for cut in found])),
        metric,
        said.seen,
        words,
        _fingerprint(split.train, words, people, seed),
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
