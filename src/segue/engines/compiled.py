"""How kernels are compiled: once for the types they say, without the GIL, cached in the user's cache folder."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segue" / "kernels"
IMPORTED = re.compile(r"^from (\S+) import", re.MULTILINE)


def compiled(*signatures: Any, fastmath: bool | set[str] = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function for these signatures now, or take it from the cache.

    Caches belong to one kind of CPU and cannot ship in a wheel. `segue.learn.warm.warm()` fills them. Kernels hold no
    locks and start no threads of their own: engines run them side by side.
    """

    def compile_now(function: Callable[..., Any]) -> Any:
        config: Any = numba.config
        before = config.CACHE_DIR
        # where a cache lies is decided here, in the decorator
        config.CACHE_DIR = str(Path(before or CACHE) / made_of(function.__module__))
        try:
            return numba.njit(list(signatures), nogil=True, cache=True, fastmath=fastmath)(function)
        finally:
            config.CACHE_DIR = before

    return compile_now


@cache
def made_of(module: str) -> str:
    """A digest of the module's source and of those of the same package that it imports, and they in turn.

    A kernel is compiled with the constants and kernels of other files in it, and Numba's cache looks at its own only.

    >>> len(made_of("segue.engines.compiled"))
    16
    """
    package, waiting, sources = module.partition(".")[0], [module], dict[str, str]()
    while waiting:
        name = waiting.pop()
        if name in sources or name.partition(".")[0] != package or (file := _file(name)) is None:
            continue
        sources[name] = file.read_text(encoding="utf-8")
        waiting += IMPORTED.findall(sources[name])
    return blake2b("".join(sources[name] for name in sorted(sources)).encode(), digest_size=8).hexdigest()


def _file(module: str) -> Path | None:
    """Where the source of a module lies, which need not be loaded yet."""
    loaded = sys.modules.get(module)
    place = getattr(loaded, "__file__", None) if loaded else getattr(find_spec(module), "origin", None)
    file = Path(place or "")
    return file if file.is_file() else None


def array(dtype: Any, dimensions: int) -> Any:
    """The type of a C-contiguous array that a kernel only reads: memory-mapped ones are let in."""
    return numba.types.Array(dtype, dimensions, "C", readonly=True)
