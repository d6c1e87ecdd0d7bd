"""Gives the simulated things their titles, texts and prices: a shop's products, a record shop's albums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from segue.simulate import music_words as music
from segue.simulate import shop_words as shop

Flavour = Literal["shop", "music"]


@dataclass(frozen=True)
class Named:
    """One thing before its variants: `variants` are what sets apart the items that share it ("" for the plain one)."""

    title: str
    text: str
    kind: str
    price: float
    variants: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Style:
    """What a flavour calls things.

    shelves   (department, shelf) of each shelf
    name      makes one thing of a shelf
    look, keep, take  the event types for opening an item, putting it aside and buying it
    """

    shelves: tuple[tuple[str, str], ...]
    name: Callable[[np.random.Generator, int], Named]
    look: str
    keep: str
    take: str


def style(flavour: Flavour) -> Style:
    """The style of a flavour."""
    return STYLES[flavour]


def product(rng: np.random.Generator, shelf: int) -> Named:
    """A product of one shelf of the shop, in one to three variants."""
    place = shop.SHELVES[shelf]
    line, make, noun = _one(rng, shop.LINES), _one(rng, place.makes), _one(rng, place.nouns)
    low, high = place.price
    price = low * (high / low) ** rng.beta(1.6, 2.4)
    how_many = int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12]))
    variants = tuple(rng.permutation(place.variants)[:how_many].tolist())
    article = "An" if make[0].lower() in "aeiou" else "A"
    text = f"{article} {make} {noun} from the {line} line. {_one(rng, shop.PRAISE)}"
    return Named(
        f"{line} {make} {noun}", text, "product", _shop_price(price), variants, {"brand": line, "material": make}
    )


def album(rng: np.random.Generator, shelf: int) -> Named:
    """An album of one genre, now and then in a second edition."""
    genre = music.GENRES[shelf]
    artist, title = _artist(rng, genre), _album_title(rng, genre)
    variants = ("",) if rng.random() < 0.85 else ("", _one(rng, music.EDITIONS))
    text = f"{genre.name.capitalize()} from {_one(rng, genre.scenes)}. {_one(rng, music.PRAISE)}"
    price = float(np.clip(rng.lognormal(2.75, 0.35), 5, 60))
    return Named(f"{title} – {artist}", text, "album", _shop_price(price), variants, {"artist": artist})


def _artist(rng: np.random.Generator, genre: music.Genre) -> str:
    match int(rng.integers(4)):
        case 0:
            return f"{_one(rng, music.FIRST_NAMES)} {_one(rng, music.LAST_NAMES)}"
        case 1:
            return f"The {_one(rng, music.ADJECTIVES)} {_one(rng, genre.nouns)}"
        case 2:
            return f"{_one(rng, music.FIRST_NAMES)} & the {_one(rng, genre.nouns)}"
        case _:
            return f"{_one(rng, music.LAST_NAMES)} {_one(rng, genre.nouns)}"


def _album_title(rng: np.random.Generator, genre: music.Genre) -> str:
    match int(rng.integers(4)):
        case 0:
            return f"{_one(rng, music.ADJECTIVES)} {_one(rng, genre.nouns)}"
        case 1:
            return f"{_one(rng, genre.nouns)} After {_one(rng, music.TIMES)}"
        case 2:
            return f"{_one(rng, music.VERBS)} in {_one(rng, genre.scenes)}"
        case _:
            return f"{_one(rng, genre.nouns)} of {_one(rng, genre.scenes)}"


def _one(rng: np.random.Generator, words: tuple[str, ...] | list[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _shop_price(price: float) -> float:
    """The way shops write prices: 12.50, 48.00, 129.00."""
    if price < 20:
        return round(price * 2) / 2
    return float(round(price) if price < 100 else round(price / 5) * 5 - 1)


STYLES: dict[Flavour, Style] = {
    "shop": Style(
        tuple((shelf.department, shelf.name) for shelf in shop.SHELVES), product, "click", "add_to_cart", "buy"
    ),
    "music": Style(tuple((genre.family, genre.name) for genre in music.GENRES), album, "play", "save", "buy"),
}
