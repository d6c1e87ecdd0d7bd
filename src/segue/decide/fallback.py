"""Why a list is not the personal one that was asked for, in plain words."""

from __future__ import annotations

from segue.decide.ask import Ask
from segue.decide.surface import Surface
from segue.find.retrieval import CATALOG, Candidates
from segue.find.sources import Sources, Trail


def fallback_of(surface: Surface, sources: Sources, trail: Trail, ask: Ask, items: int, found: Candidates) -> str:
    """Empty where a personal source of the surface had its say, or where the surface has none.

    `items` is how many different ones there are in the person's history.
    """
    if not len(found):
        return f"There is nothing left to show: the filters took out all {len(sources.items):,} items."
    personal = [name for name in surface.sources if sources.source(name).recommender.personal]
    contributed = [found.names[origin] for origin in sorted(set(found.origins.tolist()))]
    if not personal or not set(personal).isdisjoint(contributed):
        return ""
    known = any(sources.source(name).knows(trail) for name in personal)
    why = _exhausted(personal, surface) if known else _unknown(ask, items)
    return f"{why}, so this list is not personal: {_instead(contributed[0])}."


def _exhausted(personal: list[str], surface: Surface) -> str:
    """Of models that know the history, and offer nothing that is allowed: of `repeats` that is all there is."""
    left_out = ' (what is in it is left out, by the filter "seen")' if "seen" in surface.filters else ""
    return f"{_quoted(personal)} has nothing more to offer for this history{left_out}"


def _unknown(ask: Ask, items: int) -> str:
    if items:
        return f"No model here knows {'the one item' if items == 1 else f'any of the {items:,} items'} of the history"
    if ask.user is not None:
        return f"Nothing that user '{ask.user}' did is known"
    if ask.visitor is not None:
        return f"Nothing that visitor '{ask.visitor}' did is known"
    return "The history is empty"


def _instead(source: str) -> str:
    if source == CATALOG:
        return "it is in the order of the item ids, for no model here can do without a history"
    return f"it is what '{source}' shows everyone"


def _quoted(names: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
