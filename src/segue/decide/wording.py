"""The words of a reason: what someone did, and with what, as a person would say it."""

from __future__ import annotations

from collections.abc import Sequence

ANYTHING = "Goes with {}"
EVERYBODY = "Popular with everyone"

_DID = {
    "bought {}": ("buy", "bought", "purchase", "order", "sale", "transaction", "checkout"),
    "played {}": ("play", "plays", "played", "scrobble"),
    "listened to {}": ("listen", "listened", "stream"),
    "watched {}": ("watch", "watched"),
    "read {}": ("read",),
    "liked {}": ("like", "liked", "favourite", "favorite", "love"),
    "rated {}": ("rate", "rated", "rating"),
    "saved {}": ("save", "saved", "bookmark", "wishlist"),
    "put {} in your basket": ("basket", "cart", "add_to_cart", "addtocart", "add_to_basket"),
    "looked at {}": ("view", "viewed", "click", "clicked", "pageview", "detail", "visit"),
    "searched for {}": ("search",),
    "downloaded {}": ("download",),
}
_PHRASES = {type_: phrase for phrase, types in _DID.items() for type_ in types}


def because(titles: Sequence[str], types: Sequence[str]) -> str:
    """Why an item is shown, from the titles of what speaks for it and the types of the events on those.

    >>> because(["Blue", "Hejira"], ["play", "play"])
    'Because you played Blue and Hejira'
    >>> because(["Teapot", "Cup"], ["purchase", "view"])
    'Because you bought Teapot and looked at Cup'
    >>> because(["Heat", "Ran"], ["event", "event"])
    'Goes with Heat and Ran'
    """
    phrases: dict[str, list[str]] = {}
    for title, type_ in zip(titles, types, strict=True):
        phrase = _PHRASES.get(type_.lower())
        if phrase is None:
            return ANYTHING.format(_listed(titles))
        phrases.setdefault(phrase, []).append(title)
    return "Because you " + " and ".join(phrase.format(_listed(named)) for phrase, named in phrases.items())


def popular(rank: int, count: int) -> str:
    """Why an item is shown to whoever comes.

    >>> popular(3, 3416)
    'Popular with everyone: number 3 of 3,416'
    """
    return f"{EVERYBODY}: number {rank:,} of {count:,}"


def _listed(titles: Sequence[str]) -> str:
    return titles[0] if len(titles) == 1 else ", ".join(titles[:-1]) + " and " + titles[-1]
