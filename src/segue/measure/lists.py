"""The arrays that are measured, and histories with only some of their events."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from segue.domain.requests import Histories

Floats: TypeAlias = npt.NDArray[np.float64]
Lists: TypeAlias = npt.NDArray[np.int32]
"""int32[people, k]: positions of items, best first; -1 where a list has ended."""


def only(histories: Histories, wanted: npt.NDArray[np.bool_]) -> Histories:
    """The histories with only those items that are True in `wanted` bool[items].

    >>> only(Histories.of([[3, 1], [1]]), np.array([False, False, False, True])).offsets.tolist()
    [0, 1, 1]
    """
    return events_of(histories, np.flatnonzero(wanted[histories.items]))


def events_of(histories: Histories, events: npt.NDArray[np.int64]) -> Histories:
    """The histories with only the given events, which are ascending."""
    return Histories(
        np.searchsorted(events, histories.offsets).astype(np.int64),
        histories.items[events],
        histories.weights[events],
        histories.times[events],
        histories.types[events],
    )
