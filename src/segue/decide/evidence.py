"""Evidence: why each shown item is there, computed from the very score that ranked it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from segue.decide.wording import because, popular
from segue.domain.decisions import Reason
from segue.domain.recommender import Contribution, Reasons
from segue.find.past import Past
from segue.find.retrieval import Candidates
from segue.find.sources import Source, Sources

KEPT = 5  # contributions by name; what the others come to is `rest`
NAMED = 2  # items of the history that the text names
UNKNOWN_ITEM = Reason("Nobody has turned to it yet: it fills the list")


def evidence(sources: Sources, found: Candidates, shown: Sequence[int], past: Sequence[Past]) -> list[Reason]:
    """One reason for each of the `shown` candidates (indices into `found`), in their order."""
    picked = np.asarray(shown, np.int64)
    origins, positions, scores = found.origins[picked], found.positions[picked], found.scores[picked]
    reasons = [UNKNOWN_ITEM] * len(picked)
    types = {event.item: event.type for event in past}
    for origin in np.unique(origins).tolist():
        source = sources.models.get(found.names[origin])
        if source is None:
            continue
        places = np.flatnonzero(origins == origin)
        told = _told(sources, source, found, positions[places], scores[places].tolist(), types)
        for place, reason in zip(places.tolist(), told, strict=True):
            reasons[place] = reason
    return reasons


def _told(
    sources: Sources,
    source: Source,
    found: Candidates,
    positions: npt.NDArray[np.int32],
    scores: list[float],
    types: dict[str, str],
) -> Iterable[Reason]:
    model, request = source.recommender, found.requests[source.name]
    items = source.from_all[positions]
    given = model.reasons(request, items)
    if not model.personal:
        every = model.scores(request)[0]
        ranks = [int(np.count_nonzero(every > score)) + 1 for score in scores]
        return [
            _impersonal(reasons, score, rank, len(every))
            for reasons, score, rank in zip(given, scores, ranks, strict=True)
        ]
    return [_personal(sources, source, reasons, score, types) for reasons, score in zip(given, scores, strict=True)]


def _personal(sources: Sources, source: Source, reasons: Reasons, score: float, types: dict[str, str]) -> Reason:
    largest = heapq.nlargest(KEPT, reasons.contributions, key=_score)
    ids = source.recommender.items
    named = [(each.label if each.item is None else ids[each.item], each.score) for each in largest]
    speaking = [ids[each.item] for each in largest[:NAMED] if each.item is not None and each.score > 0]
    if speaking:
        text = because([sources.title(item) for item in speaking], [types.get(item, "") for item in speaking])
    else:
        text = "Little speaks for it: it is the best of what is left"
    return Reason(text, tuple(named), _rest(score, named), reasons.exact)


def _impersonal(reasons: Reasons, score: float, rank: int, count: int) -> Reason:
    named = tuple((each.label, each.score) for each in heapq.nlargest(KEPT, reasons.contributions, key=_score))
    label = named[0][0] if named else "popularity"
    text = popular(rank, count) if label == "popularity" else label[:1].upper() + label[1:]
    return Reason(text, named, _rest(score, named), reasons.exact)


def _rest(score: float, named: Iterable[tuple[str, float]]) -> float:
    """What is missing to the score, so that contributions and rest sum to it."""
    return math.fsum([score, *(-part for _, part in named)])


def _score(contribution: Contribution) -> float:
    return contribution.score
