"""The leading eigenvectors of a large symmetric matrix that is known only by its products: block Lanczos."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Product: TypeAlias = Callable[[Floats], Floats]
"""From float32[n, columns] to the matrix times it."""

BLOCKS = 8  # that span the space in which eigenvectors are looked for: together three times as many as are asked for
DENSE = 1_000  # rows of a matrix that is simply written out
LINES = 65_536  # of a product of two tall matrices in float64 at a time
NOISE = 1e-5  # of the length that a vector had: what is left below this is rounding


def space(size: int, factors: int) -> int:
    """How many vectors of this size `leading` holds at a time."""
    return size if size <= max(DENSE, 4 * factors) else BLOCKS * _width(factors)


def leading(product: Product, size: int, factors: int, seed: int) -> tuple[npt.NDArray[np.float64], Floats]:
    """The `factors` largest eigenvalues, float64, falling, and their vectors, float32[size, factors].

    No eigenvalue may be negative. There are fewer where the matrix has fewer that are not 0. A vector's largest number
    is positive. The space is that of Golub and Underwood, "The Block Lanczos Method for Computing Eigenvalues",
    1977, kept orthogonal throughout.

    >>> values, vectors = leading(lambda block: np.diag(np.float32([3, 0, 5])) @ block, 3, 2, seed=0)
    >>> values.tolist(), vectors.tolist()
    ([5.0, 3.0], [[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    """
    if size <= max(DENSE, 4 * factors):
        found, vectors = np.linalg.eigh(_symmetric(product(np.eye(size, dtype=np.float32))))
        basis = None
    else:
        basis, small = _krylov(product, size, _width(factors), seed)
        found, vectors = np.linalg.eigh(small)
    count = min(factors, int((found > NOISE * found.max(initial=0)).sum()))
    largest = vectors[:, ::-1][:, :count]
    whole = largest if basis is None else basis @ largest.astype(np.float32)
    peaks = np.abs(whole).argmax(axis=0)
    signs = np.sign(whole[peaks, np.arange(count)])
    return found[::-1][:count], (whole * signs).astype(np.float32)


def _width(factors: int) -> int:
    """Vectors in each block."""
    return max(8, -(-3 * factors // BLOCKS))


def _krylov(product: Product, size: int, width: int, seed: int) -> tuple[Floats, npt.NDArray[np.float64]]:
    """An orthonormal basis Q float32[size, n], and Q' matrix Q."""
    basis = np.empty((size, BLOCKS * width), np.float32, order="F")  # a run of columns lies together
    small = np.zeros((BLOCKS * width, BLOCKS * width))
    start = np.random.default_rng(seed).standard_normal((size, width), np.float32)
    block = _orthonormal(start, np.linalg.norm(start, axis=0))
    held = 0
    for _ in range(BLOCKS):
        if not block.shape[1]:
            break
        here = slice(held, held + block.shape[1])
        basis[:, here] = block
        held = here.stop
        image = product(np.ascontiguousarray(block))
        known = basis[:, :held]
        lengths = np.linalg.norm(image, axis=0)
        along = known.T @ image
        small[:held, here] = along
        image -= known @ along
        image -= known @ (known.T @ image)
        block = _orthonormal(image, lengths)
        block -= known @ (known.T @ block)
        block = _orthonormal(block, np.ones(block.shape[1]))
    return basis[:, :held], _symmetric(small[:held, :held])


def _orthonormal(block: Floats, lengths: npt.NDArray[np.floating]) -> Floats:
    """An orthonormal basis of what the columns span, without what is only rounding of columns of these lengths."""
    for _ in range(2):
        values, vectors = np.linalg.eigh(_gram(block))
        keep = values > (NOISE * float(lengths.max(initial=0))) ** 2
        block = block @ (vectors[:, keep] / np.sqrt(values[keep])).astype(np.float32)
        lengths = np.ones(block.shape[1])
    return block


def _gram(block: Floats) -> npt.NDArray[np.float64]:
    gram = np.zeros((block.shape[1], block.shape[1]))
    for start in range(0, len(block), LINES):
        lines = block[start : start + LINES].astype(np.float64)
        gram += lines.T @ lines
    return gram


def _symmetric(upper: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The symmetric matrix with this upper triangle, in float64."""
    return np.triu(upper).astype(np.float64) + np.triu(upper, 1).T
