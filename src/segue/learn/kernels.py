"""Which way to take: a compiled kernel, or NumPy where the input is too small to wait for a compiler."""

from __future__ import annotations

import sys


def worthwhile(module: str, work: int, tiny: int) -> bool:
    """Whether to use the kernels of this module: the work is not tiny, or they are loaded already.

    For kernels that answer to the bit as NumPy does, so that nobody can tell which way was taken.
    """
    return work >= tiny or f"segue.learn.{module}" in sys.modules
