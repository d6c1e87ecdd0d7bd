"""Who gets which variant: a pure hash, the same in every process and every language (GrowthBook's hash v2)."""

from __future__ import annotations

from collections.abc import Sequence

_FNV_OFFSET = 0x811C9DC5
_FNV_PRIME = 0x01000193


def fnv1a32(text: str) -> int:
    """32-bit FNV-1a of the UTF-8 bytes (Fowler, Noll, Vo; http://www.isthe.com/chongo/tech/comp/fnv/)."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return value


def unit_interval(seed: str, unit: str) -> float:
    """A number in [0, 1) in steps of 1/10,000, fixed by the experiment's seed and the unit (GrowthBook's hash v2).

    >>> unit_interval("seed", "u:1") == unit_interval("seed", "u:1")
    True
    """
    return fnv1a32(str(fnv1a32(seed + unit))) % 10_000 / 10_000


def bucket_ranges(weights: Sequence[float], coverage: float = 1.0) -> list[tuple[float, float]]:
    """The half-open range of [0, 1) that belongs to each variant; `coverage` is the share of units that take part."""
    coverage = min(max(coverage, 0.0), 1.0)
    ranges, start = [], 0.0
    for weight in weights:
        ranges.append((start, start + coverage * weight))
        start += weight
    return ranges


def choose(place: float, ranges: Sequence[tuple[float, float]]) -> int | None:
    """The index of the range that a place of [0, 1) lies in, or None where it lies in none."""
    for variant, (low, high) in enumerate(ranges):
        if low <= place < high:
            return variant
    return None


def assign(seed: str, unit: str, weights: Sequence[float], coverage: float = 1.0) -> int | None:
    """The index of the unit's variant, or None where the unit does not take part."""
    return choose(unit_interval(seed, unit), bucket_ranges(weights, coverage))
