"""Lists for everybody at once: streamed, a batch of people at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from segue.domain.items import UNKNOWN, Items
from segue.domain.recommender import Recommender
from segue.domain.requests import NO_TIME, Requests
from segue.engines.engine import Dataset
from segue.engines.local import histories

CELLS = 16_000_000  # scores that are held at a time


def everybody(recommender: Recommender, prepared: Dataset, people: Items, k: int) -> Iterator[list[dict[str, Any]]]:
    """Batches of rows (person, position, item, score), the `k` best of each person without what the person has.

    `prepared` is prepared by user; `people` are the keys of the person codes. People without any event are left out.
    """
    ours = prepared.items.translation(recommender.items)
    everyone = histories(prepared)
    active = np.flatnonzero(np.diff(everyone.offsets))
    times = everyone.times[everyone.times != NO_TIME]
    now = int(times.max()) if len(times) else None
    size = max(1, CELLS // max(len(recommender.items), 1))
    for start in range(0, len(active), size):
        codes = active[start : start + size]
        asked = Requests(everyone.select(codes).translated(ours), now)
        seen = np.zeros((len(asked), len(recommender.items)), np.bool_)
        seen[asked.histories.row_numbers(), asked.histories.items] = True
        best, scores = recommender.top(asked, k, deny=seen)
        yield [
            {"person": people[code][2:], "position": position, "item": recommender.items[item], "score": float(score)}
            for code, items, row in zip(codes, best.tolist(), scores.tolist(), strict=True)
            for position, (item, score) in enumerate(zip(items, row, strict=True))
            if item != UNKNOWN
        ]
