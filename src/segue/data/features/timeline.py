"""The events of one kind, by key and moment: how many there were of a key before a moment is two places apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_MOMENT_BITS = 32  # of a place: the rank of the moment; the rest is the code of the key


@dataclass(frozen=True)
class Timeline:
    """Events in the order of (key, moment).

    codes    int64[events]    the key of each
    moments  int64[events]    microseconds since 1970 UTC
    ranks    int64[different moments], ascending
    places   int64[events]    key and rank of the moment in one number, ascending
    order    int64[events]    where each came from
    """

    codes: Ints
    moments: Ints
    ranks: Ints
    places: Ints
    order: Ints

    @classmethod
    def of(cls, codes: Ints, moments: Ints) -> Timeline:
        """Of events in any order; `codes` are at least 0 and below 2^31."""
        ranks, rank = np.unique(moments, return_inverse=True)
        places = codes << _MOMENT_BITS | rank
        order = np.argsort(places, kind="stable")
        return cls(codes[order], moments[order], ranks, places[order], order)

    def before(self, codes: Ints, moments: Ints) -> Ints:
        """int64[requests]: the place behind the last event of a key strictly before a moment."""
        wanted = codes << _MOMENT_BITS | np.searchsorted(self.ranks, moments, side="left")
        order = np.argsort(wanted, kind="stable")  # neighbours find their place near each other: far fewer cache misses
        found = np.empty(len(wanted), np.int64)
        found[order] = np.searchsorted(self.places, wanted[order], side="left")
        return found

    def start(self, codes: Ints) -> Ints:
        """int64[requests]: the place of the first event of a key."""
        return np.searchsorted(self.places, codes << _MOMENT_BITS, side="left")

    def count(self, codes: Ints, moments: Ints, window: int | None) -> Ints:
        """int64[requests]: events of the key from `window` before a moment until just before it."""
        since = self.start(codes) if window is None else self.before(codes, moments - window)
        return self.before(codes, moments) - since

    def decayed(self, codes: Ints, moments: Ints, half_life: float) -> Floats:
        """float64[requests]: each event of the key before a moment, halved for every `half_life` of its age."""
        running = self._running(half_life)
        last = self.before(codes, moments) - 1
        known = last >= self.start(codes)
        sums = np.zeros(len(codes))
        place = last[known]
        sums[known] = running[place] * np.exp2((self.moments[place] - moments[known]) / half_life)
        return sums

    def age(self, codes: Ints, moments: Ints) -> Floats:
        """float64[requests]: microseconds since the key's last event before a moment; NaN where there is none."""
        last = self.before(codes, moments) - 1
        known = last >= self.start(codes)
        ages = np.full(len(codes), np.nan)
        ages[known] = moments[known] - self.moments[last[known]]
        return ages

    def _running(self, half_life: float) -> Floats:
        """float64[events]: the decayed sum of a key's events up to and with each, at its own moment.

        An inclusive scan by doubling steps (Hillis and Steele, CACM 1986): no exponent grows, whatever the span, and a
        sum is made of the events before it alone, in an order that later ones do not change.
        """
        events = len(self.codes)
        sums = np.ones(events)
        if not events:
            return sums
        starts = np.flatnonzero(np.r_[True, self.codes[1:] != self.codes[:-1]])
        lengths = np.diff(np.r_[starts, events])
        within = np.arange(events) - np.repeat(starts, lengths)
        step = 1
        while (later := np.flatnonzero(within >= step)).size:
            earlier = later - step
            faded = np.exp2((self.moments[earlier] - self.moments[later]) / half_life)
            sums[later] = sums[later] + sums[earlier] * faded
            step *= 2
        return sums


def firsts(codes: Ints, moments: Ints, values: Ints) -> Ints:
    """The places of each key's first event with each value."""
    order = np.lexsort((moments, values, codes))
    new = np.r_[True, (codes[order][1:] != codes[order][:-1]) | (values[order][1:] != values[order][:-1])]
    kept: Ints = order[new[: len(order)]]
    return kept
