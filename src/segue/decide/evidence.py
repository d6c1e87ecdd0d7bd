"""Evidence: why each shown item is there, computed from the very score that ranked it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

import numpy as np
import numpy.typing as npt

from segue.decide.wording import EVERYBODY, because, popular
from segue.domain.decisions import Reason
from segue.domain.recommender import Contribution, Reasons
from segue.domain.requests import Requests
from segue.find.past import Past
from segue.find.retrieval import Candidates
from segue.find.sources import Source, Sources

KEPT = 5  # contributions by name; what the others come to is `rest`
NAMED = 2  # items of the history that the text names
POPULARITY = "popularity"  # the label of a part that is how often people turn to the item

FILLS = Reason("No model here speaks for it: it fills the list")
LEFT = "Little speaks for it: it is the best of what is left"


def evidence(sources: Sources, found: Candidates, shown: Sequence[int], types: Mapping[str, str]) -> list[Reason]:
    """One reason for each of the `shown` candidates (indices into `found`), in their order.

    `types` are those of the person's events by item, see `strongest`.
    """
    picked = np.asarray(shown, np.int64)
    origins, positions, scores = found.origins[picked], found.positions[picked], found.scores[picked]
    reasons = [FILLS] * len(picked)
    speaker = _Speaker(sources, types)
    for origin in sorted(set(origins.tolist())):
        source = sources.models.get(found.names[origin])
        if source is not None:
            places = np.flatnonzero(origins == origin)
            items = source.from_all[positions[places]]
            told = speaker.tell(source, found.requests[source.name], items, scores[places])
            for place, reason in zip(places.tolist(), told, strict=True):
                reasons[place] = reason
    return reasons


def strongest(past: Iterable[Past]) -> dict[str, str]:
    """The type of the event that weighs most on each item, the newest of equals: "bought" before "looked at"."""
    types: dict[str, str] = {}
    weights: dict[str, float] = {}
    for event in past:
        if event.weight >= weights.get(event.item, 0.0):
            types[event.item], weights[event.item] = event.type, event.weight
    return types


class _Speaker:
    """Puts parts of scores into words; `types` are those of the person's events by item."""

    def __init__(self, sources: Sources, types: Mapping[str, str]) -> None:
        self._sources = sources
        self._types = types

    def tell(
        self, source: Source, request: Requests, items: npt.NDArray[np.int32], scores: npt.NDArray[np.float32]
    ) -> list[Reason]:
        """One reason for each of `items` (positions in the source's own vocabulary)."""
        if source.parts is not None:
            return self._from_parts(source, *source.parts(request, items), scores.tolist())
        given = source.recommender.reasons(request, items)
        if source.recommender.personal:
            return [self._personal(source, *each) for each in zip(given, scores.tolist(), strict=True)]
        every = source.recommender.scores(request)[0]
        ranks = [int(np.count_nonzero(every > score)) + 1 for score in scores]
        return list(map(_impersonal, given, scores.tolist(), ranks, repeat(len(every))))

    def _from_parts(
        self, source: Source, history: npt.NDArray[np.int32], parts: npt.NDArray[np.floating], scores: list[float]
    ) -> list[Reason]:
        """The same as `_personal`, from all parts in one array: the largest of each column at once."""
        columns = np.arange(len(scores))
        rows = np.argpartition(-parts, KEPT - 1, axis=0)[:KEPT] if len(parts) > KEPT else np.arange(len(parts))[:, None]
        order = np.argsort(-parts[rows, columns], axis=0, kind="stable")
        rows = rows[order, columns] if len(parts) > KEPT else order
        values, places = parts[rows, columns].T.tolist(), history[rows].T.tolist()
        take = source.recommender.items.take
        return [
            self._reason([(item, part) for item, part in zip(take(own), told, strict=True) if part != 0], score)
            for own, told, score in zip(places, values, scores, strict=True)
        ]

    def _personal(self, source: Source, reasons: Reasons, score: float) -> Reason:
        largest = heapq.nlargest(KEPT, reasons.contributions, key=_score)
        ids = source.recommender.items
        named = [(each.label if each.item is None else ids[each.item], each.score) for each in largest]
        labels = [each.label for each in largest[:1] if each.item is None and each.score > 0]
        return self._reason(named, score, _label(labels[0]) if labels else LEFT, exact=reasons.exact)

    def _reason(
        self, named: Sequence[tuple[str, float]], score: float, otherwise: str = LEFT, *, exact: bool = True
    ) -> Reason:
        """In the words of what of the history speaks for it; `otherwise` where nothing does."""
        speaking = [name for name, part in named[:NAMED] if part > 0 and name in self._sources.items]
        titles = [self._sources.title(name) for name in speaking]
        text = because(titles, [self._types.get(name, "") for name in speaking]) if speaking else otherwise
        return Reason(text, tuple(named), _rest(score, named), exact)


def _impersonal(reasons: Reasons, score: float, rank: int, count: int) -> Reason:
    named = [(each.label, each.score) for each in heapq.nlargest(KEPT, reasons.contributions, key=_score)]
    label = named[0][0] if named else POPULARITY
    text = popular(rank, count) if label == POPULARITY else _label(label)
    return Reason(text, tuple(named), _rest(score, named), reasons.exact)


def _label(label: str) -> str:
    """A label as a sentence begins."""
    return EVERYBODY if label == POPULARITY else label[:1].upper() + label[1:]


def _rest(score: float, named: Sequence[tuple[str, float]]) -> float:
    """What is missing to the score, so that contributions and rest sum to it."""
    return math.fsum([score, *(-part for _, part in named)])


def _score(contribution: Contribution) -> float:
    return contribution.score
