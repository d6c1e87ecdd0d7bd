"""The compiled solvers of ALS: conjugate gradients on whitened rows, and Cholesky's decomposition of each row's system.

No BLAS is called: its threads and locks stand in the way of the engine's, and its bits are not the same everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import boolean, float32, int32, int64, void

from segue.engines.compiled import array, compiled
from segue.learn.line_kernels import add_lines, lines_times
from segue.learn.whitened import FLOAT32_ACCURACY

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

ACCURACY = np.float32(FLOAT32_ACCURACY)
NOTHING = np.float32(1e-20)  # the least confidence of which a dual system takes the root and its inverse
EXACT = np.float32(1e-12)  # of squared residuals: what is left of a solution that counts as exact
PATIENCE = 8  # as many factors for each step of conjugate gradients, and the decomposition costs no more
CHUNK = 32  # lines that are added while they are in the nearest cache
PANEL = 128  # lines that are gathered before they are multiplied
VECTOR = 8  # columns are cut here, so that every line of a triangle starts where a vector does


@compiled(int64(array(int64, 1)))
def longest(offsets: npt.NDArray[np.int64]) -> int:
    """The pairs of the longest row."""
    most = 0
    for row in range(len(offsets) - 1):
        most = max(most, offsets[row + 1] - offsets[row])
    return most


@compiled(void(float32, array(float32, 1), float32[::1]), fastmath=True)
def find_scale(excess: np.float32, inverse: Floats, scale: Floats) -> None:
    """scale = (I + e (S + r)^-1)^-1/2."""
    for c in range(len(scale)):
        scale[c] = np.float32(1) / np.sqrt(np.float32(1) + excess * inverse[c])


@compiled(float32(array(int32, 1), array(float32, 1), array(float32, 2), float32[::1], float32[::1]), fastmath=True)
def energy(codes: Codes, confidence: Floats, white: Floats, scaled: Floats, by: Floats) -> np.float32:
    """(B s)'a(B s) of a direction s; `by` float32[pairs] is worked in."""
    total = np.float32(0)
    lines_times(codes, white, scaled, by)
    for at in range(len(codes)):
        total += confidence[at] * by[at] * by[at]
    return total


@compiled(
    float32(array(int32, 1), array(float32, 1), array(float32, 2), float32[::1], float32[::1], float32[::1]),
    fastmath=True,
)
def pull(codes: Codes, confidence: Floats, white: Floats, scaled: Floats, by: Floats, image: Floats) -> np.float32:
    """The same, with image = B'a(B s): some lines at a time, which are added while the nearest cache holds them."""
    total = np.float32(0)
    image[:] = 0
    for start in range(0, len(codes), CHUNK):
        some = codes[start : start + CHUNK]
        lines_times(some, white, scaled, by)
        for at in range(len(some)):
            weighted = confidence[start + at] * by[at]
            total += weighted * by[at]
            by[at] = weighted
        add_lines(some, by, white, image)
    return total


@compiled(
    boolean(
        array(int32, 1),
        array(float32, 1),
        array(float32, 2),
        array(float32, 1),
        int64,
        float32,
        float32[::1],
        float32[:, ::1],
        float32[::1],
    ),
    fastmath=True,
)
def descend(
    codes: Codes,
    confidence: Floats,
    white: Floats,
    scale: Floats,
    steps: int,
    part: np.float32,
    by: Floats,
    space: Floats,
    solution: Floats,
) -> bool:
    """The solution of one row, on the side that lines meet, and whether |residual|^2 <= part * that of 0.

    `by` float32[pairs] and `space` float32[4, f] are worked in. The last step asks how long it is, not where it leads:
    that saves a pass over the lines.
    """
    residual, direction, scaled, image = space[0], space[1], space[2], space[3]
    size = len(solution)
    for at in range(len(codes)):
        by[at] = np.float32(1) + confidence[at]
    image[:] = 0
    add_lines(codes, by, white, image)
    norm = np.float32(0)
    for c in range(size):
        solution[c] = 0
        residual[c] = scale[c] * image[c]
        direction[c] = residual[c]
        norm += residual[c] * residual[c]
    enough = norm * part
    for step in range(steps):
        if norm <= enough:
            return True
        length = np.float32(0)
        for c in range(size):
            length += direction[c] * direction[c]
            scaled[c] = scale[c] * direction[c]
        if step < steps - 1:
            stride = norm / (length + pull(codes, confidence, white, scaled, by, image))
        else:
            stride = norm / (length + energy(codes, confidence, white, scaled, by))
        for c in range(size):
            solution[c] += stride * scaled[c]
        if step == steps - 1:
            break
        before = norm
        norm = np.float32(0)
        for c in range(size):
            residual[c] -= stride * (direction[c] + scale[c] * image[c])
            norm += residual[c] * residual[c]
        ratio = norm / before
        for c in range(size):
            direction[c] = residual[c] + ratio * direction[c]
    return False


