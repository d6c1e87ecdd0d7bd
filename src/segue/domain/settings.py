"""The base of everything that the declaration can say."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the declaration: typed, frozen, and refusing names that it does not know."""
