"""From records to what the page shows: titles in place of ids, times and chances in words, bars that add up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from segue.data.histories.state import Past
from segue.domain.catalog import Item
from segue.domain.decisions import Decision, Shown
from segue.domain.requests import NO_TIME
from segue.serve.art import art

LATELY = 9
_SPANS = (
    (60, "minute"),
    (3600, "hour"),
    (86_400, "day"),
    (7 * 86_400, "week"),
    (30 * 86_400, "month"),
    (365 * 86_400, "year"),
)
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_POLICIES = {
    "none": "best first",
    "epsilon-greedy": "best first, with a few draws at random",
    "plackett-luce": "drawn in proportion to the scores",
}
_VERBS = {
    "click": "clicked",
    "view": "looked at",
    "add_to_cart": "put in the basket",
    "buy": "bought",
    "purchase": "bought",
    "play": "played",
    "like": "liked",
}


@dataclass(frozen=True)
class Happening:
    """One thing that the person did."""

    item: str
    title: str
    verb: str
    when: str
    art: Markup


@dataclass(frozen=True)
class Bar:
    """One part of a score; `width` is of 100, beside the largest part."""

    label: str
    value: float
    text: str
    width: float
    rest: bool = False


@dataclass(frozen=True)
class Card:
    """One item of the list, with everything that speaks for it."""

    item: str
    position: int
    title: str
    meta: str
    price: str
    art: Markup
    reason: str
    bars: Sequence[Bar]
    exact: bool
    score: str
    source: str
    propensity: str


class Names:
    """What items are called."""

    def __init__(self, catalog: Mapping[str, Item]) -> None:
        self._catalog = catalog

    def title(self, item: str) -> str:
        """The title, or the id where there is none."""
        known = self._catalog.get(item)
        return known.title or item if known is not None else item

    def meta(self, item: str) -> str:
        """The categories, the widest first, as far as they are known."""
        known = self._catalog.get(item)
        return " · ".join(known.categories[:2]) if known is not None else ""

    def price(self, item: str) -> str:
        """The price with its currency; whole where it is whole."""
        known = self._catalog.get(item)
        if known is None or known.price is None:
            return ""
        amount = f"{known.price:,.0f}" if known.price == int(known.price) else f"{known.price:,.2f}"
        sign = _SIGNS.get(known.currency or "")
        return f"{sign}{amount}" if sign else f"{amount} {known.currency or ''}".strip()

    def art(self, item: str) -> Markup:
        """Its picture."""
        known = self._catalog.get(item)
        return art(item, self.title(item), known.categories[0] if known is not None and known.categories else "")


def happenings(past: Sequence[Past], names: Names) -> list[Happening]:
    """The last few things, newest first."""
    now = time.time()
    return [_happening(each, names, now) for each in reversed(past[-LATELY:])]


def _happening(past: Past, names: Names, now: float) -> Happening:
    verb = _VERBS.get(past.type, past.type.replace("_", " "))
    return Happening(past.item, names.title(past.item), verb, _ago(past.time, now), names.art(past.item))


def cards(decision: Decision, names: Names) -> list[Card]:
    """The list as cards."""
    return [_card(shown, names) for shown in decision.shown]


def policy_in_words(policy: str) -> str:
    """How the order came about."""
    return _POLICIES.get(policy, policy)


def _card(shown: Shown, names: Names) -> Card:
    return Card(
        item=shown.item,
        position=shown.position,
        title=names.title(shown.item),
        meta=names.meta(shown.item),
        price=names.price(shown.item),
        art=names.art(shown.item),
        reason=shown.reason.text,
        bars=_bars(shown, names),
        exact=shown.reason.exact,
        score=_number(shown.score),
        source=shown.source,
        propensity=_chance(shown.propensity),
    )


def _bars(shown: Shown, names: Names) -> list[Bar]:
    """The parts of the score, and what is left: together the score that stands below them."""
    parts = [(names.title(label), value, False) for label, value in shown.reason.contributions]
    if abs(shown.reason.rest) >= 0.0005 * max(abs(shown.score), 1e-9):
        parts.append(("everything else", shown.reason.rest, True))
    largest = max((abs(value) for _, value, _ in parts), default=0.0) or 1.0
    return [
        Bar(label, value, _number(value), round(max(abs(value) / largest * 100, 1), 1), rest)
        for label, value, rest in parts
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.1f}"


def _chance(propensity: float) -> str:
    if propensity >= 0.9995:
        return "certain"
    return f"{propensity:.1%}" if propensity >= 0.001 else "under 0.1%"


def _ago(at: int, now: float) -> str:
    """How long ago, in the largest unit that fits; nothing where the log has no times."""
    if at == NO_TIME:
        return ""
    seconds = now - at / 1e6
    if seconds < 60:
        return "just now"
    size, unit = next((size, unit) for size, unit in reversed(_SPANS) if seconds >= size)
    count = int(seconds // size)
    return f"{count} {unit}{'s' if count > 1 else ''} ago"