@compiled(
    void(
        array(int64, 1),
        array(int32, 1),
        array(float32, 1),
        array(float32, 1),
        array(float32, 2),
        array(float32, 1),
        int64,
        float32,
        float32[:, ::1],
    ),
    fastmath=True,
)
def conjugate_gradients(
    offsets: npt.NDArray[np.int64],
    codes: Codes,
    confidence: Floats,
    excess: Floats,
    white: Floats,
    inverse: Floats,
    steps: int,
    tolerance: np.float32,
    solutions: Floats,
) -> None:
    """solutions[r] of (I + e (S + r)^-1 + B'aB) z = B'(1 + a), from 0, for each row; see `whitened.Gradients`."""
    size = white.shape[1]
    by, space = np.empty(longest(offsets), np.float32), np.empty((4, size), np.float32)
    scale = np.empty(size, np.float32)
    part = max(tolerance * tolerance, ACCURACY)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        find_scale(excess[row], inverse, scale)
        pairs = codes[begin:end], confidence[begin:end]
        descend(pairs[0], pairs[1], white, scale, steps, part, by[: end - begin], space, solutions[row])


@compiled(void(float32[:, ::1], int64, float32, float32[:, ::1], int64), fastmath=True)
def add_gram(panel: Floats, count: int, sign: np.float32, gram: Floats, first: int) -> None:
    """The upper triangle from `first` on: gram += sign * panel' panel over `count` lines, eight lines at a time."""
    width = gram.shape[1]
    for at in range(0, count, 8):
        for i in range(first, width):
            start = i - i % VECTOR
            row = gram[i, start:]
            by0, by1, by2, by3 = panel[at, i], panel[at + 1, i], panel[at + 2, i], panel[at + 3, i]
            by4, by5, by6, by7 = panel[at + 4, i], panel[at + 5, i], panel[at + 6, i], panel[at + 7, i]
            by0, by1, by2, by3 = sign * by0, sign * by1, sign * by2, sign * by3
            by4, by5, by6, by7 = sign * by4, sign * by5, sign * by6, sign * by7
            line0, line1, line2, line3 = (
                panel[at, start:],
                panel[at + 1, start:],
                panel[at + 2, start:],
                panel[at + 3, start:],
            )
            line4, line5, line6, line7 = (
                panel[at + 4, start:],
                panel[at + 5, start:],
                panel[at + 6, start:],
                panel[at + 7, start:],
            )
            for j in range(width - start):
                low = by0 * line0[j] + by1 * line1[j] + by2 * line2[j] + by3 * line3[j]
                row[j] += low + (by4 * line4[j] + by5 * line5[j] + by6 * line6[j] + by7 * line7[j])


@compiled(void(float32[:, ::1], float32[::1]), fastmath=True)
def solve(gram: Floats, unknown: Floats) -> None:
    """In place, `unknown` becomes the solution and the upper triangle of `gram` U with gram = U'U; of whole vectors.

    The system is the identity and what is nowhere below 0, so no pivot is below 1: where rounding takes one there, it
    is put back.
    """
    width = len(unknown)
    one = np.float32(1)
    for block in range(0, width, VECTOR):
        for k in range(block, block + VECTOR):
            root = one / np.sqrt(max(gram[k, k], one))
            row = gram[k, block:]
            for j in range(width - block):
                row[j] *= root
            unknown[k] *= root
            for i in range(k + 1, block + VECTOR):
                by, below = gram[k, i], gram[i, block:]
                for j in range(width - block):
                    below[j] -= by * row[j]
            by, rest = unknown[k], unknown[k + 1 :]
            right = gram[k, k + 1 :]
            for j in range(width - k - 1):
                rest[j] -= by * right[j]
            gram[k, k] = root
        add_gram(gram[block : block + VECTOR], VECTOR, -one, gram, block + VECTOR)
    for k in range(width - 1, -1, -1):
        right, rest = gram[k, k + 1 :], unknown[k + 1 :]
        dot = np.float32(0)
        for j in range(width - k - 1):
            dot += right[j] * rest[j]
        unknown[k] = (unknown[k] - dot) * gram[k, k]


@compiled(void(float32[:, ::1]))
def become_identity(gram: Floats) -> None:
    """Ones on the diagonal, nothing beside it."""
    gram[:] = 0
    for i in range(len(gram)):
        gram[i, i] = np.float32(1)


