"""What a feature is: which events of which key are counted, over which time, and what is made of the counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from segue.domain.errors import DeclarationError
from segue.domain.settings import Settings

Kind = Literal["count", "decayed", "rate", "recency", "distinct"]
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

_USED_BY: Final[Mapping[str, tuple[Kind, ...]]] = {  # what is not named here is used by every kind
    "window": ("count", "rate"),
    "per": ("rate",),
    "prior": ("rate",),
    "strength": ("rate",),
    "half_life_days": ("decayed",),
    "what": ("distinct",),
}


class Feature(Settings, frozen=True):
    """One feature: a number for each request, made of the events that came before it.

    kind            "count": how many events; "decayed": each counts half as much every `half_life_days`; "rate": events
                    of `types` for one of `per`; "recency": days since the last; "distinct": how many different `what`
    of              the columns that an event and a request must have alike, such as ["item"] or ["user", "category"];
                    none: all events
    types           event types that count; all where none are named
    window          of "count" and "rate": "1h", "7d", ...: how far back; "all" the whole past
    per             of "rate": the event types to divide by, such as ["impression"]
    prior           of "rate": what it is where nothing is known; the rate of all events so far where not given
    strength        of "rate": how many events of `per` the prior is worth
    half_life_days  of "decayed"
    what            of "distinct": the column whose values are counted
    """

    kind: Kind = "count"
    of: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    window: str = "all"
    per: tuple[str, ...] = ()
    prior: Annotated[float, msgspec.Meta(ge=0)] | None = None
    strength: Annotated[float, msgspec.Meta(gt=0)] = 20.0
    half_life_days: Annotated[float, msgspec.Meta(gt=0)] = 7.0
    what: str = "item"

    def window_us(self) -> int | None:
        """The window in microseconds, None for the whole past.

        >>> Feature(window="1h").window_us(), Feature().window_us()
        (3600000000, None)
        """
        if self.window == "all":
            return None
        found = re.fullmatch(r"([1-9]\d*)([smhdw])", self.window)
        if found is None:
            raise DeclarationError(
                f"expected a window such as 1h, 7d or all, found '{self.window}'",
                where="window",
                mend="write a whole number and one of s, m, h, d, w",
            )
        return int(found[1]) * _UNITS[found[2]] * 1_000_000

    def check(self, name: str) -> None:
        """A `DeclarationError` where what is said does not make a feature, or would change nothing."""
        self.window_us()
        if self.kind == "rate" and not self.per:
            raise DeclarationError(
                "a rate needs the types to divide by", where=f"[features.{name}]", mend='per = ["impression"]'
            )
        for field in msgspec.structs.fields(self):
            kinds, found = _USED_BY.get(field.name), getattr(self, field.name)
            if kinds is None or self.kind in kinds or found == field.default:
                continue
            raise DeclarationError(
                f'kind = "{self.kind}" does not use {field.name}, found {_toml(found)}',
                where=f"[features.{name}]",
                mend=f"leave {field.name} out; it is used by " + " and ".join(f'"{kind}"' for kind in kinds),
            )


def _toml(value: object) -> str:
    return msgspec.json.encode(value).decode()
