"""Pictures for items that have none: a small drawing whose colour goes by category and whose form goes by id."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from markupsafe import Markup, escape

WIDTH, HEIGHT = 320, 200
HUES = (212, 20, 164, 262, 40, 340, 190, 104, 236, 4, 140, 300)  # far apart for neighbours in the list

_SVG = Markup(
    '<svg class="art" viewBox="0 0 {w} {h}" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">'
    '<defs><linearGradient id="g{key}" x1="0" y1="0" x2="1" y2="1"><stop stop-color="hsl({hue} 36% 56%)"/>'
    '<stop offset="1" stop-color="hsl({other} 42% 33%)"/></linearGradient></defs>'
    '<rect width="{w}" height="{h}" fill="url(#g{key})"/><g fill="none" stroke="#fff" stroke-opacity=".2">{form}</g>'
    '<text x="24" y="176" fill="#fff" fill-opacity=".94" font-size="60" font-weight="600" letter-spacing="-2">'
    "{initials}</text></svg>"
)


def art(item: str, title: str, category: str) -> Markup:
    """An inline SVG, safe to put into a page as it is."""
    digest = hashlib.blake2b(item.encode(), digest_size=8).digest()
    place = hashlib.blake2b(category.casefold().encode(), digest_size=2).digest()
    hue = HUES[int.from_bytes(place, "big") % len(HUES)] + digest[0] % 13 - 6
    return _SVG.format(
        w=WIDTH,
        h=HEIGHT,
        key=digest.hex(),
        hue=hue % 360,
        other=(hue + 18 + digest[1] % 24) % 360,
        form=_FORMS[digest[2] % len(_FORMS)](digest),
        initials=escape(_initials(title)),
    )


def _initials(title: str) -> str:
    words = [word for word in title.replace("-", " ").split() if word[:1].isalnum()]
    return "".join(word[0].upper() for word in words[:2]) or title[:1] or "·"


def _rings(digest: bytes) -> Markup:
    x, y = 190 + digest[3] % 110, 20 + digest[4] % 90
    radii = range(26, 190, 26 + digest[5] % 10)
    return Markup("").join(Markup('<circle cx="{}" cy="{}" r="{}" stroke-width="10"/>').format(x, y, r) for r in radii)


def _waves(digest: bytes) -> Markup:
    swing = 18 + digest[3] % 30
    curve = Markup('<path d="M-10 {0} q 42 -{1} 85 0 t 85 0 t 85 0 t 85 0" stroke-width="8"/>')
    return Markup("").join(curve.format(y, swing) for y in range(10 + digest[4] % 20, 220, 28))


def _bars(digest: bytes) -> Markup:
    bar = Markup('<rect x="{}" y="{}" width="13" height="{}" rx="6.5" fill="#fff" fill-opacity=".17" stroke="none"/>')
    heights = [24 + digest[place % 8] * (3 + place) % 120 for place in range(11)]
    return Markup("").join(bar.format(92 + 20 * place, 150 - tall, tall) for place, tall in enumerate(heights))


def _discs(digest: bytes) -> Markup:
    disc = Markup('<circle cx="{}" cy="{}" r="{}" fill="#fff" fill-opacity=".13" stroke="none"/>')
    return Markup("").join(
        disc.format(120 + digest[3 + place] % 190, digest[7 - place] % 150, 34 + digest[4 + place] % 46)
        for place in range(4)
    )


def _rays(digest: bytes) -> Markup:
    x, y = 300 - digest[3] % 60, 10 + digest[4] % 50
    ray = Markup('<path d="M{} {} L{} {}" stroke-width="9"/>')
    return Markup("").join(ray.format(x, y, end, 220) for end in range(-260, 420, 62 + digest[5] % 20))


_FORMS: tuple[Callable[[bytes], Markup], ...] = (_rings, _waves, _bars, _discs, _rays)