@compiled(
    void(
        array(int32, 1),
        array(float32, 1),
        array(float32, 2),
        array(float32, 1),
        float32[::1],
        float32[::1],
        float32[::1],
        float32[::1],
        float32[::1],
    ),
    fastmath=True,
)
def short_row(
    codes: Codes,
    confidence: Floats,
    white: Floats,
    scale: Floats,
    by: Floats,
    whole: Floats,
    gathered: Floats,
    unknown: Floats,
    image: Floats,
) -> None:
    """By the dual system: B'aB z = `image` on the side of lines, of fewer pairs than factors.

    Worked in are `by` [pairs], `whole` and `gathered` (of pairs x pairs and of factors x pairs), `unknown`.
    """
    size, count = len(image), len(codes)
    wide, width = count + -count % VECTOR, size + -size % VECTOR
    gram, panel = whole[: wide * wide].reshape((wide, wide)), gathered[: width * wide].reshape((width, wide))
    panel[:] = 0
    unknown[:] = 0
    for at in range(count):
        by[at] = np.sqrt(max(confidence[at], NOTHING))
        unknown[at] = (np.float32(1) + confidence[at]) / by[at]
        line = white[codes[at]]
        for c in range(size):
            panel[c, at] = by[at] * scale[c] * line[c]
    become_identity(gram)
    add_gram(panel, width, np.float32(1), gram, 0)
    solve(gram, unknown[:wide])
    for at in range(count):
        by[at] *= unknown[at]
    add_lines(codes, by, white, image)
    for c in range(size):
        image[c] *= scale[c]


@compiled(
    void(
        array(int32, 1),
        array(float32, 1),
        array(float32, 2),
        array(float32, 1),
        float32[::1],
        float32[::1],
        float32[::1],
        float32[::1],
        float32[::1],
    ),
    fastmath=True,
)
def long_row(
    codes: Codes,
    confidence: Floats,
    white: Floats,
    scale: Floats,
    by: Floats,
    whole: Floats,
    gathered: Floats,
    unknown: Floats,
    image: Floats,
) -> None:
    """By the system itself, of factors x factors; arguments as of `short_row`."""
    size, width = len(image), len(unknown)
    gram, panel = whole.reshape((width, width)), gathered[: PANEL * width].reshape((PANEL, width))
    become_identity(gram)
    for first in range(0, len(codes), PANEL):
        count = min(PANEL, len(codes) - first)
        for at in range(count):
            line, root = white[codes[first + at]], np.sqrt(confidence[first + at])
            for c in range(size):
                panel[at, c] = root * scale[c] * line[c]
            panel[at, size:] = 0
        filled = count + -count % VECTOR
        panel[count:filled] = 0
        add_gram(panel, filled, np.float32(1), gram, 0)
    for at in range(len(codes)):
        by[at] = np.float32(1) + confidence[at]
    add_lines(codes, by, white, image)
    unknown[:] = 0
    for c in range(size):
        unknown[c] = scale[c] * image[c]
    solve(gram, unknown)
    for c in range(size):
        image[c] = unknown[c]


@compiled(
    void(
        array(int64, 1),
        array(int32, 1),
        array(float32, 1),
        array(float32, 1),
        array(float32, 2),
        array(float32, 1),
        float32[:, ::1],
    ),
    fastmath=True,
)
def decompositions(
    offsets: npt.NDArray[np.int64],
    codes: Codes,
    confidence: Floats,
    excess: Floats,
    white: Floats,
    inverse: Floats,
    solutions: Floats,
) -> None:
    """solutions[r] of (I + e (S + r)^-1 + B'aB) z = B'(1 + a) for each row; see `whitened.Exact`.

    Most rows are so near to the identity that conjugate gradients reach float32 accuracy in few steps.
    """
    size = white.shape[1]
    width = size + -size % VECTOR
    whole, gathered = np.empty(width * width, np.float32), np.empty(max(width, PANEL) * width, np.float32)
    unknown, scale, image = np.empty(width, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    weights, space = np.empty(longest(offsets), np.float32), np.empty((4, size), np.float32)
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        some, extra, by = codes[begin:end], confidence[begin:end], weights[: end - begin]
        find_scale(excess[row], inverse, scale)
        if descend(some, extra, white, scale, size // PATIENCE, EXACT, by, space, solutions[row]):
            continue
        image[:] = 0
        if len(some) < size:
            short_row(some, extra, white, scale, by, whole, gathered, unknown, image)
        else:
            long_row(some, extra, white, scale, by, whole, gathered, unknown, image)
        for c in range(size):
            solutions[row, c] = scale[c] * image[c]
