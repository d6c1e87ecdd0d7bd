"""What may not be shown, as masks that are applied before the best are taken, with a record of what each rule took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from segue.domain.decisions import DROPS_KEPT, Drop
from segue.domain.events import IMPRESSION
from segue.domain.items import UNKNOWN
from segue.find.past import Past
from segue.find.sources import Sources

STAGE = "filter"


class Filter:
    """The items that are still allowed, and what each rule took out. An item counts for the first rule that took it.

    allowed  bool[items] of `Sources.items`
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.allowed = np.ones(len(sources.items), np.bool_)
        self.drops: list[Drop] = []

    def deny(self, ids: Sequence[str]) -> None:
        """Take out the items of these ids; ids that nothing here knows are no error."""
        if ids:
            self._take(self._known(ids), "deny")

    def available(self, now: int) -> None:
        """Take out what the catalog's dates do not offer at `now` (microseconds since 1970 UTC)."""
        opens, closes = self._sources.opens, self._sources.closes
        if opens is not None:
            self._take(np.flatnonzero(opens > now), "available")
        if closes is not None:
            self._take(np.flatnonzero(closes <= now), "available")

    def seen(self, past: Sequence[Past], types: Iterable[str] = ()) -> None:
        """Take out what the person has, newest first: by events of `types`, of all but impressions where empty.

        Other variants of what was seen (items of the same group) are taken out as well.
        """
        wanted = frozenset(types)
        ids = [event.item for event in past if (event.type in wanted if wanted else event.type != IMPRESSION)]
        positions = self._known(ids[::-1])
        if self._sources.grouped:
            groups = self._sources.groups
            had = np.zeros(len(groups), np.bool_)
            had[groups[positions]] = True
            positions = np.concatenate([positions, np.flatnonzero(had[groups])])
        self._take(positions, "seen")

    def _known(self, ids: Sequence[str]) -> npt.NDArray[np.integer]:
        positions = self._sources.items.positions(ids)
        known: npt.NDArray[np.integer] = positions[positions != UNKNOWN]
        return known

    def _take(self, positions: npt.NDArray[np.integer], rule: str) -> None:
        allowed = self.allowed
        positions = positions[allowed[positions]]
        if not len(positions):
            return
        before = int(np.count_nonzero(allowed))
        allowed[positions] = False
        count = before - int(np.count_nonzero(allowed))
        kept = dict.fromkeys(positions.tolist())  # each once, in order
        names = self._sources.items.take(list(kept)[:DROPS_KEPT])
        self._record(Drop(STAGE, rule, tuple(names), count))

    def _record(self, drop: Drop) -> None:
        if self.drops and self.drops[-1].rule == drop.rule:
            last = self.drops.pop()
            drop = Drop(STAGE, drop.rule, (last.items + drop.items)[:DROPS_KEPT], last.count + drop.count)
        self.drops.append(drop)
