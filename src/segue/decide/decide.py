"""One request to one surface becomes one list, with its probabilities, its reasons, and all that was left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from segue.decide.ask import Ask
from segue.decide.evidence import evidence, strongest
from segue.decide.fallback import fallback_of
from segue.decide.policy import BestFirst, policy_of
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


def decide_all(surface: Surface, sources: Sources, asks: Iterable[Ask]) -> Iterator[Decision]:
    """What this surface shows to each of these people: each model is asked once for all who need it, if they ask at
    the same `now`. `people_at_once` says how many to bring, for memory grows with people x items. Of what they did,
    no more is held than is needed: whoever brings histories one by one need not have them all.
    """
    read = [_read(surface, sources, ask) for ask in asks]
    found = retrieve(sources, [each.wanted for each in read])
    return (_decided(surface, sources, *each) for each in zip(read, found, strict=True))


@dataclass(frozen=True)
class _Read:
    """What is known of one request once the history was read: `ask` has it no more, `types` is what reasons need."""

    ask: Ask
    wanted: Wanted
    drops: Sequence[Drop]
    types: Mapping[str, str]


def _read(surface: Surface, sources: Sources, ask: Ask) -> _Read:
    k, events, now = _length(surface, ask), ask.events, microseconds(ask.now)
    trail = sources.trail(events)
    barred = _barred(surface, sources, events, now)
    wanted = Wanted(_usable(surface, sources, trail), trail, barred.allowed, k, now, ask.context)
    return _Read(replace(ask, past=(), history=()), wanted, barred.drops, strongest(events))


def _decided(surface: Surface, sources: Sources, read: _Read, found: Candidates) -> Decision:
    ask, k = read.ask, read.wanted.k
    seed, top = seed_of(ask.surface, ask.request_id), surface.exploration.top
    policy, scores = policy_of(surface.exploration), found.scores.astype(np.float64)
    if not isinstance(policy, BestFirst):  # which needs an order, no scale
        scores = standardised(found.scores, found.origins, top)
    drawn = draw(policy, scores, sources.groups[found.positions], k, seed, top)
    reasons = evidence(sources, found, drawn.order, read.types)
    fallback = fallback_of(surface, sources, read.wanted.trail, ask, len(read.types), found)
    return _decision(surface, ask, seed, _candidates(sources, found), read.drops, drawn, reasons, fallback)


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
    names = map(found.names.__getitem__, found.origins.tolist())
    return tuple(map(Candidate, sources.items.take(found.positions.tolist()), names, found.scores.tolist()))


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
