"""Random numbers: an independent stream for each part of a world, a fixed number for each thing that can happen."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def stream(seed: int, part: str) -> np.random.Generator:
    """The generator of one part of a world: what one part draws never shifts what another part draws.

    >>> stream(1, "people").random(3).tolist() == stream(1, "people").random(3).tolist()
    True
    """
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


def uniform(seed: int, part: str, *keys: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1), each fixed by the seed, the part and its integer keys, in whatever order they are asked for.

    These are the common random numbers: the same person meeting the same item on the same visit has the same luck,
    whatever else was shown. Mixing is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), once for each key.
    """
    state = _mix(np.asarray(np.uint64(zlib.crc32(part.encode()) ^ (seed & 0xFFFFFFFF) << 32)))
    for key in keys:
        state = _mix(state ^ np.asarray(key).astype(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        state = state + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))
