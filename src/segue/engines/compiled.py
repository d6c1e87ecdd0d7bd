"""How kernels are compiled: once for the types they say, without the GIL, cached in the user's cache folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue" / "kernels"


def compiled(*signatures: Any, fastmath: bool | set[str] = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for these signatures now, or take it from the cache.

    Caches belong to one kind of CPU and cannot ship in a wheel. `segue.learn.warm.warm()` fills them. Kernels hold no
    locks and start no threads of their own: engines run them side by side.
    """

    def compile_now(function: Callable[..., Any]) -> Any:
        config: Any = numba.config
        before = config.CACHE_DIR
        config.CACHE_DIR = before or str(CACHE)  # where a cache lies is decided here, in the decorator
        try:
            return numba.njit(list(signatures), nogil=True, cache=True, fastmath=fastmath)(function)
        finally:
            config.CACHE_DIR = before

    return compile_now


def array(dtype: Any, dimensions: int) -> Any:
    """The type of a C-contiguous array that a kernel only reads: memory-mapped ones are let in."""
    return numba.types.Array(dtype, dimensions, "C", readonly=True)
