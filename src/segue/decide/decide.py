"""One request to one surface becomes one list, with its probabilities, its reasons, and all that was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from segue.decide.ask import Ask
from segue.decide.evidence import evidence
from segue.decide.fallback import fallback_of
from segue.decide.policy import policy_of
from segue.decide.sample import Drawn, decision_id, draw, seed_of, standardised
from segue.decide.surface import Surface
from segue.domain.decisions import CANDIDATES_KEPT, Candidate, Decision, Drop, Reason, Shown
from segue.domain.errors import RequestError
from segue.find.filters import Filter
from segue.find.past import Past
from segue.find.retrieval import Candidates, Wanted, people_at_once, retrieve
from segue.find.sources import Sources, Trail, microseconds


def decide(surface: Surface, sources: Sources, ask: Ask) -> Decision:
    """What this surface shows, to this person, now.

    Deterministic: the same ask to the same release is the same decision. `UnknownName` where the surface names a model
    that the release does not hold, `RequestError` (422) where `k` is not from 1 to 200.
    """
    [decision] = decide_all(surface, sources, [ask])
    return decision


def decide_all(surface: Surface, sources: Sources, asks: Sequence[Ask]) -> Iterator[Decision]:
    """What this surface shows to each of these people: each model is asked once for all who need it, if they ask at
    the same `now`. `people_at_once` says how many to bring, for memory grows with people x items.
    """
    barred = [_barred(surface, sources, ask.events, microseconds(ask.now)) for ask in asks]
    wanted = [_wanted(surface, sources, ask, each.allowed) for ask, each in zip(asks, barred, strict=True)]
    found = retrieve(sources, wanted)
    return (_decided(surface, sources, *each) for each in zip(asks, barred, wanted, found, strict=True))


def _wanted(surface: Surface, sources: Sources, ask: Ask, allowed: npt.NDArray[np.bool_]) -> Wanted:
    trail = sources.trail(ask.events)
    names = _usable(surface, sources, trail)
    return Wanted(names, trail, allowed, _length(surface, ask), microseconds(ask.now), ask.context)


def _decided(
    surface: Surface, sources: Sources, ask: Ask, barred: Filter, wanted: Wanted, found: Candidates
) -> Decision:
    seed, top, k = seed_of(ask.surface, ask.request_id), surface.exploration.top, wanted.k
    scores = standardised(found.scores, found.origins, top)
    drawn = draw(policy_of(surface.exploration), scores, sources.groups[found.positions], k, seed, top)
    reasons = evidence(sources, found, drawn.order, ask.events)
    fallback = fallback_of(surface, sources, wanted.trail, ask, found)
    return _decision(surface, ask, seed, _candidates(sources, found), barred.drops, drawn, reasons, fallback)


def _length(surface: Surface, ask: Ask) -> int:
    k = surface.k if ask.k is None else ask.k
    if not 1 <= k <= CANDIDATES_KEPT:
        raise RequestError(
            422,
            "invalid-k",
            f"expected k from 1 to {CANDIDATES_KEPT}, found {k}",
            where="k",
            mend="ask for fewer items",
        )
    return k


def _barred(surface: Surface, sources: Sources, events: Sequence[Past], now: int) -> Filter:
    barred = Filter(sources)
    barred.deny(surface.deny)
    for rule in surface.filters:
        if rule == "available":
            barred.available(now)
        else:
            barred.seen(events, surface.seen)
    return barred


def _usable(surface: Surface, sources: Sources, trail: Trail) -> tuple[str, ...]:
    """The surface's sources that can say something of this person; the release's fallback where none can."""
    models = [sources.source(name) for name in surface.sources]
    names = tuple(model.name for model in models if not model.recommender.personal or model.knows(trail))
    return names or ((sources.fallback,) if sources.fallback is not None else ())


def _candidates(sources: Sources, found: Candidates) -> tuple[Candidate, ...]:
    names = found.names
    return tuple(
        Candidate(item, names[origin], score)
        for item, origin, score in zip(
            sources.items.take(found.positions.tolist()), found.origins.tolist(), found.scores.tolist(), strict=True
        )
    )


def _decision(
    surface: Surface,
    ask: Ask,
    seed: int,
    candidates: tuple[Candidate, ...],
    drops: Sequence[Drop],
    drawn: Drawn,
    reasons: Sequence[Reason],
    fallback: str,
) -> Decision:
    picked = [candidates[index] for index in drawn.order]
    shown = tuple(
        Shown(each.item, position, each.score, propensity, each.source, reason)
        for position, (each, propensity, reason) in enumerate(zip(picked, drawn.propensities, reasons, strict=True))
    )
    return Decision(
        id=decision_id(ask.surface, ask.request_id),
        request_id=ask.request_id,
        time=ask.now,
        surface=ask.surface,
        release=ask.release,
        policy=surface.exploration.policy,
        seed=seed,
        user=ask.user,
        visitor=ask.visitor,
        context=dict(ask.context),
        assignments=dict(ask.assignments),
        candidates=candidates,
        drops=tuple(drops),
        shown=shown,
        fallback=fallback,
    )


__all__ = ["Ask", "decide", "decide_all", "people_at_once"]
