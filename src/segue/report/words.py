"""Numbers as people say them."""

from __future__ import annotations


def share(part: float) -> str:
    """A share as a percentage with as many digits as it deserves.

    >>> share(0.5), share(0.0412), share(0.0004), share(0.9999), share(0)
    ('50 %', '4.1 %', 'under 0.1 %', '99.99 %', '0 %')
    """
    percent = 100 * part
    if percent == 0 or percent == 100:
        return f"{percent:.0f} %"
    if percent < 0.1:
        return "under 0.1 %"
    if percent > 99.99:
        return "over 99.99 %"
    digits = 2 if percent > 99.9 else 1 if percent < 10 or percent > 99 else 0
    return f"{percent:.{digits}f} %"


def short(count: float) -> str:
    """A count in little room.

    >>> short(950), short(12_345), short(3_400_000), short(2)
    ('950', '12k', '3.4M', '2')
    """
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return (
                f"{count / size:.0f}{sign}"
                if count >= 10 * size
                else f"{count / size:.1f}".rstrip("0").rstrip(".") + sign
            )
    return f"{count:.0f}"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> counted(1, "person", "people"), counted(1200, "person", "people"), counted(2, "event")
    ('1 person', '1,200 people', '2 events')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def number(value: float) -> str:
    """A value with as many digits as it deserves.

    >>> number(2.95), number(1992.0), number(12345.678), number(0.00123)
    ('2.95', '1992', '12,346', '0.00123')
    """
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def cut(text: str, length: int = 48) -> str:
    """A text that fits.

    >>> cut("a long title", 6)
    'a lon…'
    """
    return text if len(text) <= length else text[: length - 1] + "…"
